"""The download gate: a view behind a ticket that is used once.

    @app.route("/download", methods=["GET", "POST"])
    @ticket_gate()
    def download():
        return send_file(ticket_from().claims["file"])

The ticket comes in the query (`?ticket=`) or in the field `ticket` of a posted form. `passage` says when it is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Unpack

import flask
from flask.typing import ResponseReturnValue

from ..errors import ConfigurationError
from ..incoming import environ_headers, environ_path
from ..manager import SessionManager
from ..passage import GateOptions, GateSettings, Passage, in_environ, in_form, is_short_form
from ..session import Session
from ..tickets import Ticket
from .flask_visit import as_response

View = Callable[..., ResponseReturnValue]

_PASSAGE = "coatcheck.passage"


def ticket_from(request: flask.Request | None = None) -> Ticket:
    """The ticket of a request behind the gate; None: of the current one. Raises `ConfigurationError` elsewhere."""
    found = (request or flask.request).environ.get("coatcheck.ticket")
    if not isinstance(found, Ticket):
        raise ConfigurationError("no ticket here: put @ticket_gate() below @app.route(...)")
    return found


def ticket_gate(purpose: str = "download", **settings: Unpack[GateOptions]) -> Callable[[View], View]:
    """A decorator, below `@app.route`: one answer of the view for each ticket of `purpose`, for the session that
    asked for it. `settings` are those of `coatcheck.passage.GateSettings`; `page` gets Flask's request."""
    wanted = GateSettings(purpose, **settings)

    def decorator(view: View) -> View:
        @wraps(view)
        def gated(*args: Any, **kwargs: Any) -> ResponseReturnValue:
            app, manager, passage = flask.current_app, _manager(), _passage(wanted)
            # For whatever answers in the end, the page of an error included: see `make_safe`.
            flask.request.environ[_PASSAGE] = passage
            if reply := manager.carry_out(passage.opens()):
                return as_response(reply)
            flask.request.environ["coatcheck.ticket"] = passage.ticket
            response = app.make_response(app.ensure_sync(view)(*args, **kwargs))
            try:
                reply = manager.carry_out(passage.takes(response.status_code))
            except BaseException:
                response.close()  # it may hold an open file
                raise
            if reply is not None:
                response.close()
                return as_response(reply)
            return response

        return gated

    return decorator


def make_safe(environ: dict[str, Any], response: flask.Response) -> None:
    """Give a response behind the gate its headers, after all that the application says of it."""
    passage = environ.get(_PASSAGE)
    if isinstance(passage, Passage):
        safe = passage.headers(response.status_code, response.headers)
        response.headers.clear()
        response.headers.extend(safe)


def _manager() -> SessionManager:
    manager: SessionManager = flask.current_app.extensions["coatcheck"].manager
    return manager


def _passage(settings: GateSettings) -> Passage:
    """That of the current request."""
    environ = flask.request.environ
    if not isinstance(flask.session, Session):  # what the proxy stands for
        raise ConfigurationError("no session here: take this path out of COATCHECK_EXCLUDE")
    return Passage(
        settings,
        _manager(),
        flask.session,
        flask.request,
        jwt=_find(settings.parameter),
        method=flask.request.method,
        path=environ_path(environ),
        headers=environ_headers(environ),
    )


def _find(parameter: str) -> str:
    """The ticket's text, "" for none."""
    request = flask.request
    found = in_environ(request.environ, parameter)
    if found is not None:
        request.query_string = request.environ["QUERY_STRING"].encode("latin-1")
        return found
    if not is_short_form(request.method, request.content_length):
        return ""
    return in_form(request.get_data(), parameter)
