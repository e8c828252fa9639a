"""Flask-Login's own tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .application import Application, Place, Run


@dataclass(frozen=True)
class FlaskLogin(Application):
    """Each application that its tests make gets `Coatcheck(app)`."""

    name: str = "flask-login"
    package: str = "flask-login"
    title: str = "Flask-Login"
    framework: str = "Flask"
    changed: str = "`Coatcheck(app)`"
    sources: tuple[str, ...] = ("flask-login",)

    explained: Mapping[str, str] = field(
        default_factory=lambda: {
            "*session_protection_strong_deletes_session": "a session that is ended ends with its data",
            **dict.fromkeys(
                ["*remember_me*", "*confirm_login", "*fresh_login_required*", "*user_loaded_from_cookie_fired"],
                "the test signs in by the remember cookie alone, which a session that lasts takes the place of",
            ),
        }
    )

    def run(self, place: Place, ours: bool) -> Run:
        """Its tests, in its source distribution."""
        # Newer Pythons warn of its use of utcnow, and its settings make an error of that.
        command = self.pytest(place, ours, "flask_everywhere", "-W", "default", "tests")
        return Run(command, place.source("flask-login"))
