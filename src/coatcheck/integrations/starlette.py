"""Sessions for Starlette: in place of its own `SessionMiddleware`, with `request.session` as it was.

    app.add_middleware(SessionMiddleware, manager=AsyncSessionManager("sqlite:///sessions.db"))
    app.add_middleware(SessionMiddleware, secret_key=SECRET, https_only=True)  # as Starlette's own: $COATCHECK_STORE
    templates = Jinja2Templates("templates", context_processors=[session_context])

More: docs/asgi.md
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from ..connect import framework_secret
from ..cookies import CookieSettings
from ..errors import ConfigurationError
from ..html import csrf_headers, csrf_input
from ..manager import AsyncSessionManager
from ..policy import Policy
from . import asgi
from .asgi import manager_from as manager_from
from .asgi import session_from as session_from
from .asgi_messages import App

try:
    from starlette.datastructures import Secret
except ImportError as _error:  # pragma: no cover
    raise ConfigurationError('Starlette is missing: pip install "coatcheck[starlette]"') from _error

__all__ = ["SessionMiddleware", "manager_from", "session_context", "session_from"]


_SAME = ("path", "domain", "same_site", "partitioned")
_COOKIE = {"session_cookie": "name", **dict(zip(_SAME, _SAME, strict=True))}
_THEIRS = {"secret_key": "secret", "max_age": "policy", "https_only": "cookie", **dict.fromkeys(_COOKIE, "cookie")}


class SessionMiddleware(asgi.SessionMiddleware):
    """As `asgi.SessionMiddleware`, and for applications that were set up for Starlette's own: it takes its arguments.

    * `secret_key`: the secret, stretched if it is short; the environment's comes before it, as it may be shared.
    * `max_age`: seconds without a request after which a session ends, as each of Starlette's responses renews its
      cookie; in all it lives 30 days, or that long if it is longer. None: its cookie ends with the browser.
    * `session_cookie`, `path`, `domain`, `same_site`, `partitioned`: the cookie's, whose name gets a prefix
      (`__Host-`).
    * `https_only`: True, always Secure. False is Starlette's default and weakens nothing: `CookieSettings` does.

    Raises `ConfigurationError` where one of them and ours are both there, and for a `secret_key` that is no text.
    """

    def __init__(self, app: App, /, manager: AsyncSessionManager | None = None, **settings: Any) -> None:
        if isinstance(manager, str | bytes | Secret):
            # Neither is guessed: a store's URL that is taken for a key is a secret that many know.
            raise ConfigurationError("text in second place: write secret_key=... if it is a key, store=... for a URL")
        theirs = {name: settings.pop(name) for name in _THEIRS if name in settings}
        for name in theirs:
            if manager is not None or _THEIRS[name] in settings:
                ours = "manager" if manager is not None else _THEIRS[name]
                raise ConfigurationError(f"{name}= is Starlette's, and {ours}= stands beside it: take out {name}=")
        super().__init__(app, manager, **(_translated(theirs) | settings))


def _translated(theirs: dict[str, Any]) -> dict[str, Any]:
    """The settings of a manager that Starlette's arguments ask for."""
    ours: dict[str, Any] = {}
    if "secret_key" in theirs:
        ours["secret"] = framework_secret(_key(theirs["secret_key"]))
    if "max_age" in theirs:
        ours["policy"] = _lifetime(theirs["max_age"])
    cookie = {_COOKIE[name]: value for name, value in theirs.items() if name in _COOKIE}
    if theirs.get("https_only"):
        cookie["secure"] = True
    if cookie:
        ours["cookie"] = CookieSettings(**cookie)
    return ours


def _lifetime(seconds: int | None) -> Policy:
    if seconds is None:
        return Policy(remember=False)
    idle = timedelta(seconds=seconds)
    return Policy(idle_timeout=idle, absolute_timeout=max(idle, Policy().absolute_timeout))


def _key(key: Any) -> str | bytes:
    # Starlette's own takes the str() of what it is given, and signs with "None" where a variable is not set.
    key = str(key) if isinstance(key, Secret) else key
    if not isinstance(key, str | bytes) or not key:
        raise ConfigurationError("secret_key= is no text, or empty: is an environment variable not set?")
    return key


def session_context(request: Any) -> dict[str, Any]:
    """For `Jinja2Templates(context_processors=[...])`: `session`, `csrf_input()` and `csrf_headers()`."""
    session = session_from(request)
    return {
        "session": session,
        "csrf_input": partial(csrf_input, session),
        "csrf_headers": partial(csrf_headers, session),
    }
