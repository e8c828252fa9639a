"""Django's own tests: those that stand on sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .application import INSIDE, Application, Place, Run

LABELS = (
    "sessions_tests",
    "auth_tests",
    "admin_views",
    "admin_changelist",
    "admin_inlines",
    "admin_docs",
    "messages_tests",
    "csrf_tests",
    "test_client",
    "test_client_regress",
    "sites_tests",
    "sites_framework",
    "contenttypes_tests",
    "flatpages_tests",
    "redirects_tests",
    "context_processors",
    "middleware",
    "handlers",
    "view_tests",
    "cache",
)


@dataclass(frozen=True)
class DjangoItself(Application):
    """The settings that its test runner makes get our engine, our middleware and our application."""

    name: str = "django"
    package: str = "django"
    title: str = "Django"
    framework: str = "Django"
    changed: str = "the settings"
    sources: tuple[str, ...] = ("django",)
    explained: Mapping[str, str] = field(default_factory=dict)

    def run(self, place: Place, ours: bool) -> Run:  # noqa: ARG002 (what `watched` does depends on the environment)
        """Its own runner, in one process: in the same order each time."""
        runner = [str(place.python), str(INSIDE / "watched.py"), "runtests.py", "--parallel=1", "--noinput"]
        return Run([*runner, *LABELS], place.source("django") / "tests")
