"""Sessions for Quart: `quart.session` works unchanged and is a `Session`, in requests and websockets.

app = Quart(__name__)
app.config["COATCHECK_STORE"] = "sqlite:///sessions.db"
Coatcheck(app)
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from ..errors import CoatcheckError, ConfigurationError
from ..exchange import ANSWERED
from ..manager import AsyncSessionManager
from ..session import Session
from . import asgi
from .asgi import SessionMiddleware
from .asgi_visit import App, Message, Receive, Scope, Send, Visit

try:
    import quart
    from quart.sessions import SecureCookieSessionInterface, SessionInterface, SessionMixin
    from quart.signals import got_websocket_exception
except ImportError as error:  # pragma: no cover
    raise ConfigurationError('Quart is missing: pip install "coatcheck[quart]"') from error

from .flask_config import foreign, set_up
from .flask_session import FlaskSession, NoSession, adopt, helpers
from .gate import TicketGate
from .gate import ticket_from as _ticket_from

__all__ = ["Coatcheck", "FlaskSession", "manager_from", "session_from", "ticket_from"]

_TEST = "coatcheck.transaction"
_BROKEN = "coatcheck.broken"
_REFUSED = "coatcheck.refused"


def _current(request: Any) -> Any:
    if request is not None:
        return request
    return quart.websocket if quart.has_websocket_context() else quart.request


def session_from(request: Any = None) -> Session:
    """The session of a request or a websocket; None: of the current one. Raises `ConfigurationError` for none."""
    return asgi.session_from(_current(request))


def ticket_from(request: Any = None) -> Any:
    """The ticket of a request behind the gate; None: of the current one. Raises `ConfigurationError` elsewhere."""
    return _ticket_from(_current(request))


def manager_from(app: Any = None) -> AsyncSessionManager:
    """The manager of an application; None, or a request: of the current one. Raises `ConfigurationError`."""
    found = (app if isinstance(app, quart.Quart) else quart.current_app).extensions.get("coatcheck")
    if not isinstance(found, Interface):
        raise ConfigurationError("this application has no sessions of ours: call Coatcheck(app)")
    return found.manager


class Coatcheck:
    """The extension. Give it the application, or call `init_app`, when the configuration is there.

    `manager` is an `AsyncSessionManager`; without one, `settings` make it, else `COATCHECK_*` in `app.config`, else
    Quart's own settings. The settings are those of `AsyncSessionManager` and of `asgi.SessionMiddleware`.
    """

    manager: AsyncSessionManager
    """That of the application that was set up last; with several, ask `manager_from()`."""

    def __init__(
        self, app: quart.Quart | None = None, manager: AsyncSessionManager | None = None, **settings: Any
    ) -> None:
        self._given = manager, settings
        self._gates: dict[str, dict[str, Any]] = {}
        if app is not None:
            self.init_app(app)

    def init_app(self, app: quart.Quart) -> None:
        """Take over the application's sessions. Raises `ConfigurationError` for settings that contradict themselves,
        and where something else has taken them over."""
        manager, given = self._given
        made = set_up(app, AsyncSessionManager, manager, given)
        if type(app.session_interface) is not SecureCookieSessionInterface:
            raise ConfigurationError(foreign(app.session_interface))
        self.manager = made.manager
        adopt(self.manager.engine)
        if made.owned:
            app.after_serving(self.manager.aclose)
        untyped = cast("Any", app)  # its types are narrower than what it takes
        inside = _Inside(untyped, self._gates)
        around = SessionMiddleware(inside, self.manager, **made.front)
        untyped.asgi_app = around
        untyped.session_interface = app.extensions["coatcheck"] = Interface(around)
        app.context_processor(partial(helpers, session_from))
        for kind in ANSWERED:
            app.error_handler_spec[None][None].setdefault(kind, _refused)
        got_websocket_exception.connect(_websocket_broke, app)

    def ticket_gate(self, path: str, purpose: str = "download", **settings: Any) -> None:
        """Put the download gate in front of a path, or of all paths below one that ends with "/". The settings are
        those of `coatcheck.integrations.gate.TicketGate`; the view finds the ticket by `ticket_from()`."""
        self._gates[path] = {"purpose": purpose, **settings}


class _Inside:
    """What is between the middleware and one application: the download gates, and who answers a fault."""

    def __init__(self, app: Any, gates: dict[str, dict[str, Any]]) -> None:
        self._app = app
        self._inner: App = app.asgi_app
        self._settings = gates
        self._gates: dict[str, App] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, websocket or lifespan."""
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
            return
        if not isinstance(self._app.session_interface, Interface):
            raise ConfigurationError(foreign(self._app.session_interface))

        async def sending(message: Message) -> None:
            if _REFUSED not in scope:
                await send(message)

        await self._gate(scope["path"])(scope, receive, sending)
        # The middleware answers the one, and must know of the other, which Quart only logs: nothing is committed.
        if error := scope.get(_REFUSED) or scope.get(_BROKEN):
            raise error

    def _gate(self, path: str) -> App:
        for prefix, settings in self._settings.items():
            if path == prefix or (prefix.endswith("/") and path.startswith(prefix)):
                return self._gates.setdefault(prefix, TicketGate(self._inner, **settings))
        return self._inner


class Interface(SessionInterface):
    """What Quart calls. The middleware does the work, but in a test's session transaction, which does not pass it."""

    null_session_class = NoSession

    def __init__(self, around: SessionMiddleware) -> None:
        self.manager = around.manager
        self._around = around

    async def open_session(self, app: quart.Quart, request: Any) -> SessionMixin | None:
        """The session that the middleware loaded; None on an excluded path."""
        del app
        scope = request.scope
        if not isinstance(scope.get("session"), Session):
            visit = Visit(self._around.app, self._around.front, scope, _nobody, _nobody)
            if visit.excluded:
                return None
            visit.session = scope["session"] = await self.manager.load(visit.token(), visit.client)
            scope[_TEST] = visit
        return scope["session"]  # type: ignore[no-any-return]

    async def save_session(self, app: quart.Quart, session: SessionMixin, response: Any) -> None:
        """Nothing: the middleware commits. Raises what the commit does in a test's session transaction."""
        del app, session
        scope: Any = quart.request.scope if quart.has_request_context() else {}
        visit: Visit | None = scope.get(_TEST)
        if visit is None or response is None:
            return
        result = await self.manager.commit(visit.session)
        told = visit.told(visit.session, result, response.status_code)
        for name, value in told.add:
            response.headers.add(name.title(), value)


async def _nobody(*_: Any) -> Any:
    raise RuntimeError("a session transaction neither receives nor sends")


async def _refused(error: CoatcheckError) -> quart.Response:
    """Leave a fault that a view raises to the middleware. An application's own handler goes before it."""
    scope: Any = _current(None).scope
    scope[_REFUSED] = error
    return quart.Response("", 503)


async def _websocket_broke(_: quart.Quart, exception: Exception, **__: Any) -> None:
    scope: Any = quart.websocket.scope
    scope[_BROKEN] = exception
