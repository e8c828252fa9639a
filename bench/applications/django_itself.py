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
    "admin_checks",
    "admin_custom_urls",
    "admin_default_site",
    "admin_utils",
    "asgi",
    "check_framework",
    "deprecation",
)

FEWER = "one query less: the session is not in the database"
BY_PATH = "a check of Django's that looks for its own middleware by its path alone"
VIEWS = "admin_views.tests"


@dataclass(frozen=True)
class DjangoItself(Application):
    """The settings that its test runner makes get our engine, our middleware and our application."""

    name: str = "django"
    package: str = "django"
    title: str = "Django"
    framework: str = "Django"
    changed: str = "the settings"
    sources: tuple[str, ...] = ("django",)
    explained: Mapping[str, str] = field(
        default_factory=lambda: {
            f"{VIEWS}.AdminCustomQuerysetTest.test_changelist_view_count_queries": FEWER,
            f"{VIEWS}.AdminSearchTest.test_no_total_count": FEWER,
            f"{VIEWS}.AdminSearchTest.test_reset_link": FEWER,
            f"{VIEWS}.GroupAdminTest.test_group_permission_performance": FEWER,
            f"{VIEWS}.UserAdminTest.test_user_permission_performance": FEWER,
            "admin_changelist.*.test_changelist_view_list_editable_changed_objects_uses_filter": FEWER,
            f"{VIEWS}.NeverCacheTests.test_logout": "a response that sets or deletes the cookie says `no-store` alone",
            "sessions_tests.tests.SessionMiddlewareTests.test_empty_session_saved": (
                "it looks into the table `django_session`; and a visitor's session that is left without a field ends"
            ),
            "auth_tests.test_views.LoginTest.test_session_key_flushed_on_login_after_password_change": (
                "who signs in once more gets a new session, also without a change of password"
            ),
            "check_framework.test_security.*.test_session_cookie_*_with_middleware": BY_PATH,
            "check_framework.test_security.*.test_session_cookie_*_both": BY_PATH,
        }
    )

    def run(self, place: Place, ours: bool) -> Run:  # noqa: ARG002 (what `watched` does depends on the environment)
        """Its own runner, in one process: in the same order each time."""
        runner = [str(place.python), str(INSIDE / "watched.py"), "runtests.py", "--parallel=1", "--noinput"]
        return Run([*runner, *LABELS], place.source("django") / "tests")
