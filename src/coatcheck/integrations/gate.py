"""The download gate: an ASGI application behind a ticket that is used once.

    Route("/download", TicketGate(send_file), methods=["GET", "POST"])

The ticket comes in the query (`?ticket=`) or in the field `ticket` of a posted form, which keeps it out of
every log (ASVS 14.2.1). `passage` says when it is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from ..clock import as_datetime
from ..errors import ConfigurationError, StoreUnavailable, TicketError
from ..exchange import CACHE_RULES
from ..passage import MAX_FORM, SAFE_HEADERS, Passage, early, in_form, in_query, with_page
from ..replies import Reply
from ..tickets import Spent, Ticket
from .asgi import manager_from, session_from
from .asgi_visit import POLICY_VIOLATION, App, Message, Receive, Scope, Send, keep

Page = Callable[[Scope, TicketError, int], str]
"""Makes the HTML of a refusal from the request's scope, the error and the status."""

_SAFE = {name.encode(): value.encode() for name, value in SAFE_HEADERS.items()}
_REPLACED = (*_SAFE, *(name.encode() for name in CACHE_RULES))


def ticket_from(request: Any) -> Ticket:
    """The ticket of a request behind the gate. Raises `ConfigurationError` anywhere else."""
    found = getattr(request, "scope", request).get("coatcheck.ticket")
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":
            # Whoever connects must not be able to raise an error here, nor to leave a ticket in the server's log.
            self._in_address(scope)
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if scope["method"] == "OPTIONS":
            await _answer(send, early("OPTIONS", headers) or Reply(204, [], b""))
            return
        jwt, receive = await self._find(scope, receive)
        if reply := early(scope["method"], headers):
            await _answer(send, reply)
            return
        way = _Way(self, scope, send, headers, jwt)
        if await way.opens() and scope["method"] == "HEAD":
            await _answer(send, Reply(200, [], b""))
        elif way.passage.ticket is not None:
            scope["coatcheck.ticket"] = way.passage.ticket
            await self.app(scope, receive, way.sending)

    def _in_address(self, scope: Scope) -> str | None:
        """The ticket in the address, which loses it: servers log it when the response starts."""
        found = in_query(scope.get("query_string", b"").decode("latin-1"), self.parameter)
        if found is None:
            return None
        scope["query_string"] = found[1].encode("latin-1")
        return found[0]

    async def _find(self, scope: Scope, receive: Receive) -> tuple[str, Receive]:
        """The ticket's text ("" for none), and a `receive` that gives the application the whole request."""
        found = self._in_address(scope)
        if found is not None:
            return found, receive
        if scope["method"] != "POST":
            return "", receive
        held: list[Message] = []
        body = b""
        while len(body) <= MAX_FORM:
            message = await receive()
            keep(held, message)
            body += message.get("body", b"")
            if message["type"] != "http.request" or not message.get("more_body", False):
                break
        held.reverse()

        async def replay() -> Message:
            return held.pop() if held else await receive()

        return in_form(body, self.parameter), replay


class _Way:
    """One request on its way through the gate."""

    def __init__(self, gate: TicketGate, scope: Scope, send: Send, headers: dict[bytes, bytes], jwt: str) -> None:
        self.gate, self.scope, self.send, self.jwt = gate, scope, send, jwt
        self.manager = manager_from(scope)
        self.session = session_from(scope)
        self.passage = Passage(scope.get("raw_path") or scope["path"].encode(), headers, gate.resume)
        self.refused = False

    async def opens(self) -> bool:
        """Whether the ticket is good for this request; else it has been answered."""
        gate, tickets = self.gate, self.manager.tickets
        try:
            self.passage.ticket = await tickets.peek(self.jwt, gate.purpose, self.session, resume=gate.resume)
        except (TicketError, StoreUnavailable) as error:
            if not (isinstance(error, Spent) and self._seen(error)):
                await self._refuse(error)
                return False
        return True

    def _seen(self, error: Spent) -> bool:
        return self.passage.seen(error, as_datetime(self.manager.engine.now()))

    async def sending(self, message: Message) -> None:
        """What the application sends; the ticket is taken before its success goes out."""
        if self.refused:
            return
        if message["type"] == "http.response.start":
            status = message["status"]
            try:
                await self._take(status)
            except (TicketError, StoreUnavailable) as error:
                self.refused = True
                await self._refuse(error)
                return
            message = {**message, "headers": self._headers(message, status)}
        await self.send(message)

    async def _take(self, status: int) -> None:
        """Spend the ticket on a success. Raises what then goes out in place of the response."""
        if self.passage.step(status) == "redeem":
            gate, note = self.gate, self.passage.note
            try:
                await self.manager.tickets.redeem(self.jwt, gate.purpose, self.session, note=note, resume=gate.resume)
            except Spent as error:
                # Of parallel ranges one came first; the others resume.
                if not self._seen(error):
                    raise
                self.passage.step(status)

    def _headers(self, message: Message, status: int) -> list[tuple[bytes, bytes]]:
        own = [pair for pair in message.get("headers") or () if not pair[0].lower().endswith(_REPLACED)]
        names = {name.lower().decode("latin-1") for name, _ in own}
        if self.gate.attachment and self.passage.attaches(status, names):
            own.append((b"content-disposition", b"attachment"))
        return [*own, *_SAFE.items()]

    async def _refuse(self, error: TicketError | StoreUnavailable) -> None:
        answer, page = self.passage.answer(error), self.gate.page
        if page is not None and isinstance(error, TicketError) and self.passage.html:
            answer = with_page(answer, page(self.scope, error, answer.status))
        await _answer(self.send, answer, head=self.scope["method"] == "HEAD")


async def _answer(send: Send, answer: Reply, head: bool = False) -> None:
    kept = [pair for pair in answer.headers if pair[0] not in _SAFE]
    await send({"type": "http.response.start", "status": answer.status, "headers": [*kept, *_SAFE.items()]})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})
