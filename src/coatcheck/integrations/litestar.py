"""Sessions for Litestar: a session backend, so `request.session`, `clear_session()`, guards and `SessionAuth` work.

    sessions = SessionConfig(AsyncSessionManager("sqlite:///sessions.db"))
    app = Litestar([...], on_app_init=[sessions.on_app_init])

More: docs/frameworks/litestar.md
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, cast

from ..errors import ConfigurationError
from ..exchange import ANSWERED, Front, Mode
from ..legacy.source import Source
from ..manager import AsyncSessionManager
from ..replies import refusal
from ..session import Session
from . import asgi
from .gate import ticket_from as ticket_from
from .litestar_guards import provide_session as provide_session
from .litestar_guards import provide_user_id as provide_user_id
from .litestar_guards import requires_fresh_login as requires_fresh_login
from .litestar_guards import requires_login as requires_login
from .litestar_guards import ticket_gate as ticket_gate
from .litestar_visit import REFUSED, LitestarSession, LitestarVisit, adopt
from .litestar_visit import session_from as session_from

try:
    from litestar import Response
    from litestar.config.app import AppConfig
    from litestar.connection import ASGIConnection
    from litestar.datastructures import MutableScopeHeaders
    from litestar.enums import ScopeType
    from litestar.middleware import DefineMiddleware
    from litestar.middleware.session.base import BaseBackendConfig, BaseSessionBackend
    from litestar.middleware.session.base import SessionMiddleware as LitestarMiddleware
    from litestar.types import ASGIApp, Message, Receive, Scope, Scopes, Send
except ImportError as _error:  # pragma: no cover
    raise ConfigurationError('Litestar is missing: pip install "coatcheck[litestar]"') from _error

Connection = ASGIConnection[Any, Any, Any, Any]
"""A request or a websocket, whatever its state holds."""

__all__ = [
    "SessionBackend",
    "SessionConfig",
    "SessionMiddleware",
    "manager_from",
    "provide_session",
    "provide_user_id",
    "requires_fresh_login",
    "requires_login",
    "session_from",
    "ticket_from",
    "ticket_gate",
]


def manager_from(request_or_app: Any) -> AsyncSessionManager:
    """The manager behind a request, a scope or an application. Raises `ConfigurationError` for none."""
    state = getattr(request_or_app, "state", None)
    config = state.get("coatcheck") if state is not None and not hasattr(request_or_app, "scope") else None
    return config.manager if isinstance(config, SessionConfig) else asgi.manager_from(request_or_app)


class SessionConfig(BaseBackendConfig["SessionBackend"]):
    """The session backend's settings: `on_app_init` gives an application its sessions, `SessionAuth` takes it as its
    `session_backend_config`.

    * `manager`: an `AsyncSessionManager`; without one, `manager_settings` make it (`store=...`, ...).
    * `exclude`, `exclude_opt_key`, `scopes`: as with Litestar's own: patterns, a key in a handler's `opt`, and which
      of "http" and "websocket". What other sites may not do they may not do there either.
    * `csrf`, `trusted_origins`, `csrf_exempt`, `public_paths`, `header`, `legacy`: as in `asgi.SessionMiddleware`.

    `front` and `pattern` are made of them. `key`, `path`, `domain`, `secure`, `httponly`, `samesite` and `max_age` (in
    seconds) are the cookie's, to be read. Raises `ConfigurationError` for settings that contradict themselves.
    """

    _backend_class: type[SessionBackend]

    def __init__(
        self,
        manager: AsyncSessionManager | None = None,
        *,
        exclude: str | list[str] | None = None,
        exclude_opt_key: str = "skip_session",
        scopes: Scopes | None = None,
        csrf: Mode = "origin",
        trusted_origins: Iterable[str] = (),
        csrf_exempt: Iterable[str] = (),
        public_paths: Iterable[str] = (),
        header: str | None = None,
        legacy: Iterable[Source] = (),
        **manager_settings: Any,
    ) -> None:
        if manager is not None and manager_settings:
            raise ConfigurationError(f"{', '.join(manager_settings)}: belong to the manager that was passed")
        if manager is not None and not isinstance(manager, AsyncSessionManager):
            raise ConfigurationError(f"Litestar needs an AsyncSessionManager, not {type(manager).__name__}")
        self.manager: AsyncSessionManager = manager or AsyncSessionManager(**manager_settings)
        self._owned = manager is None
        self.manager.engine.adopt(LitestarSession)
        self.front: Front[AsyncSessionManager] = Front(
            self.manager,
            csrf=csrf,
            trusted_origins=trusted_origins,
            csrf_exempt=csrf_exempt,
            public_paths=public_paths,
            header=header,
            legacy=legacy,
        )
        self.exclude = exclude
        patterns = [exclude] if isinstance(exclude, str) else exclude or []
        self.pattern: re.Pattern[str] | None = re.compile("|".join(patterns)) if patterns else None
        self.exclude_opt_key = exclude_opt_key
        self.scopes: Scopes = scopes or {ScopeType.HTTP, ScopeType.WEBSOCKET}
        # For whoever reads them: `SessionAuth` names the cookie in the OpenAPI document.
        cookie = self.manager.cookie
        self.key: str = cookie.name
        self.path: str = cookie.settings.path
        self.domain: str | None = cookie.settings.domain
        self.secure: bool = not cookie.always_insecure
        self.httponly: bool = cookie.settings.http_only
        self.samesite: Literal["lax", "strict", "none"] = cookie.settings.same_site
        self.max_age: int = int(self.manager.policy.absolute_timeout.total_seconds())

    @property
    def middleware(self) -> DefineMiddleware:
        """For a list of middleware on any layer; `on_app_init` puts it into the application's."""
        return DefineMiddleware(cast("Any", SessionMiddleware), backend=SessionBackend(self))

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """For `Litestar(on_app_init=[...])`: the middleware outside of all others, answers to our errors, and the end
        of a manager that was made here. Raises `ConfigurationError` for a second session middleware."""
        for entry in app_config.middleware:
            kind = entry.middleware if isinstance(entry, DefineMiddleware) else entry
            if isinstance(kind, type) and issubclass(kind, LitestarMiddleware):
                raise ConfigurationError("Litestar's own session middleware is there too: take it out")
        app_config.middleware.insert(0, self.middleware)
        app_config.state["coatcheck"] = self
        for answered in ANSWERED:
            app_config.exception_handlers.setdefault(answered, _refused)
        if self._owned:
            app_config.on_shutdown.append(self.manager.aclose)
        return app_config


