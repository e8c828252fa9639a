"""django-allauth's own tests: logins and logouts, MFA, reauthentication, logins by other sites, tokens for apps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .application import Application, Place, Run

FOLDERS = ("account", "core", "headless", "idp", "mfa", "socialaccount", "usersessions")

FEWER = "one query less: the session is not in the database"
EMPTY = "a visitor's session that is left without a field ends, and with it the app's token"
HANDLE = "it reads other sessions by the keys in its table; ours are handles there, which open nothing"
SHOWN = "behind our middleware `session_key` is the handle; in the test client, and for apps, the token"
HEADLESS = "tests/apps/headless"
ACTIVITY = f"{HEADLESS}/usersessions/test_activity.py"


@dataclass(frozen=True)
class DjangoAllauth(Application):
    """Its settings get our engine, our middleware and our application."""

    name: str = "django-allauth"
    package: str = "django-allauth"
    title: str = "django-allauth"
    framework: str = "Django"
    changed: str = "the settings; `manager.sessions` in place of `allauth.usersessions`"
    sources: tuple[str, ...] = ("django-allauth",)
    explained: Mapping[str, str] = field(
        default_factory=lambda: {
            "tests/apps/usersessions/test_views.py::test_overall_flow": HANDLE,
            "tests/apps/usersessions/test_views.py::test_change_password_updates_user_session*": HANDLE,
            f"{HEADLESS}/usersessions/test_views.py::test_flow[[]browser]": HANDLE,
            f"{HEADLESS}/account/test_login_by_code.py::test_login_by_code_max_attemps[[]app]": EMPTY,
            f"{HEADLESS}/account/test_reset_password_by_code.py::test_validating_codes_by_get_*[[]app]": EMPTY,
            f"{HEADLESS}/account/test_reset_password_by_code.py::test_password_reset_flow[[]app-False]": EMPTY,
            f"{HEADLESS}/tokens/test_jwttokenstrategy.py::test_access_token_query_counts[[]app-*-True-2]": FEWER,
            f"{ACTIVITY}::test_authentication_query_counts[[]*]": FEWER,
            f"{ACTIVITY}::test_refresh_with_different_access_token_session": SHOWN,
            f"{ACTIVITY}::test_mixed_credentials_different_sessions[[]*]": SHOWN,
        }
    )

    def run(self, place: Place, ours: bool) -> Run:
        """Its tests, in its source distribution."""
        plugins = ["-p", "report", *(["-p", "django_everywhere"] if ours else [])]
        folders = [f"tests/apps/{folder}" for folder in FOLDERS]
        return Run([str(place.python), "-m", "pytest", "-q", *plugins, *folders], place.source("django-allauth"))
