"""The asynchronous store's own connections: each reply reaches who asked, and a broken one is not used again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import hiredis
import pytest
import redis
import redis.asyncio

from coatcheck.change import Change
from coatcheck.errors import StoreUnavailable
from coatcheck.record import Record
from coatcheck.stores.redis import AsyncRedisStore, lane, open_async
from coatcheck.stores.redis.line import Line, pack
from tests.records import NOW, record
from tests.redis_tools import SPACE

pytestmark = pytest.mark.usefixtures("unhurried")


@pytest.fixture
async def work(redis_url: str) -> AsyncIterator[AsyncRedisStore]:
    """The store, with one connection that rests."""
    store = open_async(redis_url, SPACE)
    await store.meet()
    await store.load(record().handle)
    yield store
    await store.close()


def resting(store: AsyncRedisStore) -> list[Line]:
    """Its connections that have nothing to do."""
    found: list[Line] = store._lane()._lines.idle
    return found


async def settle() -> None:
    """Let whoever can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_replies_that_come_in_pieces_reach_whoever_asked(
    work: AsyncRedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte by byte, for thirty sessions in one round trip, read and written."""
    whole = Line.data_received

    def in_pieces(line: Line, data: bytes) -> None:
        for place in range(len(data)):
            whole(line, data[place : place + 1])

    monkeypatch.setattr(Line, "data_received", in_pieces)
    subjects = [record(fields=f'{{"n":{number}}}') for number in range(30)]
    assert all([await work.create(one, NOW) for one in subjects])
    assert await asyncio.gather(*(work.load(one.handle) for one in subjects)) == subjects
    changes = [Change(set={"own": number}) for number in range(30)]
    after = await asyncio.gather(
        *(work.commit(one.handle, change, NOW) for one, change in zip(subjects, changes, strict=True))
    )
    assert [one.fields for one in after if isinstance(one, Record)] == [
        f'{{"n":{number},"own":{number}}}' for number in range(30)
    ]


async def test_a_reply_to_nothing_answers_nobody(work: AsyncRedisStore) -> None:
    """Whatever comes while nobody asks, the connection ends with it: the next would get another's session."""
    subject = record()
    await work.create(subject, NOW)
    [line] = resting(work)
    line.data_received(b"$1\r\nx\r\n")
    assert resting(work) == []
    assert await work.load(subject.handle) == subject
    assert line not in resting(work)


async def test_more_replies_than_commands_answer_nobody(work: AsyncRedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of them is whose cannot be known any more."""
    subject = record()
    await work.create(subject, NOW)
    whole = Line.data_received
    monkeypatch.setattr(Line, "data_received", lambda line, data: whole(line, b"$-1\r\n" + data))
    with pytest.raises(StoreUnavailable):
        await work.load(subject.handle)
    assert resting(work) == []
    monkeypatch.undo()
    assert await work.load(subject.handle) == subject


async def test_one_that_breaks_takes_those_with_it_that_rest(work: AsyncRedisStore, client: redis.Redis) -> None:
    """As after a restart: the second attempt, which is the last, must not find another dead one."""
    own = work._lane()
    await asyncio.gather(*[(await own._lines.opened()).ask(pack([("GET", "x")]), 1) for _ in range(3)])
    assert len(resting(work)) == 4
    mine = client.client_id()
    own._loop.call_soon(resting(work)[0]._transport.abort)
    await settle()
    assert resting(work) == []
    for one in client.client_list():
        if int(one["id"]) != mine:
            client.client_kill_filter(_id=one["id"])
    assert await work.load(record().handle) is None


async def test_each_trip_has_its_own_time(work: AsyncRedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """One timer serves many trips: it gives up on who has waited for long, and on nobody sooner."""
    line = work._lane()._lines.take()
    never: Any = ("BLPOP", "never", 0)
    asked = asyncio.create_task(line.ask(hiredis.pack_command(never), 1))
    await settle()
    line._watch()
    assert line._open
    assert not asked.done()
    line._since -= 61
    line._watch()
    with pytest.raises(redis.TimeoutError):
        await asked
    assert not line._open
    assert line not in resting(work)


async def test_a_primary_that_became_a_replica_is_left(work: AsyncRedisStore, client: Any) -> None:
    """Where Sentinel says who it is, the next connection asks; elsewhere it is said in plain words."""
    subject = record()
    await work.create(subject, NOW)
    lines = work._lane()._lines
    client.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(StoreUnavailable, match="read-only replica"):
            await work.commit(subject.handle, Change(set={"a": 1}), NOW)
        [line] = resting(work)
        lines.moving = True
        with pytest.raises(StoreUnavailable, match="become a replica"):
            await work.commit(subject.handle, Change(set={"a": 1}), NOW)
        assert line not in resting(work)
    finally:
        client.execute_command("REPLICAOF", "NO", "ONE")


async def test_an_applications_own_client_is_used_as_it_is(redis_url: str) -> None:
    """Its connections, its limits and its instruments see every command."""
    seen: list[Any] = []

    class Own(redis.asyncio.Redis):
        async def execute_command(self, *args: Any, **options: Any) -> Any:
            seen.append(args[0])
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    async with Own.from_url(redis_url, max_connections=1) as client:
        store = AsyncRedisStore(client, namespace=SPACE)
        subject = record()
        await store.create(subject, NOW)
        assert await store.load(subject.handle) == subject
        assert isinstance(await store.commit(subject.handle, Change(set={"a": 1}), NOW), Record)
        assert seen.count("GET") == 1
        assert "EVALSHA" in seen
        await store.close()


async def test_without_hiredis_redis_py_does_it_all(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra of redis-py's, which somebody may leave out."""
    monkeypatch.setattr(lane, "AT_HAND", False)
    store = open_async(redis_url, SPACE)
    subject = record()
    await store.create(subject, NOW)
    assert await store.load(subject.handle) == subject
    assert isinstance(await store.commit(subject.handle, Change(set={"a": 1}), NOW), Record)
    await store.close()


async def test_a_store_that_is_closed_while_it_connects_leaves_no_connection(redis_url: str) -> None:
    """Whichever step the opening has come to: the one that comes too late is closed as well."""
    with redis.Redis.from_url(redis_url) as admin:
        before = len(admin.client_list())
        for steps in range(6):
            store = open_async(redis_url, SPACE)
            await store.meet()
            way = store._lane()  # a load would come again, by another way
            asked = [way.ask([("GET", "one")])]
            await asyncio.sleep(0)
            asked.append(way.ask([("GET", "other")]))
            for _ in range(steps):
                await asyncio.sleep(0)
            await store.close()
            await asyncio.gather(*asked, return_exceptions=True)
        for _ in range(200):
            if len(admin.client_list()) <= before:
                break
            await asyncio.sleep(0.01)
        assert len(admin.client_list()) <= before