class SessionBackend(BaseSessionBackend["SessionConfig"]):
    """What Litestar's test client calls (`get_session_data`, `set_session_data`). Requests pass `SessionMiddleware`."""

    def get_session_id(self, connection: Connection) -> str | None:
        """The handle of the connection's session, or None."""
        return connection.get_session_id()

    async def load_from_connection(self, connection: Connection) -> dict[str, Any]:
        """The fields of the session that the connection's cookies name."""
        return dict(await self._load(connection))

    async def store_in_message(self, scope_session: Any, message: Message, connection: Connection) -> None:
        """Give the session these fields, and the message its cookie."""
        manager = self.config.manager
        session = await self._load(connection)
        connection.scope["session"] = scope_session
        adopt(cast("Any", connection.scope), session, manager.engine)
        result = await manager.commit(session)
        headers = MutableScopeHeaders.from_message(message)
        # The test client does not say whether it asks by https.
        for secure in (False, True):
            if line := manager.cookie.set_cookie(result, secure):
                headers.add("Set-Cookie", line)

    async def _load(self, connection: Connection) -> Session:
        manager, cookies = self.config.manager, connection.cookies
        session = await manager.load(cookies.get(manager.cookie.name_for(False)))
        if session.is_new:
            session = await manager.load(cookies.get(manager.cookie.name_for(True)))
        return session


SessionConfig._backend_class = SessionBackend  # noqa: SLF001 (Litestar's name for it)


class SessionMiddleware:
    """Gives every request and websocket its session. `SessionConfig.middleware` makes it around an
    `app`, for each handler anew."""

    def __init__(self, app: ASGIApp, backend: SessionBackend) -> None:
        self.app: ASGIApp = app
        self._config = backend.config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or websocket. Raises `ConfigurationError` where another session middleware is around."""
        around, config = scope.get("coatcheck"), self._config
        if around is config.front:  # `SessionAuth` brings it once more
            await self.app(scope, receive, send)
            return
        if around is not None or isinstance(scope.get("session"), dict):
            # It would not see `clear_session()`: a logout that did not happen.
            raise ConfigurationError("another session middleware is around this one: take one of them out")
        visit = LitestarVisit(
            cast("Any", self.app), config, cast("Any", scope), cast("Any", receive), cast("Any", send)
        )
        await visit.serve()


def _refused(request: Any, error: Any) -> Response[bytes]:
    """The answer to a fault that a handler leaves to us. An application's own exception handler goes before it."""
    request.scope[REFUSED] = True
    reply = refusal(error, html="text/html" in request.headers.get("accept", ""))
    headers = dict(reply.text_headers)
    return Response(reply.body, status_code=reply.status, headers=headers, media_type=headers.pop("content-type"))
