"""A login made by another framework over the same store, as `django.contrib.auth` wants to find it.

MIDDLEWARE = [..., "coatcheck.integrations.django.SessionMiddleware",
              "coatcheck.integrations.django.SharedLoginMiddleware",
              "django.contrib.auth.middleware.AuthenticationMiddleware", ...]
"""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import auth
from django.core.exceptions import ValidationError
from django.utils.deprecation import MiddlewareMixin

from ...errors import ConfigurationError
from . import managers
from .store import SessionStore


def backend() -> str:
    """The backend of logins that another framework made. Raises `ConfigurationError`."""
    backends, given = list(settings.AUTHENTICATION_BACKENDS), managers.given()
    name: str = given.get("login_backend") or backends[0]
    if name not in backends or ("login_backend" not in given and len(backends) > 1):
        raise ConfigurationError(f'COATCHECK["login_backend"]: name one of {", ".join(backends)}')
    return name


class SharedLoginMiddleware(MiddlewareMixin):  # type: ignore[misc]  # untyped base
    """Fills Django's three fields where the session has a user and lacks them: one query, once in a session.

    The session's user id is the primary key of `AUTH_USER_MODEL`. `COATCHECK["login_backend"]` names the `backend` of
    such logins; without it there has to be exactly one. A user who is unknown or not active stays anonymous.
    """

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.backend: str = backend()
        super().__init__(get_response)

    def process_request(self, request: Any) -> None:
        """Fill them before `AuthenticationMiddleware` looks."""
        key = self._key(request)
        if key is not None:
            self._fill(request, auth.load_backend(self.backend).get_user(key))

    async def __acall__(self, request: Any) -> Any:
        """As `__call__`, without a thread."""
        key = self._key(request)
        if key is not None:
            self._fill(request, await auth.load_backend(self.backend).aget_user(key))
        return await self.get_response(request)

    @staticmethod
    def _key(request: Any) -> Any:
        """The primary key of a user whom Django does not know yet, or None."""
        store = getattr(request, "session", None)
        if not isinstance(store, SessionStore):
            raise ConfigurationError(
                "SharedLoginMiddleware comes after coatcheck.integrations.django.SessionMiddleware"
            )
        core = store.prepare()
        before = core.accessed
        user_id, known = core.user_id, auth.SESSION_KEY in core
        core.accessed = before  # a page that looks at nothing stays the same for everybody
        if user_id is None or known:
            return None
        try:
            return auth.get_user_model()._meta.pk.to_python(user_id)  # noqa: SLF001 (Django's own auth asks so)
        except ValidationError:
            return None

    def _fill(self, request: Any, user: Any) -> None:
        if user is not None:
            request.session[auth.SESSION_KEY] = user._meta.pk.value_to_string(user)  # noqa: SLF001
            request.session[auth.BACKEND_SESSION_KEY] = self.backend
            request.session[auth.HASH_SESSION_KEY] = getattr(user, "get_session_auth_hash", str)()
