"""One request or websocket on its way through `asgi.SessionMiddleware`."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable

from ..arrival import aarrive
from ..csrf import SCAN_LIMIT, TokenScanner
from ..departure import asettle, astore, has_more, on_asyncio
from ..engine import KEEP
from ..exchange import ANSWERED, CACHE_RULES, Exchange, Front, Told
from ..incoming import joined
from ..manager import AsyncSessionManager
from ..replies import Reply, refusal
from ..streams import EVENTS, Guard
from ..watch import ENDED, WORDS
from .asgi_messages import App, Message, Receive, Scope, Send, keep

POLICY_VIOLATION = 1008
TRY_AGAIN = 1013

_CACHE_RULES = tuple(name.encode() for name in CACHE_RULES)
_EVENTS = EVENTS.encode()
_STARTS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
_ENDS = frozenset({"http.response.body", "websocket.close"})


class Visit(Exchange[AsyncSessionManager]):
    """One request or websocket on its way through the middleware."""

    def __init__(self, app: App, front: Front[AsyncSessionManager], scope: Scope, receive: Receive, send: Send) -> None:
        self.app: App = app
        self.scope: Scope = scope
        self.receive: Receive = receive
        self.send: Send = send
        raw: bytes | None = scope.get("raw_path")
        peer = scope.get("client")
        # Neither `super()` (before Python 3.12) nor names: each costs as much as what is called.
        Exchange.__init__(
            self,
            front,
            joined(scope["headers"]),
            scope.get("method", "GET"),
            # As it was sent: a decoded or rebuilt path may match what the router does not.
            raw.decode("latin-1") if raw else str(scope["path"]),
            scope.get("scheme", "http"),
            peer[0] if peer else None,
            scope["type"] == "websocket",
        )
        self.started: bool = False
        self.answered: bool = False
        self.failed: bool = True
        """Until a response below 500 starts."""
        self.spoiled: bool = False
        """Whether it has failed whatever the status."""
        self.error: Exception | None = None
        self.guard: Guard | None = None
        """While a websocket or a stream of events is open, who closes it with its session."""

    def serve(self) -> Awaitable[None]:
        """Answer where the application must not see the request; else let it."""
        if self.unsafe and (reply := self.from_elsewhere()):
            return self.answer(reply)
        return self.app(self.scope, self.receive, self.send) if self.excluded else self.run()

    def gather(self) -> None:
        """Before a commit: where a framework has its own ways to change a session, do what they did to it. Never
        raises."""

    # -- before the application --------------------------------------------------------------------------

    def opened(self) -> None:
        """Show the application its session."""
        self.scope["session"], self.scope["coatcheck"] = self.session, self.front

    async def has_token(self) -> bool:
        """Whether a request that needs the form's token has it; else it was answered."""
        if not self.asks_token(self.session):
            return True
        reply = self.without_token(self.session, self.token_in_header or await self._token_in_body())
        if reply:
            await self.answer(reply)
        return reply is None

    async def _token_in_body(self) -> str | None:
        """The form's token, found in the body's first bytes; the application then receives them all again."""
        scanner = TokenScanner(self.text(b"content-type"))
        held: list[Message] = []
        read = 0
        while not scanner.done and read <= SCAN_LIMIT:
            message = await self.receive()
            keep(held, message)
            if message["type"] != "http.request":
                break
            chunk: bytes = message.get("body", b"")
            read += len(chunk)
            more = message.get("more_body", False)
            scanner.feed(chunk[: SCAN_LIMIT + 1], last=not more)
            if not more:
                break
        held.reverse()
        receive = self.receive

        async def replay() -> Message:
            return held.pop() if held else await receive()

        self.receive = replay
        return scanner.token

    # -- around the application --------------------------------------------------------------------------

    async def run(self) -> None:
        """Load the session and call the application; commit before its response starts, and once more at its end."""
        if reply := await aarrive(self):
            await self.answer(reply)
            return
        self.opened()
        if self.unsafe and not await self.has_token():
            return
        try:
            try:
                await self.app(self.scope, self.hearing if self.websocket else self.receive, self.sending)
            except Exception as error:
                if self.guard is None or not self.guard.explains(error):
                    raise
            finally:
                if self.guard is not None:
                    await self.guard.stop()
        except ANSWERED as error:
            await self._settle(failed=True)
            if self.started:
                raise
            await self.answer(refusal(error, html=self.html))
            return
        except BaseException as error:
            # A failed request commits nothing but an end. A websocket whose other side has gone has not failed: that
            # is how Starlette and Litestar leave a loop that receives.
            gone = type(error).__name__ == "WebSocketDisconnect"
            await self._settle(failed=self.failed or not gone)
            raise
        if self.error is not None:
            raise self.error
        if not self.answered:
            self.gather()
            if has_more(self, self.session):
                await self._settle(failed=self.failed)

    async def _settle(self, failed: bool) -> None:
        """The commit after the response."""
        self.gather()
        await asettle(self.front.manager, self.session, failed=failed)

    def sending(self, message: Message) -> Awaitable[None]:
        """What the application sends, with the session's part in the message that starts the response. What comes
        after that one is the server's to send: no coroutine of ours is around it."""
        if self.guard is None and not self.answered:
            starts = not self.started and message["type"] in _STARTS
            return self._start(message) if starts else self.send(message)
        return self._follow(message)

    async def _follow(self, message: Message) -> None:
        if self.answered:
            return
        if self.guard is not None:
            self.guard.passes(last=message["type"] in _ENDS and not message.get("more_body"))
        await self.send(message)

    async def _start(self, message: Message) -> None:
        self.started = True
        status = message.get("status", 101)
        self.failed = self.spoiled or status >= 500
        session = self.session
        self.gather()
        try:
            engine = self.front.manager.engine  # mostly nothing is to be done, and a coroutine to say so costs
            result = KEEP if engine.idle(session) else await astore(self, session, failed=self.failed)
        except Exception as error:  # noqa: BLE001 (raised by `run`: frameworks garble what is raised through send)
            if not self.is_ours(error):
                self.error = error
            await self.answer(self.replacement(error))
            return
        message = _with(message, self.told(session, result, status))
        await self.send(message)
        if _is_stream(message) and session.handle is not None and on_asyncio():
            self.guard = Guard(self.front.manager, session, self.close)

    async def hearing(self) -> Message:
        """What the application of a websocket receives. For a stream, the server says itself that it is over."""
        message = await (self.guard.hear(self.receive) if self.guard else self.receive())
        if message is None or (self.guard and self.guard.closed):
            return {"type": "websocket.disconnect", "code": ENDED, "reason": WORDS}
        return message

    async def close(self) -> None:
        """End what is open."""
        if self.websocket:
            await self.send({"type": "websocket.close", "code": ENDED, "reason": WORDS})
        else:
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    # -- answers of our own ------------------------------------------------------------------------------

    async def answer(self, reply: Reply) -> None:
        """Send a whole response in place of the application's."""
        self.answered = True
        if not self.websocket:
            start, body = "http.response.start", "http.response.body"
        elif "websocket.http.response" in (self.scope.get("extensions") or {}):
            start, body = "websocket.http.response.start", "websocket.http.response.body"
        else:
            code = TRY_AGAIN if reply.status == 503 else POLICY_VIOLATION
            await self.send({"type": "websocket.close", "code": code})
            return
        await self.send({"type": start, "status": reply.status, "headers": reply.headers})
        await self.send({"type": body, "body": b"" if self.method == "HEAD" else reply.body})


def _is_stream(start: Message) -> bool:
    """Whether what starts here is open until somebody ends it, as `streams.is_open` has it."""
    if start["type"] == "websocket.accept":
        return True
    found = b""
    headers: Iterable[tuple[bytes, bytes]] = start.get("headers") or ()
    for name, value in headers:
        # ASGI wants lower case, and not everybody gives it. Of several browsers take the last.
        if len(name) == 12 and name.lower() == b"content-type":
            found = value
    return found[: len(EVENTS)].lower() == _EVENTS


def _with(message: Message, told: Told) -> Message:
    """The message that starts a response, with what the session adds."""
    if told.vary is None:
        return message
    headers: list[tuple[bytes, bytes]] = list(message.get("headers") or ())
    if told.add:
        headers += [(name.encode("ascii"), value.encode("latin-1")) for name, value in told.add]
    if told.no_store:
        headers = [pair for pair in headers if not pair[0].lower().endswith(_CACHE_RULES)]
        headers.append((b"cache-control", b"no-store"))
    headers.append((b"vary", told.vary.encode("ascii")))
    return {**message, "headers": headers}
