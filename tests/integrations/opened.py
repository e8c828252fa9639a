"""One open websocket or stream, seen from its server: for the tests of what happens when its session ends."""

from __future__ import annotations

import asyncio
from typing import Any

from coatcheck.integrations.asgi import SessionMiddleware
from tests.integrations.front import Front, cookie

CLOSED = {"type": "websocket.close", "code": 4401, "reason": "the session has ended"}
FINAL = {"type": "http.response.body", "body": b"", "more_body": False}
PATIENCE = 20.0


class Opened:
    """A connection. Its client never answers a close: what it says is handed on, as Hypercorn does it."""

    def __init__(self, front: Front, app: Any, token: str, kind: str = "websocket", **options: Any) -> None:
        self.sent: list[Any] = []
        self._says: asyncio.Queue[Any] = asyncio.Queue()
        self._moved = asyncio.Event()
        headers = [(b"host", b"app.example"), (b"cookie", cookie(token)["cookie"].encode())]
        scope: dict[str, Any] = {"type": kind, "path": "/", "query_string": b"", "headers": headers}
        if kind == "websocket":
            scope["scheme"] = "wss"
            self._says.put_nowait({"type": "websocket.connect"})
        else:
            scope |= {"scheme": "https", "method": "GET", "asgi": {"version": "3.0", "spec_version": "2.4"}}
            self._says.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self.task = asyncio.create_task(
            SessionMiddleware(app, front.manager, **options)(scope, self._says.get, self._send)
        )

    async def _send(self, message: Any) -> None:
        self.sent.append(dict(message))
        self._moved.set()

    def says(self, text: str) -> None:
        """The client sends a text."""
        self._says.put_nowait({"type": "websocket.receive", "text": text})

    async def until(self, *what: Any) -> None:
        """Wait until the application has sent one of these messages, or as many as that."""
        async with asyncio.timeout(PATIENCE):
            while not any(one in self.sent if isinstance(one, dict) else len(self.sent) >= one for one in what):
                self._moved.clear()
                await self._moved.wait()

    async def over(self) -> None:
        """Wait for the application. Raises what leaves it."""
        async with asyncio.timeout(PATIENCE):
            await self.task


async def accept(receive: Any, send: Any) -> None:
    """Open a websocket."""
    await receive()
    await send({"type": "websocket.accept"})


async def start(send: Any) -> None:
    """Start a stream of events."""
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def end(front: Front, token: str) -> None:
    """End the session of a token elsewhere, and tell the manager, as a feed does."""
    await front.aside.revoke(token[:22])
    front.manager.hearing.watches.changed(token[:22])
