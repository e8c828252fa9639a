"""Connections that redis-py has opened (TLS, login, database, Sentinel), and that are written and read without it.

Its layers for each command cost several times what Redis does. Whatever has to be made of a reply is left to them:
a line carries commands whose replies are bytes, numbers and lists.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from redis import exceptions as driver

from .cluster import Wire
from .sentinel import others
from .talk import PLAIN, REPLY

try:
    import hiredis as _hiredis

    hiredis: Any = _hiredis
except ImportError:
    hiredis = None
AT_HAND = hiredis is not None
"""Whether there are lines at all: without hiredis redis-py does everything."""

Done = Callable[[Any], None]
"""Is told the replies, or the fault."""


def pack(commands: Wire) -> bytes | None:
    """The commands as they are sent; None: some of them are for redis-py."""
    for command in commands:
        if command[0] not in PLAIN:
            return None
    return b"".join([hiredis.pack_command(command) for command in commands])


def _closed() -> Exception:
    return driver.ConnectionError("the connection was closed")


class Line(asyncio.Protocol):
    """One connection. It answers one trip at a time, and is closed rather than used again after a fault: a reply that
    comes late must never answer somebody else."""

    def __init__(self, connection: Any, lines: Lines) -> None:
        # No more one of redis-py's, which would close it.
        self._writer: asyncio.StreamWriter = connection._writer
        connection._reader = connection._writer = None
        self._parse_error = connection._parser.parse_error
        self._lines = lines
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(protocolError=driver.InvalidResponse, replyError=self._refused)
        self._replies: list[Any] = []
        self._count = 0
        self._fault: Exception | None = None
        self._done: Done | None = None
        self._since = 0.0
        """When it was asked, by the loop's clock."""
        self._watched = False
        self._open = True
        self._transport: Any = self._writer.transport
        self._before = self._transport.get_protocol()
        self._transport.set_protocol(self)

    def send(self, packed: bytes, count: int, done: Done) -> None:
        """Ask so many commands; `done` is called once, and not before this returns."""
        self._replies, self._count, self._done = [], count, done
        self._since = self._loop.time()
        if not self._watched:
            # One timer for many trips: each has its time, and most never need it.
            self._watched = True
            self._loop.call_at(self._since + REPLY, self._watch)
        self._transport.write(packed)

    def close(self, fault: Exception) -> None:
        """Let nothing more come from it. Who waits hears of the fault."""
        self._open = False
        self._transport.abort()
        self._lines.lost(self)
        self._tell(fault)

    async def ask(self, packed: bytes, count: int) -> list[Any]:
        """The same, awaited."""
        future: asyncio.Future[list[Any]] = self._loop.create_future()

        def done(outcome: Any) -> None:
            if future.done():
                return
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        self.send(packed, count, done)
        return await future

    async def closed(self) -> None:
        """Wait until it is."""
        with suppress(OSError):
            await self._writer.wait_closed()

    def _watch(self) -> None:
        due = self._since + REPLY
        self._watched = self._done is not None and self._loop.time() < due
        if self._watched:
            self._loop.call_at(due, self._watch)
        elif self._done is not None:
            self.close(driver.TimeoutError())

    def _tell(self, outcome: Any) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(outcome)

    def _refused(self, text: str) -> Exception:
        error: Exception = self._parse_error(text)
        if isinstance(error, driver.ConnectionError):
            self._fault = error
        elif self._lines.moving and isinstance(error, driver.ReadOnlyError):
            self._fault = driver.ConnectionError("the primary has become a replica")
        return error

    # -- as told by the event loop -----------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Some of the replies."""
        if not self._open:
            return
        replies = self._replies
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                replies.append(reply)
        except driver.InvalidResponse as error:
            self._fault = error
        if self._done is None or len(replies) > self._count:
            self._fault = self._fault or driver.InvalidResponse("a reply to nothing")
        if self._fault is not None:
            self.close(self._fault)
        elif len(replies) == self._count:
            stray = self._reader.has_data()  # the beginning of a reply to nothing
            if not stray:
                self._lines.idle.append(self)
            self._tell(replies)
            if stray:
                self.close(driver.InvalidResponse("a reply to nothing"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, of whichever side."""
        self._before.connection_lost(exc)  # it tells who waits for that
        if self._open:
            self.close(_closed())


class Lines:
    """The connections of one client: as many as there are trips at a time."""

    def __init__(self, client: Any) -> None:
        self._pool = client.connection_pool
        self.moving: bool = bool(others(client))
        """Who the primary is may change: one that has become a replica is left."""
        self.idle: list[Line] = []
        self._all: set[Line] = set()
        self._ended = False

    def take(self) -> Line | None:
        """One that is open and has nothing to do."""
        return self.idle.pop() if self.idle else None

    async def opened(self) -> Line:
        """A new one."""
        connection = self._pool.make_connection()
        try:
            await connection.connect()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        if self._ended:
            await connection.disconnect(nowait=True)
            raise _closed()
        line = Line(connection, self)
        self._all.add(line)
        return line

    def lost(self, line: Line) -> None:
        """One has broken: what rests is no better, and whoever asks again must not find that out one by one."""
        self._all.discard(line)
        rest, self.idle = self.idle, []
        for other in rest:
            if other is not line:
                other.close(_closed())

    async def close(self) -> None:
        """Close all."""
        self._ended = True
        ending = [*self._all]
        for line in ending:
            line.close(_closed())
        for line in ending:
            await line.closed()
