"""The download gate: an ASGI application behind a ticket that is used once.

    Route("/download", TicketGate(send_file), methods=["GET", "POST"])

The ticket comes in the query (`?ticket=`) or in the field `ticket` of a posted form, which keeps it out of
every log (ASVS 14.2.1). It is taken when the application's response starts, and only if that is a success:
an error before it leaves the ticket whole. HEAD, OPTIONS and prefetches never spend one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

from ..clock import as_datetime
from ..errors import (
    ConfigurationError,
    StoreUnavailable,
    TicketError,
    TicketExpired,
    TicketInvalid,
    TicketRevoked,
    TicketSpent,
)
from ..replies import Reply, refusal, reply
from ..tickets import Spent, Ticket
from .asgi import manager_from, session_from
from .asgi_visit import POLICY_VIOLATION, App, Message, Receive, Scope, Send, keep

Page = Callable[[Scope, TicketError, int], str]
"""Makes the HTML of a refusal from the request's scope, the error and the status."""

MAX_FORM = 16_384
"""Bytes of a posted form that are read for its ticket."""

_SAFE_HEADERS = {
    b"referrer-policy": b"no-referrer",  # the ticket is in the address of the page that links on
    b"cache-control": b"no-store",
    b"x-content-type-options": b"nosniff",
}

_TITLES: dict[type[TicketError], tuple[int, str]] = {
    TicketInvalid: (403, "This link is not for you"),
    TicketExpired: (410, "This link has expired"),
    TicketSpent: (410, "This link was used before"),
    TicketRevoked: (410, "This link is no longer good"),
}


def ticket_from(request: Any) -> Ticket:
    """The ticket of a request behind the gate. Raises `ConfigurationError` anywhere else."""
    found = getattr(request, "scope", request).get("coatcheck.ticket")
    if not isinstance(found, Ticket):
        raise ConfigurationError("no ticket here: put a TicketGate around this application")
    return found


class TicketGate:
    """Lets a request through to `app` once for each ticket of `purpose`, for the session that asked for it.

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
        if scope["type"] != "http":
            # Whoever connects must not be able to raise an error here.
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        headers = dict(scope["headers"])
        if scope["method"] == "OPTIONS":
            await _answer(send, Reply(204, [(b"allow", b"GET, HEAD, POST, OPTIONS")], b""))
            return
        jwt, receive = await self._find(scope, receive)
        purposes = headers.get(b"sec-purpose", b"") + headers.get(b"purpose", b"") + headers.get(b"x-moz", b"")
        if b"prefetch" in purposes.lower():
            # A success would be kept for the click that follows, which then never reaches us.
            await _answer(send, reply(503, "Not before it is asked for", "Prefetching would use this link up."))
            return
        passage = _Passage(self, scope, send, headers, jwt)
        if await passage.opens() and scope["method"] == "HEAD":
            await _answer(send, Reply(200, [], b""))
        elif passage.ticket is not None:
            scope["coatcheck.ticket"] = passage.ticket
            await self.app(scope, receive, passage.sending)

    async def _find(self, scope: Scope, receive: Receive) -> tuple[str, Receive]:
        """The ticket's text ("" for none), and a `receive` that gives the application the whole request."""
        query = scope.get("query_string", b"").decode("latin-1")
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=100) if query.count("&") < 100 else []
        found = [value for name, value in pairs if name == self.parameter]
        if found:
            # Servers log the address at the response's start: by then the credential is out of it.
            kept = [(name, "-" if name == self.parameter else value) for name, value in pairs]
            scope["query_string"] = urlencode(kept).encode("ascii")
            return (found[0] if len(found) == 1 else ""), receive
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

        if len(body) > MAX_FORM or body.count(b"&") >= 100:
            return "", replay
        values = parse_qs(body.decode("latin-1"), max_num_fields=100).get(self.parameter, [])
        return (values[0] if len(values) == 1 else ""), replay


