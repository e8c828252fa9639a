"""One event loop's way to the server: what is asked for in one turn of the loop shares a round trip."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any, NamedTuple

from redis import exceptions as driver

from .cluster import Wire
from .line import AT_HAND, Lines, pack
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
        # A client that is lent to us is used as it is.
        self._lines = Lines(client) if owned and AT_HAND else None
        self._raw = reading(client)
        self._loop = asyncio.get_running_loop()
        self._queues: tuple[deque[Waiter], deque[Waiter]] = (deque(), deque())
        """Those who do not wait for replicas, and those who do: nobody is kept waiting by who waits longer."""
        self._boarding = False
        self._under_way = 0
        self._slow = 0
        self._tasks: set[asyncio.Task[list[Any]]] = set()
        """Of the trips that redis-py makes, or opens the connection for."""
        self.turns: list[asyncio.Lock] = [asyncio.Lock() for _ in range(TURNS)]

    async def close(self) -> None:
        """Close the client, if it is ours."""
        if self._keeper is not None:
            await self._keeper.aclose()

    async def _keep(self) -> AsyncGenerator[None, None]:
        """Close the client with its loop, which finishes its asynchronous generators before it ends."""
        try:
            yield
        finally:
            if self._lines is not None:
                await self._lines.close()
            for one in (self.client, *others(self.client)):
                await one.aclose()

    def ask(self, wire: Wire) -> asyncio.Future[list[Any]]:
        """The replies to these commands, an error reply as its exception; it fails if the connection does.

        Cancelling it concerns nobody else.
        """
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        waits = wire[-1][0] == "WAIT"
        self._queues[waits].append(Waiter(wire, future, self._loop.time(), waits))
        if not self._boarding:
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
        if not self._boarding and self._under_way < ABREAST and self._next():
            self._boarding = True
            self._loop.call_soon(self._trip)

    def _board(self) -> list[Waiter]:
        """Those who share the next trip."""
        queue = self._next() or deque()
        batch: list[Waiter] = []
        oldest = self._loop.time() - REPLY
        while queue and len(batch) < BATCH:
            waiter = queue.popleft()
            if waiter.since < oldest:
                # It has queued for as long as an answer may take.
                _fail([waiter], TimeoutError())
            else:
                batch.append(waiter)
        return batch

    def _trip(self) -> None:
        self._boarding = False
        batch = self._board()
        if not batch:
            self._leave()  # the other queue
            return
        self._under_way += 1
        self._slow += batch[0].waits
        self._leave()
        commands, merged = self._merge(batch)
        arrived = partial(self._arrived, batch, merged)
        try:
            packed = pack(commands) if self._lines else None
        except Exception as error:  # noqa: BLE001 (each of those who wait raises it)
            arrived(error)
            return
        line = self._lines.take() if self._lines and packed else None
        if line is not None and packed is not None:
            line.send(packed, len(commands), arrived)
            return
        task = self._loop.create_task(self._travel(commands, packed))
        self._tasks.add(task)
        task.add_done_callback(partial(self._travelled, arrived))

    def _travelled(self, arrived: Any, task: asyncio.Task[list[Any]]) -> None:
        self._tasks.discard(task)
        fault = asyncio.CancelledError() if task.cancelled() else task.exception()
        arrived(task.result() if fault is None else fault)

    def _arrived(self, batch: list[Waiter], merged: int, outcome: Any) -> None:
        """Tell everybody who shared a trip."""
        self._under_way -= 1
        self._slow -= batch[0].waits
        if type(outcome) is list:
            try:
                outcome = _apart(batch, merged, outcome)
            except Exception:  # noqa: BLE001 (each of those who wait raises it)
                outcome = driver.InvalidResponse("replies that do not fit what was asked")
        if type(outcome) is list:
            for waiter, replies in zip(batch, outcome, strict=True):
                if not waiter.future.done():
                    waiter.future.set_result(replies)
        elif isinstance(outcome, (driver.RedisError, OSError)):
            # Whoever queues behind a server that does not answer has waited as long.
            _fail([*batch, *self._queues[0], *self._queues[1]], outcome)
            for queue in self._queues:
                queue.clear()
        elif isinstance(outcome, asyncio.CancelledError):
            for waiter in batch:
                waiter.future.cancel()
        else:
            _fail(batch, outcome)  # each of those who wait raises it
        self._leave()

    async def _travel(self, commands: Wire, packed: bytes | None) -> list[Any]:
        if self._keeper is not None and not self._kept:
            self._kept = True
            await anext(self._keeper)
        async with asyncio.timeout(REPLY):
            if packed is not None and self._lines is not None:
                return await (await self._lines.opened()).ask(packed, len(commands))
            return await self._send(commands)

    def _merge(self, batch: list[Waiter]) -> tuple[Wire, int]:
        """What a trip sends: one WAIT covers all that was written before it on its connection (two could outlast the
        trip), and one MGET reads for all; and how many that one reads for."""
        if len(batch) == 1:
            return batch[0].wire, 0
        if batch[0].waits:
            return [*(command for waiter in batch for command in waiter.wire[:-1]), batch[0].wire[-1]], 0
        commands = [command for waiter in batch for command in waiter.wire]
        keys = [command[1] for command in commands if command[0] == "GET"] if self._merging else []
        if len(keys) < 2:
            return commands, 0
        return [("MGET", *keys), *(command for command in commands if command[0] != "GET")], len(keys)

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


def _apart(batch: list[Waiter], merged: int, replies: list[Any]) -> list[list[Any]]:
    """The replies of a trip, for each who shared it."""
    if len(batch) == 1:
        return [replies]
    if batch[0].waits:
        answers = iter(replies)
        return [[*(next(answers) for _ in waiter.wire[:-1]), replies[-1]] for waiter in batch]
    rest = iter(replies)
    if not merged:
        return [[next(rest) for _ in waiter.wire] for waiter in batch]
    found = next(rest)
    if not isinstance(found, Exception) and (type(found) is not list or len(found) != merged):
        raise driver.InvalidResponse("MGET was not answered for each key")
    values = iter([found] * merged if isinstance(found, Exception) else found)
    return [[next(values if command[0] == "GET" else rest) for command in waiter.wire] for waiter in batch]


def _fail(waiters: list[Waiter], error: BaseException) -> None:
    for waiter in waiters:
        if not waiter.future.done():
            waiter.future.set_exception(error)
