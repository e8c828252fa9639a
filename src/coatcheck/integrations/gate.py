"""The download gate: an ASGI application behind a ticket that is used once.

    Route("/download", TicketGate(send_file), methods=["GET", "POST"])

The ticket comes in the query (`?ticket=`) or in the field `ticket` of a posted form, which keeps it out of
every log (ASVS 14.2.1). `passage` says when it is taken.
"""

from __future__ import annotations

from typing import Any, Unpack

from ..errors import ConfigurationError
from ..manager import AsyncSessionManager
from ..passage import MAX_FORM, GateOptions, GateSettings, Passage, in_form, in_query
from ..replies import Reply
from ..tickets import Ticket
from .asgi import manager_from, session_from
from .asgi_messages import App, Message, Receive, Scope, Send, keep
from .asgi_visit import POLICY_VIOLATION


def ticket_from(request: Any) -> Ticket:
    """The ticket of a request behind the gate. Raises `ConfigurationError` anywhere else."""
    found = getattr(request, "scope", request).get("coatcheck.ticket")
    if not isinstance(found, Ticket):
        raise ConfigurationError("no ticket here: put a TicketGate around this application")
    return found


class TicketGate:
    """Lets one answer of `app` out for each ticket of `purpose`, for the session that asked for it.

    `settings` are those of `coatcheck.passage.GateSettings`; `page` gets the request's scope.
    """

    def __init__(self, app: App, purpose: str = "download", **settings: Unpack[GateOptions]) -> None:
        self.app = app
        self.settings: GateSettings = GateSettings(purpose, **settings)

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
        jwt, receive = await self._find(scope, receive)
        manager = manager_from(scope)
        passage = Passage(
            self.settings,
            manager,
            session_from(scope),
            scope,
            jwt=jwt,
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1") if scope.get("raw_path") else scope["path"],
            headers=dict(scope["headers"]),
        )
        if reply := await manager.carry_out(passage.opens()):
            await _answer(scope, send, reply)
            return
        scope["coatcheck.ticket"] = passage.ticket
        await self.app(scope, receive, taking(manager, passage, scope, send))

    def _in_address(self, scope: Scope) -> str | None:
        """The ticket in the address, which loses it: servers log it when the response starts."""
        found = in_query(scope.get("query_string", b"").decode("latin-1"), self.settings.parameter)
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

        return in_form(body, self.settings.parameter), replay


def taking(manager: AsyncSessionManager, passage: Passage, scope: Scope, send: Send) -> Send:
    """A `send` for the application: the ticket is taken before its success goes out."""
    refused = False

    async def sending(message: Message) -> None:
        nonlocal refused
        if message["type"] == "http.response.start":
            if reply := await manager.carry_out(passage.takes(message["status"])):
                refused = True
                await _answer(scope, send, reply)
            else:
                await send(_made_safe(message, passage))
        elif not refused:
            await send(message)

    return sending


def _made_safe(start: Message, passage: Passage) -> Message:
    own = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in start.get("headers") or ())
    safe = passage.headers(start["status"], own)
    return {**start, "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in safe]}


async def _answer(scope: Scope, send: Send, reply: Reply) -> None:
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})