class _Passage:
    """One request on its way through the gate."""

    def __init__(self, gate: TicketGate, scope: Scope, send: Send, headers: dict[bytes, bytes], jwt: str) -> None:
        self.gate, self.scope, self.send, self.headers, self.jwt = gate, scope, send, headers, jwt
        self.tickets = manager_from(scope).tickets
        self.session = session_from(scope)
        self.ticket: Ticket | None = None
        self.resuming: Spent | None = None
        self.refused = False
        path = scope.get("raw_path") or scope["path"].encode()
        self.note = sha256(path).hexdigest()[:32]

    async def opens(self) -> bool:
        """Whether the ticket is good for this request; else it has been answered."""
        try:
            self.ticket = await self.tickets.peek(self.jwt, self.gate.purpose, self.session, resume=self.gate.resume)
        except Spent as error:
            if not self._may_resume(error):
                await self._refuse(error)
                return False
            self.ticket, self.resuming = error.ticket, error
        except (TicketError, StoreUnavailable) as error:
            await self._refuse(error)
            return False
        return True

    def _may_resume(self, error: Spent) -> bool:
        """The session that used it goes on with the same resource, by Range, soon after."""
        return (
            error.ticket is not None
            and error.note == self.note
            and b"range" in self.headers
            and error.used_at is not None
            and self._now() - error.used_at <= self.gate.resume
        )

    def _now(self) -> datetime:
        return as_datetime(manager_from(self.scope).engine.now())

    async def sending(self, message: Message) -> None:
        """What the application sends; the ticket is taken before its success goes out."""
        if self.refused:
            return
        if message["type"] == "http.response.start":
            status = message["status"]
            error = await self._take(status)
            if error is not None:
                self.refused = True
                await self._refuse(error)
                return
            message = {**message, "headers": self._headers(message, status)}
        await self.send(message)

    async def _take(self, status: int) -> TicketError | StoreUnavailable | None:
        """Spend the ticket on a success; the error if that fails, and the response must not go out."""
        if self.resuming is None:
            if status >= 400 or status == 304:
                return None
            try:
                gate = self.gate
                await self.tickets.redeem(self.jwt, gate.purpose, self.session, note=self.note, resume=gate.resume)
            except Spent as error:
                # Of parallel ranges one came first; the others resume.
                if not self._may_resume(error):
                    return error
                self.resuming = error
            except (TicketError, StoreUnavailable) as error:
                return error
        # A whole file would be a second download: If-Range failed, or the application ignores Range.
        return None if self.resuming is None or status in (206, 416) or status >= 500 else self.resuming

    def _headers(self, message: Message, status: int) -> list[tuple[bytes, bytes]]:
        own = [pair for pair in message.get("headers") or () if pair[0].lower() not in _SAFE_HEADERS]
        own += _SAFE_HEADERS.items()
        names = {name.lower() for name, _ in own}
        if self.gate.attachment and status in (200, 206) and b"content-disposition" not in names:
            own.append((b"content-disposition", b"attachment"))
        return own

    async def _refuse(self, error: TicketError | StoreUnavailable) -> None:
        html = b"text/html" in self.headers.get(b"accept", b"")
        if isinstance(error, StoreUnavailable):
            await _answer(self.send, refusal(error, html=html))
            return
        kind = next(kind for kind in _TITLES if isinstance(error, kind))
        status, title = _TITLES[kind]
        text = str(error)
        answer = reply(status, title, text[:1].upper() + text[1:], html=html)
        if html and self.gate.page is not None:
            body = self.gate.page(self.scope, error, status).encode()
            kept = [(name, value) for name, value in answer.headers if name != b"content-length"]
            answer = Reply(status, [*kept, (b"content-length", str(len(body)).encode())], body)
        await _answer(self.send, answer, head=self.scope["method"] == "HEAD")


async def _answer(send: Send, answer: Reply, head: bool = False) -> None:
    kept = [pair for pair in answer.headers if pair[0] not in _SAFE_HEADERS]
    await send({"type": "http.response.start", "status": answer.status, "headers": [*kept, *_SAFE_HEADERS.items()]})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})
