"""One request or websocket in Litestar: what `clear_session()` and `set_session()` mean, and what it hides from us."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from ..engine import Engine
from ..errors import ConfigurationError, SessionDataError
from ..exchange import Front
from ..manager import AsyncSessionManager
from ..session import Session
from .asgi_messages import App, Message, Receive, Scope, Send
from .asgi_visit import Visit

try:
    from litestar.exceptions import SerializationException
    from litestar.serialization import decode_json, encode_json
    from litestar.types import Empty
    from litestar.utils import get_serializer_from_scope
    from litestar.utils.scope.state import ScopeState
except ImportError as _error:  # pragma: no cover
    raise ConfigurationError('Litestar is missing: pip install "coatcheck[litestar]"') from _error

REFUSED = "coatcheck.refused"
"""In the scope of a request that we answered for its handler: 401, 403 or 410 is no success then."""

BROKE = 4500
"""The code, and all above it, with which Litestar closes a websocket whose handler raised."""


class LitestarSession(Session):
    """A session that is true while somebody is logged in: `SessionAuth` logs out whoever's session is false."""

    def __bool__(self) -> bool:
        return self.user_id is not None or len(self) > 0


class Config(Protocol):
    """The part of `litestar.SessionConfig` that a request asks for."""

    front: Front[AsyncSessionManager]
    pattern: re.Pattern[str] | None
    exclude_opt_key: str
    scopes: Any


def adopt(scope: Scope, session: Session, engine: Engine) -> None:
    """Do to the session what Litestar's verbs did to the scope, and put it back there.

    `clear_session()` is a logout; `set_session(value)` gives the session these fields alone. Never raises: a value
    that cannot be stored is the commit's to refuse, after the logout.
    """
    value = scope.get("session")
    if value is session:
        return
    scope["session"] = session
    state = ScopeState.from_scope(scope)  # type: ignore[arg-type]  # its own type of a scope
    if value is Empty or value is None or state.session_id is Empty:
        session.logout()
        state.session_id = None
    if value is Empty or value is None:
        return
    fields = _fields(value, scope)
    session.clear()
    try:
        session.update(fields)
    except SessionDataError:
        dict.update(session, fields)
        engine.want(session)


def _fields(value: Any, scope: Scope) -> dict[str, Any]:
    """The fields of what `set_session` takes: a dict, or an instance of a dataclass or a model."""
    if isinstance(value, Mapping):
        return dict(value)
    try:
        fields = decode_json(encode_json(value, get_serializer_from_scope(scope)))  # type: ignore[arg-type]
    except SerializationException:
        fields = None
    return fields if isinstance(fields, dict) else {"set_session": value}


def session_from(request: Any) -> Session:
    """The session of a request, a websocket or a scope, with what `clear_session()` and `set_session()` did to it.

    Raises `ConfigurationError` where the middleware is missing or the path is excluded.
    """
    scope = getattr(request, "scope", request)
    found = scope.get("coatcheck.session")
    if not isinstance(found, Session):
        raise ConfigurationError(
            "no session here: Litestar(on_app_init=[sessions.on_app_init]), or take this path out of its exclude="
        )
    adopt(scope, found, scope["coatcheck"].manager.engine)
    return found


class LitestarVisit(Visit):
    """One request or websocket on its way through `litestar.SessionMiddleware`."""

    def __init__(self, app: App, config: Config, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(app, config.front, scope, receive, send)
        self.excluded: bool = self._is_excluded(config)

    def _is_excluded(self, config: Config) -> bool:
        """Whether this handler or this path has no session, in Litestar's ways of saying so."""
        scope = self.scope
        handler = scope.get("route_handler")
        if scope["type"] not in config.scopes or (handler and handler.opt.get(config.exclude_opt_key)):
            return True
        # A mount's own path begins below it.
        path = self.path if getattr(handler, "is_mount", False) else scope["path"]
        return config.pattern is not None and config.pattern.search(path) is not None

    def opened(self) -> None:
        """Show the application its session, where Litestar looks for it."""
        super().opened()
        scope, session = self.scope, self.session
        scope["coatcheck.session"] = session
        # `clear_session()` empties it, also where `set_session()` follows.
        ScopeState.from_scope(scope).session_id = session.handle  # type: ignore[arg-type]
        session.accessed = False

    def gather(self) -> None:
        """Litestar's verbs reach no object of ours."""
        adopt(self.scope, self.session, self.front.manager.engine)

    async def sending(self, message: Message) -> None:
        """As `Visit.sending`. Litestar keeps the error of a websocket's handler to itself."""
        if message["type"] == "websocket.close" and message.get("code", 0) >= BROKE:
            self.failed = True
        self.spoiled: bool = REFUSED in self.scope
        await super().sending(message)
