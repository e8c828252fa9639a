"""The queue before the Redis store's shared round trips: nobody waits for ever, or behind who waits for replicas."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import pytest
from redis.exceptions import InvalidResponse

from coatcheck.stores.redis import lane, open_async
from coatcheck.stores.redis.lane import Lane
from coatcheck.token import new_handle
from tests.records import NOW, record
from tests.redis_tools import SPACE

WRITE = [("EVALSHA", "sha"), ("WAIT", 1, 500)]
READ = [("GET", "key")]


class Slow:
    """A client whose replies come when the test says so."""

    def __init__(self) -> None:
        self.sent: list[list[Any]] = []
        self.gates: deque[asyncio.Event] = deque()

    def get_encoder(self) -> Any:
        return type("Encoder", (), {"decode_responses": False})

    def pipeline(self, transaction: bool) -> Any:
        client, commands = self, list[Any]()

        class Pipeline:
            def execute_command(self, *command: Any) -> None:
                commands.append(command)

            async def execute(self, raise_on_error: bool) -> list[Any]:
                return await client._answer(commands)

        return Pipeline()

    async def execute_command(self, *command: Any) -> Any:
        return (await self._answer([command]))[0]

    async def _answer(self, commands: list[Any]) -> list[Any]:
        self.sent.append(commands)
        gate = asyncio.Event()
        self.gates.append(gate)
        await gate.wait()
        return [1 for _ in commands]


async def settle() -> None:
    """Let whoever can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_was_cancelled_before_the_trip_began_strands_nobody(redis_url: str) -> None:
    """Every task is cancelled, as at the end of a program: the next call is answered all the same."""
    store = open_async(redis_url, SPACE)
    subject = record()
    await store.create(subject, NOW)
    work = asyncio.get_running_loop().create_task(store.load(subject.handle))
    await asyncio.sleep(0)
    for task in [work, *store._lane()._tasks]:
        task.cancel()
    await asyncio.gather(work, return_exceptions=True)
    async with asyncio.timeout(5):
        assert await store.load(subject.handle) == subject
        assert await store.load(new_handle(None)) is None
    await store.close()


async def test_who_has_queued_for_too_long_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a slow server the time of a call is over in the queue, not after it."""
    monkeypatch.setattr(lane, "ABREAST", 1)
    client = Slow()
    line = Lane(client, owned=False)
    first = line.ask(READ)
    await settle()
    second = line.ask(READ)
    [queued] = line._queues[0]
    line._queues[0][0] = queued._replace(since=-10.0)
    third = line.ask(READ)
    client.gates.popleft().set()
    await settle()
    client.gates.popleft().set()
    assert [await first, await third] == [[1], [1]]
    with pytest.raises(TimeoutError):
        await second


async def test_readers_do_not_queue_behind_who_waits_for_replicas() -> None:
    """However many write with `?wait=1`, two trips at most are theirs; reads have the others."""
    client = Slow()
    line = Lane(client, owned=False)
    writers = []
    for _ in range(4):
        writers.append(line.ask(WRITE))
        await settle()
    reader = line.ask(READ)
    await settle()
    # And nobody spins while the others queue.
    turns = len(client.sent)
    await settle()
    assert len(client.sent) == turns
    assert line._under_way == 3
    assert [commands[-1][0] for commands in client.sent] == ["WAIT", "WAIT", "GET"]
    client.gates[2].set()
    assert await reader == [1]
    while not all(writer.done() for writer in writers):
        client.gates.popleft().set()
        await settle()
    assert [await writer for writer in writers] == [[1, 1]] * 4


async def test_a_trip_of_which_all_have_given_up_lets_the_other_queue_go() -> None:
    """The loop stood still for longer than an answer may take, with a read and a write that waits for replicas asked
    for just before: the one is told, and the other not forgotten."""
    client = Slow()
    lanes = Lane(client, owned=False)
    read, write = lanes.ask(READ), lanes.ask(WRITE)
    lanes._queues[0][0] = lanes._queues[0][0]._replace(since=float("-inf"))
    await settle()
    assert isinstance(read.exception(), TimeoutError)
    assert len(client.sent) == 1
    client.gates.popleft().set()
    await settle()
    assert write.done()


@pytest.mark.parametrize("reply", [None, [1], b"OK", 5])
async def test_replies_that_do_not_fit_are_told_to_those_who_wait(reply: Any) -> None:
    """A proxy that answers MGET with something else: nobody waits for ever, and nobody is told what is another's."""

    class Odd(Slow):
        async def _answer(self, commands: list[Any]) -> list[Any]:
            return [reply]

    lanes = Lane(Odd(), owned=False)
    asked = [lanes.ask([("GET", name)]) for name in ("one", "two")]
    await settle()
    assert [type(one.exception()) for one in asked] == [InvalidResponse] * 2
