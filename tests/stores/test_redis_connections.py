"""Connections of the Redis store: one process, one event loop, few of them, and shared round trips."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
import redis.asyncio

from coatcheck.change import Change
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.record import Record
from coatcheck.stores.redis import AsyncRedisStore, RedisStore, lane, open_async
from coatcheck.stores.redis.talk import Talk
from coatcheck.token import new_handle
from tests.records import NOW, record
from tests.redis_tools import SPACE, connected, opened
from tests.servers import RedisServer

pytestmark = pytest.mark.usefixtures("unhurried")


def _calls(client: redis.Redis) -> dict[str, int]:
    """How often each command ran since CONFIG RESETSTAT."""
    facts: dict[str, Any] = client.info("commandstats")
    return {name.removeprefix("cmdstat_"): one["calls"] for name, one in facts.items()}


def _forked(work: Callable[[], object]) -> int:
    """The exit status of a child of fork that does this: 0 if it raised nothing."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# -- shared round trips ----------------------------------------------------------------------------------------


async def test_loads_of_one_moment_share_a_round_trip(redis_url: str, client: redis.Redis) -> None:
    """Fifty requests at once are one MGET, and each gets what it asked for."""
    store = open_async(redis_url, SPACE)
    subjects = [record() for _ in range(50)]
    for subject in subjects:
        await store.create(subject, NOW)
    client.config_resetstat()
    found = await asyncio.gather(*(store.load(subject.handle) for subject in subjects))
    calls = _calls(client)
    await store.close()
    assert found == subjects
    assert (calls.get("mget"), calls.get("get")) == (1, None)


async def test_a_crowd_is_split_into_bounded_batches(redis_url: str, client: redis.Redis) -> None:
    """No reply grows without limit, and few connections are enough."""
    store = open_async(redis_url, SPACE)
    subject = record()
    await store.create(subject, NOW)
    client.config_resetstat()
    found = await asyncio.gather(*(store.load(subject.handle) for _ in range(10 * lane.BATCH)))
    connections = client.info("clients")["connected_clients"]
    await store.close()
    assert found == [subject] * (10 * lane.BATCH)
    assert _calls(client)["mget"] == 10
    assert connections <= lane.ABREAST + 3


async def test_one_who_gives_up_disturbs_nobody_in_the_same_round_trip(redis_url: str) -> None:
    """A client that disconnects cancels its request; the others are answered, and the connection stays good."""
    store = open_async(redis_url, SPACE)
    subjects = [record() for _ in range(20)]
    for subject in subjects:
        await store.create(subject, NOW)
    tasks = [asyncio.ensure_future(store.load(subject.handle)) for subject in subjects]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert done[1::2] == subjects[1::2]
    assert all(isinstance(one, asyncio.CancelledError) for one in done[::2])
    assert await store.load(subjects[0].handle) == subjects[0]
    await store.close()


async def test_one_who_gives_up_while_waiting_for_a_turn_blocks_nobody(redis_url: str) -> None:
    """Writers of one session queue; a cancelled one leaves the queue, or its turn, to the next."""
    store = open_async(redis_url, SPACE)
    subject = record()
    await store.create(subject, NOW)
    changes = [Change(set={f"field {number}": number}) for number in range(20)]
    tasks = [asyncio.ensure_future(store.commit(subject.handle, change, NOW)) for change in changes]
    for _ in range(3):
        await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    after = await store.load(subject.handle)
    await store.close()
    assert all(isinstance(one, Record) for one in done[1::2])
    assert isinstance(after, Record)
    assert all(f'"field {number}":{number}' in after.fields for number in range(1, 20, 2))


async def test_a_broken_value_fails_only_whoever_asked_for_it(redis_url: str, client: redis.Redis) -> None:
    """The others of the same round trip get theirs."""
    store = open_async(redis_url, SPACE)
    good, bad = record(), new_handle(None)
    await store.create(good, NOW)
    client.set(store._plans.names.session(bad), b"?")
    done = await asyncio.gather(store.load(good.handle), store.load(bad), return_exceptions=True)
    await store.close()
    assert done[0] == good
    assert isinstance(done[1], StoreUnavailable)


