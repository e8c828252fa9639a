"""One event loop's way to the server: what is asked for in one turn of the loop shares a round trip."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

from redis import exceptions as driver

from .cluster import Wire
from .sentinel import others
from .talk import REPLY, TURNS
from .url import reading

BATCH = 128
"""Callers that share a round trip, at most."""
ABREAST = 4
"""Round trips under way at the same time, at most: each needs a connection of its own."""
WAITING = 2
"""Those among them that wait for replicas, at most: readers keep the rest."""


class Waiter(NamedTuple):
    """Somebody's commands."""

    wire: Wire
    future: asyncio.Future[list[Any]]
    since: float
    """When they were asked for, by the loop's clock."""
    waits: bool
    """Whether they end with a WAIT for replicas."""


class Lane:
    """A client that belongs to one event loop, and those who wait for its replies."""

    def __init__(self, client: Any, owned: bool, merging: bool = True) -> None:
        """`owned`: the client is closed with the lane. `merging`: reads share one command, whatever their keys."""
        self.client = client
        self._merging = merging
        self._keeper = self._keep() if owned else None
        self._kept = False
        self._raw = reading(client)
        self._queues: tuple[deque[Waiter], deque[Waiter]] = (deque(), deque())
        """Those who do not wait for replicas, and those who do: nobody is kept waiting by who waits longer."""
        self._boarding = False
        self._slow = 0
        self._trips: set[asyncio.Task[None]] = set()
        self.turns = [asyncio.Lock() for _ in range(TURNS)]

    async def close(self) -> None:
        """Close the client, if it is ours."""
        if self._keeper is not None:
            await self._keeper.aclose()

    async def _keep(self) -> AsyncGenerator[None, None]:
        """Close the client with its loop, which finishes its asynchronous generators before it ends."""
        try:
            yield
        finally:
            for one in (self.client, *others(self.client)):
                await one.aclose()

    def ask(self, wire: Wire) -> asyncio.Future[list[Any]]:
        """The replies to these commands, an error reply as its exception; it fails if the connection does.

        Cancelling it concerns nobody else.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Any]] = loop.create_future()
        waits = wire[-1][0] == "WAIT"
        self._queues[waits].append(Waiter(wire, future, loop.time(), waits))
        self._leave()
        return future

    def _next(self) -> deque[Waiter] | None:
        """The queue from which the next trip boards: of those that may, whose first has come first."""
        plain, waits = self._queues
        if not waits or self._slow >= WAITING:
            return plain or None
        return plain if plain and plain[0].since < waits[0].since else waits

    def _leave(self) -> None:
        """Have a trip start in the next turn of the loop, unless one does, or enough are under way."""
        if not self._boarding and len(self._trips) < ABREAST and self._next():
            self._boarding = True
            trip = asyncio.get_running_loop().create_task(self._trip())
            self._trips.add(trip)
            trip.add_done_callback(self._arrived)

    def _arrived(self, trip: asyncio.Task[None]) -> None:
        self._trips.discard(trip)
        if trip.cancelled():
            # Perhaps before its first step: then nobody else would ever board.
            self._boarding = False
        self._leave()

    def _board(self) -> list[Waiter]:
        """Those who share the next trip."""
        queue = self._next() or deque()
        batch: list[Waiter] = []
        oldest = asyncio.get_running_loop().time() - REPLY
        while queue and len(batch) < BATCH:
            waiter = queue.popleft()
            if waiter.since < oldest:
                # It has queued for as long as an answer may take.
                _fail([waiter], TimeoutError())
            else:
                batch.append(waiter)
        return batch

    async def _trip(self) -> None:
        batch = self._board()
        self._boarding = False
        if not batch:
            return  # a fault has told them all
        self._slow += batch[0].waits
        self._leave()
        try:
            await self._travel(batch)
        finally:
            self._slow -= batch[0].waits

    async def _travel(self, batch: list[Waiter]) -> None:
        if self._keeper is not None and not self._kept:
            self._kept = True
            await anext(self._keeper)
        try:
            async with asyncio.timeout(REPLY):
                replies = await self._exchange(batch)
        except (driver.RedisError, OSError) as error:
            # Whoever queues behind a server that does not answer has waited as long.
            _fail([*batch, *self._queues[0], *self._queues[1]], error)
            for queue in self._queues:
                queue.clear()
        except asyncio.CancelledError:
            for waiter in batch:
                waiter.future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 (each of those who wait raises it)
            _fail(batch, error)
        else:
            for waiter, reply in zip(batch, replies, strict=True):
                if not waiter.future.done():
                    waiter.future.set_result(reply)

    async def _exchange(self, batch: list[Waiter]) -> list[list[Any]]:
        if batch[0].waits:
            # One WAIT covers all that was written before it on its connection; two could outlast the trip.
            wires = [waiter.wire[:-1] for waiter in batch]
            done = await self._send([*(command for wire in wires for command in wire), batch[0].wire[-1]])
            answers = iter(done)
            return [[*(next(answers) for _ in wire), done[-1]] for wire in wires]
        commands = [command for waiter in batch for command in waiter.wire]
        keys = [command[1] for command in commands if command[0] == "GET"]
        if len(keys) < 2 or not self._merging:
            replies = iter(await self._send(commands))
        else:
            found, *others = await self._send(
                [("MGET", *keys), *(command for command in commands if command[0] != "GET")]
            )
            values = iter([found] * len(keys) if isinstance(found, Exception) else found)
            rest = iter(others)
            replies = iter([next(values if command[0] == "GET" else rest) for command in commands])
        return [[next(replies) for _ in waiter.wire] for waiter in batch]

    async def _send(self, commands: Wire) -> list[Any]:
        if len(commands) == 1:
            try:
                return [await self.client.execute_command(*commands[0], **self._raw)]
            except driver.ResponseError as error:
                return [error]
        pipeline = self.client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command, **self._raw)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        return replies


def _fail(waiters: list[Waiter], error: Exception) -> None:
    for waiter in waiters:
        if not waiter.future.done():
            waiter.future.set_exception(error)
