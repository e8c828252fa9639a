"""Starlette's own tests of its sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .application import Application, Place, Run


@dataclass(frozen=True)
class Starlette(Application):
    """Ours is put in the place of its middleware, with the arguments that were meant for that."""

    name: str = "starlette"
    package: str = "starlette"
    title: str = "Starlette"
    framework: str = "Starlette"
    changed: str = "the import"
    sources: tuple[str, ...] = ("starlette",)
    explained: Mapping[str, str] = field(
        default_factory=lambda: {
            "*::test_session[[]*": "the cookie's Max-Age is the absolute timeout, 30 days; 14 without a request end it",
            "*::test_session_expires[[]*": "a session of no lifetime is refused at start-up",
            "*::test_session_zero_max_age[[]*": "a session of no lifetime is refused at start-up",
            "*::test_session_cookie_subpath[[]*": "the test looks for the cookie's attributes in lower case",
            "*::test_domain_cookie[[]*": "the test looks for the cookie's attributes in lower case",
            "*::test_partitioned_session[[]*": "the test looks for the cookie's attributes in lower case",
            "*::test_session_cookie[[]*": "the test deletes the cookie by its name",
        }
    )

    def run(self, place: Place, ours: bool) -> Run:
        """What of its tests asks for sessions."""
        tests = ["tests/middleware/test_session.py", "tests/test_requests.py", "tests/test_authentication.py"]
        return Run(self.pytest(place, ours, "starlette_everywhere", *tests), place.source("starlette"))
