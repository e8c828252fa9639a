"""Sessions for Flask: an extension under which `flask.session` works unchanged, and is a `Session`.

app = Flask(__name__)
app.config["COATCHECK_STORE"] = "sqlite:///sessions.db"
Coatcheck(app)
"""

from __future__ import annotations

from functools import partial
from typing import Any

from ..errors import CoatcheckError, ConfigurationError
from ..exchange import ANSWERED, Front
from ..manager import SessionManager
from ..policy import Policy
from ..replies import refusal
from ..session import Session
from .flask_config import foreign, set_up
from .flask_session import FlaskSession, NoSession, adopt, helpers

try:
    import flask
    from flask.sessions import SecureCookieSessionInterface, SessionInterface, SessionMixin
except ImportError as error:  # pragma: no cover
    raise ConfigurationError('Flask is missing: pip install "coatcheck[flask]"') from error

from . import flask_login
from .flask_gate import ticket_from as ticket_from
from .flask_gate import ticket_gate as ticket_gate
from .flask_visit import Visit, as_response

__all__ = ["Coatcheck", "FlaskSession", "manager_from", "session_from", "ticket_from", "ticket_gate"]

VISIT = "coatcheck.visit"


def session_from(request: flask.Request | None = None) -> Session:
    """The session of a request; None: of the current one.

    Raises `ConfigurationError` where the extension is missing or the path is excluded.
    """
    visit = (request or flask.request).environ.get(VISIT)
    if not isinstance(visit, Visit) or visit.session is None:
        raise ConfigurationError("no session here: call Coatcheck(app), or take this path out of COATCHECK_EXCLUDE")
    return visit.session


def manager_from(app: flask.Flask | flask.Request | None = None) -> SessionManager:
    """The manager of an application; None, or a request: of the current one. Raises `ConfigurationError`."""
    application = app if isinstance(app, flask.Flask) else flask.current_app
    found = application.extensions.get("coatcheck")
    if not isinstance(found, Coatcheck):
        raise ConfigurationError("no session manager here: call Coatcheck(app)")
    return found.manager


class Coatcheck:
    """The extension. Give it the application, or call `init_app`, when the configuration is there.

    `manager` is a `SessionManager`; without one, `settings` make it, else `COATCHECK_*` in `app.config`, else Flask's
    own settings. The settings are those of `SessionManager` and of `asgi.SessionMiddleware`.
    """

    manager: SessionManager
    front: Front[SessionManager]

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
        self.manager, self.front = made.manager, Front(made.manager, **made.front)
        adopt(self.manager.engine)
        app.extensions["coatcheck"] = self
        app.session_interface = self._interface = Interface(self.front)
        self._checked = False
        # Before those that are there already: a request from another site must not meet them.
        app.before_request_funcs.setdefault(None, []).insert(0, self._guard)
        app.teardown_request(self._teardown)
        app.context_processor(partial(helpers, session_from))
        for kind in ANSWERED:
            app.error_handler_spec[None][None].setdefault(kind, self._refused)
        # PERMANENT_SESSION_LIFETIME is not meant for those who ask to be remembered.
        self._watch = flask_login.watch(app, None if made.policy_given else Policy().absolute_timeout)

    def _guard(self) -> flask.Response | None:
        """The answer in place of the view's."""
        app = flask.current_app
        if not self._checked:
            if app.session_interface is not self._interface:
                raise ConfigurationError(foreign(app.session_interface))
            if "csrf" in app.extensions and self.front.csrf == "token":
                raise ConfigurationError('two form tokens: take out CSRFProtect, or COATCHECK_CSRF="token"')
            self._checked = True
        visit = flask.request.environ[VISIT]
        reply = visit.guard(flask.request.environ)
        return None if reply is None else as_response(reply)

    @staticmethod
    def _teardown(_: BaseException | None) -> None:
        if isinstance(visit := flask.request.environ.get(VISIT), Visit):
            visit.teardown()

    @staticmethod
    def _refused(error: CoatcheckError) -> flask.Response:
        """The answer to a fault that a view leaves to us. An application's own handler goes before it."""
        visit = flask.request.environ[VISIT]
        visit.failed = True
        return as_response(refusal(error, html=visit.html))


class Interface(SessionInterface):
    """What Flask calls."""

    null_session_class = NoSession

    def __init__(self, front: Front[SessionManager]) -> None:
        self._front = front

    def open_session(self, app: flask.Flask, request: flask.Request) -> SessionMixin | None:
        """The session of a request, the same one however often it is asked for; None on an excluded path."""
        environ = request.environ
        visit = environ.get(VISIT)
        if not isinstance(visit, Visit) or visit.front is not self._front:
            visit = environ[VISIT] = Visit(self._front, environ)
            if "coatcheck.session" in environ:
                visit.refuse(ConfigurationError("two sessions: take out the middleware around this application"))
            else:
                visit.open()
            if flask_login.is_used(app):
                flask_login.take_out(app, request)
        return visit.session  # type: ignore[return-value]  # a FlaskSession: see `adopt`

    def save_session(self, app: flask.Flask, session: SessionMixin, response: flask.Response) -> None:
        """Commit, before the response starts."""
        del session  # the visit's
        if flask_login.is_used(app):
            flask_login.leave_out(app, flask.request, response)
        flask.request.environ[VISIT].finish(response)
