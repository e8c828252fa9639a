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
from ..replies import refusal
from ..session import Session
from . import asgi
from .asgi import SessionMiddleware
from .asgi_visit import App, Receive, Scope, Send, Visit

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
    application = app if isinstance(app, quart.Quart) else quart.current_app
    found = application.extensions.get("coatcheck")
    if not isinstance(found, Coatcheck):
        raise ConfigurationError("no session manager here: call Coatcheck(app)")
    return found.manager


class Coatcheck:
    """The extension. Give it the application, or call `init_app`, when the configuration is there.

    `manager` is an `AsyncSessionManager`; without one, `settings` make it, else `COATCHECK_*` in `app.config`, else
    Quart's own settings. The settings are those of `AsyncSessionManager` and of `asgi.SessionMiddleware`.
    """

    manager: AsyncSessionManager

    def __init__(
        self, app: quart.Quart | None = None, manager: AsyncSessionManager | None = None, **settings: Any
    ) -> None:
        self._given = manager, settings
        self._gates: dict[str, App] = {}
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
        self._app = cast("Any", app)  # its types are narrower than what it takes
        self._inner: App = self._app.asgi_app
        around = SessionMiddleware(self._serve, self.manager, **made.front)
        self._app.asgi_app = around
        app.extensions["coatcheck"] = self
        self._app.session_interface = self._interface = Interface(around)
        app.context_processor(partial(helpers, session_from))
        for kind in ANSWERED:
            app.error_handler_spec[None][None].setdefault(kind, _refused)
        got_websocket_exception.connect(_websocket_broke, app)

    def ticket_gate(self, path: str, purpose: str = "download", **settings: Any) -> None:
        """Put the download gate in front of a path, or of all paths below one that ends with "/". The settings are
        those of `coatcheck.integrations.gate.TicketGate`; the view finds the ticket by `ticket_from()`."""
        self._gates[path] = TicketGate(self._inner, purpose, **settings)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, websocket or lifespan inside of the middleware."""
        if scope["type"] != "lifespan" and self._app.session_interface is not self._interface:
            raise ConfigurationError(foreign(self._app.session_interface))
        await self._gate(scope)(scope, receive, send)
        if broken := scope.get(_BROKEN):
            # Quart only logs it; the middleware must know that the websocket's handler failed.
            raise broken

    def _gate(self, scope: Scope) -> App:
        if self._gates and scope["type"] != "lifespan":
            path = scope["path"]
            for prefix, gate in self._gates.items():
                if path == prefix or (prefix.endswith("/") and path.startswith(prefix)):
                    return gate
        return self._inner


class Interface(SessionInterface):
    """What Quart calls. The middleware does the work, but in a test's session transaction, which does not pass it."""

    null_session_class = NoSession

    def __init__(self, around: SessionMiddleware) -> None:
        self._around = around

    async def open_session(self, app: quart.Quart, request: Any) -> SessionMixin | None:
        """The session that the middleware loaded; None on an excluded path."""
        del app
        scope = request.scope
        if not isinstance(scope.get("session"), Session):
            visit = Visit(self._around.app, self._around.front, scope, _nobody, _nobody)
            if visit.excluded:
                return None
            visit.session = scope["session"] = await self._around.manager.load(visit.token(), visit.client)
            scope[_TEST] = visit
        return scope["session"]  # type: ignore[no-any-return]

    async def save_session(self, app: quart.Quart, session: SessionMixin, response: Any) -> None:
        """Nothing: the middleware commits. Raises what the commit does in a test's session transaction."""
        del app, session
        scope: Any = quart.request.scope if quart.has_request_context() else {}
        visit: Visit | None = scope.get(_TEST)
        if visit is None or response is None:
            return
        result = await self._around.manager.commit(visit.session, failed=response.status_code >= 500)
        told = visit.told(visit.session, result, response.status_code)
        for name, value in told.add:
            response.headers.add(name.title(), value)


async def _nobody(*_: Any) -> Any:
    raise RuntimeError("a session transaction neither receives nor sends")


async def _refused(error: CoatcheckError) -> quart.Response:
    """The answer to a fault that a view leaves to us. An application's own handler goes before it."""
    reply = refusal(error, html="text/html" in _current(None).headers.get("accept", ""))
    headers = {name.decode("latin-1").title(): value.decode("latin-1") for name, value in reply.headers}
    return quart.Response(reply.body, reply.status, headers)


async def _websocket_broke(_: quart.Quart, exception: Exception, **__: Any) -> None:
    scope: Any = quart.websocket.scope
    scope[_BROKEN] = exception
