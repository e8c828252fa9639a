"""Sessions for Quart: `quart.session` works unchanged and is a `Session`, in requests and websockets.

    app = Quart(__name__)
    app.config["COATCHECK_STORE"] = "sqlite:///sessions.db"
    Coatcheck(app)

More: docs/frameworks/quart.md
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Unpack, cast

from ..errors import CoatcheckError, ConfigurationError
from ..exchange import ANSWERED
from ..manager import AsyncSessionManager
from ..passage import GateOptions, GateSettings, Passage, in_form, in_query, is_short_form
from ..session import Session
from . import asgi
from .asgi import SessionMiddleware
from .asgi_messages import App, Message, Receive, Scope, Send
from .asgi_visit import Visit

try:
    import quart
    from quart.sessions import SecureCookieSessionInterface, SessionInterface, SessionMixin
    from quart.signals import got_websocket_exception
except ImportError as _error:  # pragma: no cover
    raise ConfigurationError('Quart is missing: pip install "coatcheck[quart]"') from _error

from .flask_config import foreign, set_up
from .flask_session import FlaskSession, NoSession, helpers
from .gate import taking
from .gate import ticket_from as _ticket_from

__all__ = ["Coatcheck", "FlaskSession", "manager_from", "session_from", "ticket_from", "ticket_gate"]

_TEST = "coatcheck.transaction"
_BROKEN = "coatcheck.broken"
_REFUSED = "coatcheck.refused"
_PASSAGE = "coatcheck.passage"

View = Callable[..., Any]
"""A view, whatever it takes and returns."""


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
        self.manager.engine.adopt(FlaskSession)
        if made.owned:
            app.after_serving(self.manager.aclose)
        untyped = cast("Any", app)  # its types are narrower than what it takes
        inside = _Inside(untyped)
        around = SessionMiddleware(inside, self.manager, **made.front)
        untyped.asgi_app = around
        untyped.session_interface = app.extensions["coatcheck"] = Interface(around)
        app.context_processor(partial(helpers, session_from))
        for kind in ANSWERED:
            app.error_handler_spec[None][None].setdefault(kind, _refused)
        got_websocket_exception.connect(_websocket_broke, app)


class _Inside:
    """What is between the middleware and one application: who answers a fault, and what takes a download's ticket."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._inner: App = app.asgi_app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, websocket or lifespan."""
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
            return
        if not isinstance(self._app.session_interface, Interface):
            raise ConfigurationError(foreign(self._app.session_interface))
        taken: Send | None = None

        async def sending(message: Message) -> None:
            nonlocal taken
            if _REFUSED in scope:
                return
            if taken is None and (passage := scope.get(_PASSAGE)):
                taken = taking(scope["coatcheck"].manager, passage, scope, send)
            await (taken or send)(message)

        await self._inner(scope, receive, sending)
        # The middleware answers the one, and must know of the other, which Quart only logs: nothing is committed.
        if error := scope.get(_REFUSED) or scope.get(_BROKEN):
            raise error


def ticket_gate(purpose: str = "download", **settings: Unpack[GateOptions]) -> Callable[[View], View]:
    """A decorator, below `@app.route`: one answer of the view for each ticket of `purpose`, for the session that
    asked for it. `settings` are those of `coatcheck.passage.GateSettings`; `page` gets Quart's request."""
    wanted = GateSettings(purpose, **settings)

    def decorator(view: View) -> View:
        @wraps(view)
        async def gated(*args: Any, **kwargs: Any) -> Any:
            # A proxy; what it stands for is the current request.
            request: Any = quart.request
            scope, manager = request.scope, manager_from()
            passage = scope[_PASSAGE] = Passage(
                wanted,
                manager,
                session_from(),
                request,
                jwt=await _find(request, wanted.parameter),
                method=request.method,
                path=(scope.get("raw_path") or scope["path"].encode()).decode("latin-1"),
                headers=dict(scope["headers"]),
            )
            if reply := await manager.carry_out(passage.opens()):
                return quart.Response(reply.body, reply.status, dict(reply.text_headers))
            scope["coatcheck.ticket"] = passage.ticket
            return await quart.current_app.ensure_async(view)(*args, **kwargs)

        return gated

    return decorator


async def _find(request: Any, parameter: str) -> str:
    """The ticket's text, "" for none. The address loses it: servers log it when the response starts."""
    found = in_query(request.query_string.decode("latin-1"), parameter)
    if found is not None:
        request.scope["query_string"] = request.query_string = found[1].encode("latin-1")
        return found[0]
    if not is_short_form(request.method, request.content_length):
        return ""
    return in_form(await request.get_data(), parameter)


class Interface(SessionInterface):
    """What Quart calls. The middleware does the work, but in a test's session transaction, which does not pass it."""

    null_session_class = NoSession

    def __init__(self, around: SessionMiddleware) -> None:
        self.manager: AsyncSessionManager = around.manager
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
