"""Where a request of a test waits in the middle of its handler, until the test lets it go on.

The application calls `wait(port)` or `await passed(port)`; the test holds the other end, a `Latch`.
"""

from __future__ import annotations

import asyncio
import socket
from types import TracebackType
from typing import Self

PATIENCE = 20.0
"""Seconds after which whoever waits gives up."""


def wait(port: int) -> None:
    """Wait, in a thread."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as line:
        line.recv(1)


async def passed(port: int) -> None:
    """Wait, on an event loop."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE):
            await reader.read()
    finally:
        writer.close()


class Latch:
    """Knows when a request has come, and lets all go that have."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)
        self._waiting: list[socket.socket] = []

    @property
    def port(self) -> int:
        """What a request is told."""
        port: int = self._listener.getsockname()[1]
        return port

    def gather(self, count: int = 1) -> None:
        """Return when so many wait. Raises TimeoutError if they do not come."""
        while len(self._waiting) < count:
            self._waiting.append(self._listener.accept()[0])

    def lift(self) -> None:
        """Let all go."""
        while self._waiting:
            self._waiting.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lift()
        self._listener.close()
