"""The download gate: a view behind a ticket that is used once.

    @app.route("/download", methods=["GET", "POST"])
    @ticket_gate()
    def download():
        return send_file(ticket_from().claims["file"])

The ticket comes in the query (`?ticket=`) or in the field `ticket` of a posted form. `passage` says when it is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

import flask
from flask.typing import ResponseReturnValue

from ..clock import as_datetime
from ..errors import ConfigurationError, StoreUnavailable, TicketError
from ..exchange import CACHE_RULES, environ_headers, environ_path
from ..passage import MAX_FORM, SAFE_HEADERS, Passage, early, in_form, in_query, with_page
from ..replies import Reply
from ..session import Session
from ..tickets import Spent, Ticket, Tickets
from .flask_visit import as_response

Page = Callable[[TicketError, int], str]
"""Makes the HTML of a refusal from the error and the status."""

View = Callable[..., ResponseReturnValue]

_REPLACED = (*SAFE_HEADERS, *CACHE_RULES)
_ADDRESSES = ("QUERY_STRING", "RAW_URI", "REQUEST_URI")


def ticket_from(request: flask.Request | None = None) -> Ticket:
    """The ticket of a request behind the gate; None: of the current one. Raises `ConfigurationError` elsewhere."""
    found = (request or flask.request).environ.get("coatcheck.ticket")
    if not isinstance(found, Ticket):
        raise ConfigurationError("no ticket here: put @ticket_gate() below @app.route(...)")
    return found


def ticket_gate(
    purpose: str = "download",
    *,
    parameter: str = "ticket",
    resume: timedelta = timedelta(minutes=5),
    page: Page | None = None,
    attachment: bool = True,
) -> Callable[[View], View]:
    """A decorator, below `@app.route`: one answer of the view for each ticket of `purpose`, for the session that
    asked for it. The settings are those of `coatcheck.integrations.gate.TicketGate`.

    It is for answers, such as files: of requests that come at once each may run the view, and one gets its answer.
    An action that must happen once calls `manager_from().tickets.redeem` before it acts.
    """

    def decorator(view: View) -> View:
        @wraps(view)
        def gated(*args: Any, **kwargs: Any) -> ResponseReturnValue:
            way = _Way(purpose, parameter, resume, attachment)
            # On whatever answers in the end, the page of an error included.
            flask.after_this_request(way.tell)
            try:
                reply = way.opens()
                if reply is not None:
                    return as_response(reply)
                response = flask.current_app.make_response(flask.current_app.ensure_sync(view)(*args, **kwargs))
                way.take(response)
            except (TicketError, StoreUnavailable) as error:
                answer = way.passage.answer(error)
                if page is not None and isinstance(error, TicketError) and way.passage.html:
                    answer = with_page(answer, page(error, answer.status))
                return as_response(answer)
            return response

        return gated

    return decorator


class _Way:
    """One request on its way through the gate."""

    def __init__(self, purpose: str, parameter: str, resume: timedelta, attachment: bool) -> None:
        environ = flask.request.environ
        self._purpose, self._resume, self._attachment = purpose, resume, attachment
        self._jwt = _find(parameter)
        self._headers = environ_headers(environ)
        self.passage = Passage(environ_path(environ).encode("latin-1"), self._headers, resume)
        self._engine = flask.current_app.extensions["coatcheck"].manager.engine

    @property
    def _tickets(self) -> Tickets:
        tickets: Tickets = flask.current_app.extensions["coatcheck"].manager.tickets
        return tickets

    @property
    def _session(self) -> Session:
        if not isinstance(flask.session, Session):  # what the proxy stands for
            raise ConfigurationError("no session here: take this path out of COATCHECK_EXCLUDE")
        return flask.session

    def opens(self) -> Reply | None:
        """The answer to what never spends a ticket, or None: the view may run. Raises a refusal."""
        if reply := early(flask.request.method, self._headers):
            return reply
        try:
            self.passage.ticket = self._tickets.peek(self._jwt, self._purpose, self._session, resume=self._resume)
        except Spent as error:
            if not self._seen(error):
                raise
        if flask.request.method == "HEAD":
            return Reply(200, [], b"")
        flask.request.environ["coatcheck.ticket"] = self.passage.ticket
        return None

    def take(self, response: flask.Response) -> None:
        """Spend the ticket on a success. Raises what then goes out in place of the response."""
        try:
            if self.passage.step(response.status_code) == "redeem":
                self._redeem(response.status_code)
        except BaseException:
            response.close()  # it may hold an open file
            raise

    def _redeem(self, status: int) -> None:
        note = self.passage.note
        try:
            self._tickets.redeem(self._jwt, self._purpose, self._session, note=note, resume=self._resume)
        except Spent as error:
            # Of parallel ranges one came first; the others resume.
            if not self._seen(error):
                raise
            self.passage.step(status)

    def _seen(self, error: Spent) -> bool:
        return self.passage.seen(error, as_datetime(self._engine.now()))

    def tell(self, response: flask.Response) -> flask.Response:
        """What every answer has."""
        headers = response.headers
        for name in {name for name, _ in headers if name.lower().endswith(_REPLACED)}:
            headers.remove(name)
        for name, value in SAFE_HEADERS.items():
            headers[name.title()] = value
        opened = "coatcheck.ticket" in flask.request.environ
        if opened and self._attachment and self.passage.attaches(response.status_code, set()):
            # `send_file` says "inline" unless it is told otherwise: a page that somebody uploaded would be shown.
            said = headers.get("Content-Disposition", "attachment")
            headers["Content-Disposition"] = re.sub(r"(?i)^\s*inline\b", "attachment", said)
        return response


def _find(parameter: str) -> str:
    """The ticket's text, "" for none. The address loses it: servers log it when the response starts."""
    request, environ = flask.request, flask.request.environ
    found = in_query(environ.get("QUERY_STRING", ""), parameter)
    if found is not None:
        for name in _ADDRESSES:
            path, mark, query = str(environ.get(name, "")).rpartition("?")
            if name in environ and (again := in_query(query, parameter)):
                environ[name] = f"{path}{mark}{again[1]}"
        request.query_string = environ["QUERY_STRING"].encode("latin-1")
        return found[0]
    length = request.content_length
    if request.method != "POST" or length is None or length > MAX_FORM:
        return ""
    return in_form(request.get_data(), parameter)
