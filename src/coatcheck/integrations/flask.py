"""Sessions for Flask: an extension under which `flask.session` works unchanged, and is a `Session`.

    app = Flask(__name__)
    app.config["COATCHECK_STORE"] = "sqlite:///sessions.db"
    Coatcheck(app)

More: docs/frameworks/flask.md
"""

from __future__ import annotations

from functools import partial
from typing import Any
from weakref import ref

from ..errors import CoatcheckError, ConfigurationError
from ..exchange import ANSWERED, Front
from ..manager import SessionManager
from ..policy import Policy
from ..replies import refusal
from ..session import Session
from .flask_config import foreign, set_up
from .flask_session import FlaskSession, NoSession, helpers

try:
    import flask
    from flask.globals import request_ctx
    from flask.sessions import SecureCookieSessionInterface, SessionInterface, SessionMixin
except ImportError as _error:  # pragma: no cover
    raise ConfigurationError('Flask is missing: pip install "coatcheck[flask]"') from _error

from . import flask_login
from .flask_gate import make_safe
from .flask_gate import ticket_from as ticket_from
from .flask_gate import ticket_gate as ticket_gate
from .flask_visit import Visit, as_response

__all__ = ["Coatcheck", "FlaskSession", "manager_from", "session_from", "ticket_from", "ticket_gate"]


def session_from(request: flask.Request | None = None) -> Session:
    """The session of a request; None: of the current one.

    Raises `ConfigurationError` where the extension is missing or the path is excluded.
    """
    visit = _interface(flask.current_app).visit(request or flask.request)
    if visit is None or not visit.has_session:
        raise ConfigurationError("no session here: take this path out of COATCHECK_EXCLUDE")
    return visit.session


def manager_from(app: flask.Flask | flask.Request | None = None) -> SessionManager:
    """The manager of an application; None, or a request: of the current one. Raises `ConfigurationError`."""
    return _interface(app if isinstance(app, flask.Flask) else flask.current_app).manager


def _interface(app: flask.Flask) -> Interface:
    found = app.extensions.get("coatcheck")
    if not isinstance(found, Interface):
        raise ConfigurationError("this application has no sessions of ours: call Coatcheck(app)")
    return found


class Coatcheck:
    """The extension. Give it the application, or call `init_app`, when the configuration is there.

    `manager` is a `SessionManager`; without one, `settings` make it, else `COATCHECK_*` in `app.config`, else Flask's
    own settings. The settings are those of `SessionManager` and of `asgi.SessionMiddleware`.
    """

    manager: SessionManager
    """That of the application that was set up last; with several, ask `manager_from()`."""

    def __init__(self, app: flask.Flask | None = None, manager: SessionManager | None = None, **settings: Any) -> None:
        self._given = manager, settings
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Take over the application's sessions. Raises `ConfigurationError` for settings that contradict themselves,
        and where something else has taken them over."""
        manager, given = self._given
        made = set_up(app, SessionManager, manager, given, user_field="_user_id")
        if type(app.session_interface) is not SecureCookieSessionInterface:
            raise ConfigurationError(foreign(app.session_interface))
        self.manager = made.manager
        self.manager.engine.adopt(FlaskSession)
        # PERMANENT_SESSION_LIFETIME is not meant for those who ask to be remembered.
        remember_for = None if made.policy_given else Policy().absolute_timeout
        watch = flask_login.watch(app, remember_for, self.manager.engine.now)
        interface = Interface(Front(made.manager, **made.front), watch)
        app.session_interface = app.extensions["coatcheck"] = interface
        # Before those that are there already: a request from another site must not meet them.
        app.before_request_funcs.setdefault(None, []).insert(0, interface.guard)
        app.teardown_request(interface.teardown)
        app.context_processor(partial(helpers, session_from))
        for kind in ANSWERED:
            app.error_handler_spec[None][None].setdefault(kind, interface.refused)


class Interface(SessionInterface):
    """What Flask calls, for one application."""

    null_session_class = NoSession

    def __init__(self, front: Front[SessionManager], watch: object) -> None:
        self.manager: SessionManager = front.manager
        self._front = front
        self._watch = watch  # signals hold their receivers weakly
        self._checked = False
        # A view may hand its request on to another application of ours, with the same environ.
        self._key = f"coatcheck.visit.{id(self):x}"

    def visit(self, request: flask.Request) -> Visit | None:
        """What became of a request's session so far; None before it was opened."""
        found: Visit | None = request.environ.get(self._key)
        return found

    def open_session(self, app: flask.Flask, request: flask.Request) -> SessionMixin | None:
        """The session of a request, the same one however often it is asked for; None on an excluded path."""
        visit = self.visit(request)
        if visit is None:
            visit = request.environ[self._key] = Visit(self._front, request.environ)
            visit.context = ref(_context())
            if "coatcheck.session" in request.environ:
                visit.refuse(ConfigurationError("two sessions: take out the middleware around this application"))
            else:
                visit.open()
            if flask_login.is_used(app):
                flask_login.take_out(
                    app, request, visit.session if visit.has_session else None, self.manager.engine.now
                )
        return visit.session if visit.has_session else None  # type: ignore[return-value]  # a FlaskSession

    def guard(self) -> flask.Response | None:
        """Before the view: the answer in its place."""
        if not self._checked:
            self._check(flask.current_app)
        request = _context().request
        visit = self.visit(request)
        reply = visit and visit.guard(request.environ)
        return as_response(reply) if reply else None

    def _check(self, app: flask.Flask) -> None:
        """Say at the first request what could not be seen at start-up."""
        if app.session_interface is not self:
            raise ConfigurationError(foreign(app.session_interface))
        if "csrf" in app.extensions and self._front.csrf == "token":
            raise ConfigurationError('two form tokens: take out CSRFProtect, or COATCHECK_CSRF="token"')
        self._checked = True

    def refused(self, error: CoatcheckError) -> flask.Response:
        """The answer to a fault that a view leaves to us. An application's own handler goes before it."""
        visit = self.visit(flask.request)
        if visit is not None:
            visit.failed = True
        return as_response(refusal(error, html=visit is not None and visit.html))

    def save_session(self, app: flask.Flask, session: SessionMixin, response: flask.Response) -> None:
        """Commit, before the response starts."""
        del session  # the visit's
        context = _context()
        if flask_login.is_used(app):
            flask_login.leave_out(app, context.request, response)
        if visit := self._own_visit(context):
            visit.finish(response)
        make_safe(context.request.environ, response)

    def teardown(self, _: BaseException | None) -> None:
        """The request is over."""
        if visit := self._own_visit(_context()):
            visit.teardown()

    def _own_visit(self, context: Any) -> Visit | None:
        """The request's, in the context that it began with: `copy_current_request_context` and a request within the
        request end before it does."""
        visit = self.visit(context.request)
        return visit if visit is not None and visit.context() is context else None


def _context() -> Any:
    """The current one, looked up once: each look through a proxy costs as much as a field of the session."""
    current: Any = request_ctx
    return current._get_current_object()  # noqa: SLF001 (as Flask's documentation of its proxies has it)
