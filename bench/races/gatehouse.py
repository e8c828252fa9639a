"""The other end of the gate at which the requests of a race wait (see `peers/gate.py`)."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

PATIENCE = 20.0
"""Seconds within which all requests of a race have come to the gate."""


class Gatehouse:
    """Counts who has come, and lets all through at once."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.StreamWriter] = []
        self._came = asyncio.Condition()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where requests knock. Raises RuntimeError before the house is open."""
        if self._server is None:
            raise RuntimeError("not open: use `async with`")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._knock, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.let_through()
        if self._server is not None:
            self._server.close()

    async def _knock(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._came:
            self._waiting.append(writer)
            self._came.notify_all()

    async def gather(self, count: int) -> None:
        """Wait until so many have come. Raises TimeoutError if they do not."""
        async with asyncio.timeout(PATIENCE), self._came:
            await self._came.wait_for(lambda: len(self._waiting) >= count)

    async def let_through(self) -> None:
        """Open the gate for those who wait."""
        async with self._came:
            waiting, self._waiting = self._waiting, []
        for writer in waiting:
            writer.close()
