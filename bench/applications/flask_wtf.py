"""Flask-WTF's own tests: its CSRF token is kept in the session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .application import Application, Place, Run


@dataclass(frozen=True)
class FlaskWTF(Application):
    """Each application that its tests make gets `Coatcheck(app)`."""

    name: str = "flask-wtf"
    package: str = "flask-wtf"
    title: str = "Flask-WTF"
    framework: str = "Flask"
    changed: str = "`Coatcheck(app)`"
    sources: tuple[str, ...] = ("flask-wtf",)
    explained: Mapping[str, str] = field(
        default_factory=lambda: {
            "*::test_same_origin": "the cookie has another name over plain http than over https",
        }
    )

    def run(self, place: Place, ours: bool) -> Run:
        """Its tests, in its source distribution."""
        return Run(self.pytest(place, ours, "flask_everywhere", "tests"), place.source("flask-wtf"))
