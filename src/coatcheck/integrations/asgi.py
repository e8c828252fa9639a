"""Sessions for every ASGI application: `SessionMiddleware(app)` puts a `Session` at `scope["session"]`.

It loads once, before the application, and commits before the response starts; what a streaming body, a
background task or an open websocket changes later is committed at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from types import SimpleNamespace
from typing import Any

from ..errors import ConfigurationError
from ..exchange import Front, Mode
from ..legacy.source import Source
from ..manager import AsyncSessionManager
from ..session import Session
from .asgi_messages import App, Receive, Scope, Send
from .asgi_visit import Visit


def session_from(request: Any) -> Session:
    """The session of a request, a websocket or a scope.

    Raises `ConfigurationError` where the middleware is missing or the path is excluded.
    """
    found = getattr(request, "scope", request).get("session")
    if not isinstance(found, Session):
        raise ConfigurationError("no session here: add SessionMiddleware, or take this path out of its exclude=")
    return found


def manager_from(request_or_app: Any) -> AsyncSessionManager:
    """The manager behind a request, a scope, or an application that `SessionMiddleware` wraps. Raises
    `ConfigurationError` for none."""
    scope = getattr(request_or_app, "scope", request_or_app)
    if isinstance(scope, MutableMapping):
        found = getattr(scope.get("coatcheck"), "manager", None)
    else:
        found = getattr(_middleware_of(request_or_app), "manager", None)
    if not isinstance(found, AsyncSessionManager):
        raise ConfigurationError(
            "no session manager here: add SessionMiddleware, with manager=... to find it before the application starts"
        )
    return found


def _middleware_of(app: Any) -> Any:
    """The middleware in an application's stack, also before Starlette has built it."""
    layer = app
    while layer is not None and not isinstance(layer, SessionMiddleware):
        for entry in getattr(layer, "user_middleware", ()):
            if isinstance(entry.cls, type) and issubclass(entry.cls, SessionMiddleware):
                manager = entry.kwargs.get("manager") or next(iter(entry.args), None)
                if manager is not None:
                    return SimpleNamespace(manager=manager)
        layer = getattr(layer, "middleware_stack", None) or getattr(layer, "app", None)
    return layer


_TWO_KINDS = "two sessions: take out the other SessionMiddleware, such as Starlette's own, around ours or inside of it"


def _check_alone(app: Any) -> None:
    layer = app
    while layer is not None:
        if type(layer).__module__ == "starlette.middleware.sessions":
            raise ConfigurationError(_TWO_KINDS)
        layer = getattr(layer, "app", None)


class SessionMiddleware:
    """Gives every request and websocket its session, and answers for it where the application cannot.

    * `manager`: an `AsyncSessionManager`; without one, `manager_settings` make it (`store=...`, ...).
    * `csrf`: "origin" refuses unsafe requests from other sites; "token" asks a signed-in session for its
      token as well; "report" only logs; "off" trusts that something else does it.
    * `trusted_origins`: other origins that may make unsafe requests ("https://app.example").
    * `csrf_exempt`: exact raw paths that other sites may post to, such as webhooks.
    * `exclude`: paths without a session; an exact path, or a prefix that ends with "/".
    * `public_paths`: likewise, served anonymously while the store is down, in place of a 503.
    * `header`: "X-Session": a client that sends this header (empty at first) gets its token there, no cookie.
    * `legacy`: sources of old sessions (`coatcheck.legacy`), exchanged at the next request.

    Raises `ConfigurationError` for settings that contradict themselves, for another kind of manager, and for a missing
    secret. `app`, `manager` and `front` are what was given, and what was made of it.
    """

    def __init__(
        self,
        app: App,
        /,
        manager: AsyncSessionManager | None = None,
        *,
        csrf: Mode = "origin",
        trusted_origins: Iterable[str] = (),
        csrf_exempt: Iterable[str] = (),
        exclude: Iterable[str] = (),
        public_paths: Iterable[str] = (),
        header: str | None = None,
        legacy: Iterable[Source] = (),
        **manager_settings: Any,
    ) -> None:
        if manager is not None and manager_settings:
            raise ConfigurationError(f"{', '.join(manager_settings)}: belong to the manager that was passed")
        if manager is not None and not isinstance(manager, AsyncSessionManager):
            raise ConfigurationError(f"an ASGI application needs an AsyncSessionManager, not {type(manager).__name__}")
        _check_alone(app)
        self.app = app
        self.manager: AsyncSessionManager = manager or AsyncSessionManager(**manager_settings)
        self._owns_manager = manager is None
        self.front: Front[AsyncSessionManager] = Front(
            self.manager,
            csrf=csrf,
            trusted_origins=trusted_origins,
            csrf_exempt=csrf_exempt,
            exclude=exclude,
            public_paths=public_paths,
            header=header,
            legacy=legacy,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, websocket or lifespan. Raises `ConfigurationError` where another kind of session
        middleware is around."""
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self.app(scope, receive, send)
            if kind == "lifespan" and self._owns_manager:
                await self.manager.aclose()
            return
        around = scope.get("coatcheck")
        if around is not None:
            around.check_inner(self.front)
            await self.app(scope, receive, send)
            return
        if scope.get("session") is not None:
            # It would write our session into a cookie of its own, for everybody to read.
            raise ConfigurationError(_TWO_KINDS)
        await Visit(self.app, self.front, scope, receive, send).serve()