async def test_reads_and_writes_of_one_moment_keep_their_answers(redis_url: str) -> None:
    """Loads, commits, logins and lists in one pipeline: nobody gets another's reply."""
    store = open_async(redis_url, SPACE)
    users = [f"user {number}" for number in range(10)]
    logins = await asyncio.gather(*(store.login(record(user), NOW, NOW, None, "") for user in users))
    subjects = [one.record for one in logins if one.record]
    jobs: list[Any] = []
    for number, subject in enumerate(subjects):
        jobs += [store.commit(subject.handle, Change(set={"n": number}), NOW), store.load(subject.handle)]
        jobs += [store.sessions(users[number], NOW, 10, None), store.taken(subject.handle, "jti", NOW)]
    done = await asyncio.gather(*jobs)
    await store.close()
    for number, subject in enumerate(subjects):
        after, found, listed, taken = done[4 * number : 4 * number + 4]
        assert after == subject._replace(fields=f'{{"cart":[1],"n":{number}}}')
        assert found in (subject, after)
        assert [one.handle for one in listed] == [subject.handle]
        assert taken.won


def test_more_threads_than_the_drivers_default_limit_of_connections(redis_url: str) -> None:
    """redis-py refuses the 101st connection; a server with many threads needs it."""
    faults: list[Exception] = []
    barrier = threading.Barrier(150)

    def read(store: RedisStore) -> None:
        barrier.wait()
        try:
            for _ in range(5):
                store.load(new_handle(None))
        except Exception as error:  # noqa: BLE001 (it is what the test looks for)
            faults.append(error)

    with opened(redis_url) as store:
        threads = [threading.Thread(target=read, args=(store,)) for _ in range(150)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert faults == []


# -- event loops -----------------------------------------------------------------------------------------------


def test_each_event_loop_has_connections_of_its_own(redis_url: str) -> None:
    """Test clients and `async_to_sync` use one store from one loop after the other, and at the same time."""
    store = open_async(redis_url, SPACE)
    subject = record()

    async def write() -> None:
        assert await store.create(subject, NOW)
        await store.close()

    async def read() -> None:
        for _ in range(20):
            assert await store.load(subject.handle) == subject
        await store.close()

    asyncio.run(write())
    asyncio.run(read())
    faults: list[Exception] = []

    def elsewhere() -> None:
        try:
            asyncio.run(read())
        except Exception as error:  # noqa: BLE001 (it is what the test looks for)
            faults.append(error)

    threads = [threading.Thread(target=elsewhere) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_a_loop_that_ends_takes_its_connections_with_it(redis_url: str, client: redis.Redis) -> None:
    """Nothing is left open on the server, nothing is awaited from another loop, and no warning comes of it."""
    store = open_async(redis_url, SPACE)
    handle = new_handle(None)
    before = client.info("clients")["connected_clients"]
    for _ in range(5):
        assert asyncio.run(store.load(handle)) is None
    gc.collect()
    deadline = time.monotonic() + 10
    while client.info("clients")["connected_clients"] > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(store._lanes) == 1


def test_a_store_can_be_used_again_after_it_was_closed(redis_url: str) -> None:
    """Closing gives connections back, nothing more; an application's own client is not closed at all."""
    handle = new_handle(None)
    with opened(redis_url) as store:
        assert store.load(handle) is None
        store.close()
        assert store.load(handle) is None

    async def main() -> None:
        store = open_async(redis_url, SPACE)
        for _ in range(2):
            assert await store.load(handle) is None
            await store.close()
        own = redis.asyncio.Redis.from_url(redis_url)
        mine = AsyncRedisStore(own, namespace=SPACE)
        assert await mine.load(handle) is None
        await mine.close()
        assert await own.ping()
        await own.aclose()

    asyncio.run(main())
    with connected(redis_url) as own, pytest.raises(ConfigurationError, match="AsyncRedisStore takes"):
        AsyncRedisStore(own)  # type: ignore[arg-type]


# -- fork ------------------------------------------------------------------------------------------------------


def test_a_child_of_fork_has_connections_of_its_own(redis_url: str, client: redis.Redis) -> None:
    """Parent and child go on at the same time, and neither reads the other's replies."""
    with opened(redis_url) as store:
        subjects = [record() for _ in range(2)]
        for subject in subjects:
            store.create(subject, NOW)

        def child() -> None:
            for number in range(50):
                assert store.load(subjects[0].handle) == subjects[0]
                assert isinstance(store.commit(subjects[1].handle, Change(set={"child": number}), NOW), Record)

        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                child()
                status = 0
            finally:
                os._exit(status)
        for number in range(50):
            assert store.load(subjects[0].handle) == subjects[0]
            assert isinstance(store.commit(subjects[1].handle, Change(set={"parent": number}), NOW), Record)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        after = store.load(subjects[1].handle)
        assert isinstance(after, Record)
        assert after.fields in ('{"cart":[1],"parent":49,"child":49}', '{"cart":[1],"child":49,"parent":49}')


def test_a_fork_in_the_midst_of_a_write_leaves_no_lock_behind(redis_url: str) -> None:
    """The turn that another thread of the parent had is not taken in the child."""
    with opened(redis_url) as store:
        subject = record()
        store.create(subject, NOW)
        for turn in store._turns:
            turn.acquire()
        store._way.client.connection_pool._lock.acquire()
        try:
            assert _forked(lambda: store.commit(subject.handle, Change(set={"child": 1}), NOW)) == 0
        finally:
            store._way.client.connection_pool._lock.release()
            for turn in store._turns:
                turn.release()
        after = store.load(subject.handle)
        assert isinstance(after, Record)
        assert after.fields == '{"cart":[1],"child":1}'


def test_an_async_store_survives_a_fork(redis_url: str) -> None:
    """A worker that preloads, forks and runs its own loop; the parent's connection stays good."""
    subject = record()
    runner = asyncio.Runner()
    store = open_async(redis_url, SPACE)
    assert runner.run(store.create(subject, NOW))

    async def child() -> None:
        assert await store.load(subject.handle) == subject
        await store.close()

    def work() -> None:
        # As after a real fork: a new thread, and so a loop of its own.
        asyncio.events._set_running_loop(None)
        asyncio.run(child())

    assert _forked(work) == 0
    assert runner.run(store.load(subject.handle)) == subject
    runner.run(store.close())
    runner.close()


# -- the server's clock ----------------------------------------------------------------------------------------


class _Clock:
    """A server whose clock is off by so many seconds, and answers after a while."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOW
        self.ahead = 0.0
        self.delay = 0.0
        self.talk = Talk("cache:6379/0", 0)
        monkeypatch.setattr(time, "time", lambda: self.now)

    def measure(self) -> float:
        """What the store makes of it."""
        speech = self.talk._look_again()
        assert next(speech) == [("TIME",), ("INFO", "memory")]
        self.now += self.delay / 2
        there = self.now + self.ahead
        self.now += self.delay / 2
        with pytest.raises(StopIteration):
            speech.send([(int(there), int(there % 1 * 1_000_000)), {"maxmemory_policy": "noeviction"}])
        return self.talk.offset


def test_the_servers_clock_counts_where_ours_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the round trip is taken off; what the measurement cannot tell apart changes nothing."""
    clock = _Clock(monkeypatch)
    clock.delay = 0.2
    clock.ahead = 0.05
    assert clock.measure() == 0.0
    clock.ahead = 300.0
    assert clock.measure() == pytest.approx(300.0, abs=1e-4)
    clock.ahead = 300.05
    assert clock.measure() == pytest.approx(300.0, abs=1e-4)
    clock.ahead = -86_400.0
    assert clock.measure() == pytest.approx(-86_400.0, abs=1e-4)


def test_the_offset_is_measured_at_the_first_call_and_rarely_after(redis_url: str, client: redis.Redis) -> None:
    """On one machine it is nothing, and reading costs one command."""
    client.config_resetstat()
    with opened(redis_url) as store:
        for _ in range(10):
            store.load(new_handle(None))
        assert abs(store.offset) < 1.0
    calls = _calls(client)
    assert (calls["time"], calls["get"]) == (1, 10)


async def test_meeting_the_server_measures_its_clock_and_reads_nothing(redis_url: str, client: redis.Redis) -> None:
    """A process whose first call is a revocation knows the time before it computes anything from it."""
    client.config_resetstat()
    store = open_async(redis_url, SPACE)
    for _ in range(2):
        await store.meet()
    await store.close()
    with opened(redis_url) as other:
        other.meet()
    calls = _calls(client)
    assert (calls["time"], calls.get("get")) == (2, None)


def test_a_server_without_time_is_used_by_our_clock() -> None:
    """An ACL without TIME: the offset stays what it was."""
    with RedisServer() as server:
        server.cli("ACL", "SETUSER", "default", "-time")
        with opened(server.url) as store:
            assert store.load(new_handle(None)) is None
            assert store.offset == 0.0
