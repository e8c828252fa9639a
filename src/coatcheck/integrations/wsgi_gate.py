"""The download gate: a WSGI application behind a ticket that is used once.

    mounts["/download"] = TicketGate(send_file)

The ticket comes in the query (`?ticket=`) or in the field `ticket` of a posted form, which keeps it out of
every log (ASVS 14.2.1). `passage` says when it is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from ..clock import as_datetime
from ..errors import ConfigurationError, StoreUnavailable, TicketError
from ..exchange import CACHE_RULES, environ_headers, environ_path
from ..passage import MAX_FORM, SAFE_HEADERS, Passage, early, in_form, in_query, with_page
from ..replies import Reply
from ..tickets import Spent, Ticket
from .wsgi import environ_of, manager_from, session_from
from .wsgi_input import Ahead
from .wsgi_response import App, Environ, Headers, Response, StartResponse, answer

Page = Callable[[Environ, TicketError, int], str]
"""Makes the HTML of a refusal from the request's environ, the error and the status."""

_REPLACED = (*SAFE_HEADERS, *CACHE_RULES)
_SAFE = [(name.title(), value) for name, value in SAFE_HEADERS.items()]


def ticket_from(request: Any) -> Ticket:
    """The ticket of a request behind the gate. Raises `ConfigurationError` anywhere else."""
    found = environ_of(request).get("coatcheck.ticket")
    if not isinstance(found, Ticket):
        raise ConfigurationError("no ticket here: put a TicketGate around this application")
    return found


class TicketGate:
    """Lets one answer of `app` out for each ticket of `purpose`, for the session that asked for it.

    It is for answers, such as files: of requests that come at once each may run `app`, and one gets its answer. An
    action that must happen once (a payment, a confirmation) calls `manager.tickets.redeem` before it acts.

    * `resume`: for so long after the first use, that session may fetch the same path by Range, in parallel too,
      also when the ticket has expired meanwhile.
    * `page`: makes your own page of a refusal; None, a plain one that says what happened and what to do.
    * `attachment`: send the file as a download unless the application says otherwise (ASVS 3.2.1).
    """

    def __init__(
        self,
        app: App,
        purpose: str = "download",
        *,
        parameter: str = "ticket",
        resume: timedelta = timedelta(minutes=5),
        page: Page | None = None,
        attachment: bool = True,
    ) -> None:
        self.app = app
        self.purpose = purpose
        self.parameter = parameter
        self.resume = resume
        self.page = page
        self.attachment = attachment

    def __call__(self, environ: Environ, start_response: StartResponse, /) -> Iterable[bytes]:
        """Serve one request."""
        way = _Way(self, environ, start_response)
        reply = way.stops()
        return answer(environ, start_response, safe(reply)) if reply else way.run(self.app)


class _Way(Response):
    """One request on its way through the gate."""

    jwt = ""

    def __init__(self, gate: TicketGate, environ: Environ, start_response: StartResponse) -> None:
        super().__init__(environ, start_response)
        self.gate = gate
        self.request_headers = environ_headers(environ)
        self.passage = Passage(environ_path(environ).encode(), self.request_headers, gate.resume)

    def stops(self) -> Reply | None:
        """The answer to a request that the application does not see; None: its ticket is good."""
        method, gate = self.environ["REQUEST_METHOD"], self.gate
        self.jwt = self._find(method)
        if reply := early(method, self.request_headers):
            return reply
        self.manager, self.session = manager_from(self.environ), session_from(self.environ)
        try:
            ticket = self.manager.tickets.peek(self.jwt, gate.purpose, self.session, resume=gate.resume)
        except (TicketError, StoreUnavailable) as error:
            if not (isinstance(error, Spent) and self._seen(error)):
                return self._refusal(error)
        else:
            self.passage.ticket = ticket
        if method == "HEAD":
            return Reply(200, [], b"")
        self.environ["coatcheck.ticket"] = self.passage.ticket
        return None

    def _find(self, method: str) -> str:
        """The ticket's text, "" for none. The address loses it: servers log it when the response is over."""
        environ, parameter, jwt = self.environ, self.gate.parameter, None
        if found := in_query(environ.get("QUERY_STRING", ""), parameter):
            jwt, environ["QUERY_STRING"] = found
        for name in ("RAW_URI", "REQUEST_URI"):
            path, mark, query = str(environ.get(name, "")).partition("?")
            if mark and (hidden := in_query(query, parameter)):
                environ[name] = f"{path}?{hidden[1]}"
        if jwt is not None or method != "POST":
            return jwt or ""
        body, held = Ahead(environ), b""
        while len(held) <= MAX_FORM and (chunk := body.look(MAX_FORM + 1 - len(held))):
            held += chunk
        return in_form(held, parameter)

    def _seen(self, error: Spent) -> bool:
        return self.passage.seen(error, as_datetime(self.manager.engine.now()))

    # -- the response's turns ----------------------------------------------------------------------------

    def begins(self, status: int, headers: Headers) -> Headers | Reply:
        """The ticket is taken before the application's success goes out."""
        try:
            self._take(status)
        except (TicketError, StoreUnavailable) as error:
            return safe(self._refusal(error))
        own = [pair for pair in headers if not pair[0].lower().endswith(_REPLACED)]
        if self.gate.attachment and self.passage.attaches(status, {name.lower() for name, _ in own}):
            own.append(("Content-Disposition", "attachment"))
        return own + _SAFE

    def _take(self, status: int) -> None:
        """Spend the ticket on a success. Raises what then goes out in place of the response."""
        if self.passage.step(status) == "redeem":
            gate, note = self.gate, self.passage.note
            try:
                self.manager.tickets.redeem(self.jwt, gate.purpose, self.session, note=note, resume=gate.resume)
            except Spent as error:
                # Of parallel ranges one came first; the others resume.
                if not self._seen(error):
                    raise
                self.passage.step(status)

    def failed_with(self, _error: BaseException, /) -> Reply | None:
        """What the application raises is not the gate's."""
        return None

    def ends(self) -> None:
        """Nothing is left to do."""

    def _refusal(self, error: TicketError | StoreUnavailable) -> Reply:
        reply, page = self.passage.answer(error), self.gate.page
        if page is not None and isinstance(error, TicketError) and self.passage.html:
            reply = with_page(reply, page(self.environ, error, reply.status))
        return reply


def safe(reply: Reply) -> Reply:
    """An answer with the headers that every one of the gate's has."""
    kept = [pair for pair in reply.headers if pair[0].decode() not in SAFE_HEADERS]
    return reply._replace(headers=[*kept, *((name.encode(), value.encode()) for name, value in SAFE_HEADERS.items())])
