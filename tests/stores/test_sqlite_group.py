"""Group commit: writes that wait together share one wait for the disk, and nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from coatcheck.errors import StoreUnavailable
from coatcheck.record import Ended, Record
from coatcheck.stores import sqlite_file, sqlite_group, sqlite_store
from coatcheck.stores.sqlite import SQLiteStore
from coatcheck.stores.sqlite_async import AsyncSQLiteStore
from tests.records import NOW, record

pytestmark = pytest.mark.anyio


class Stage:
    """A store whose file somebody else has locked until all have asked."""

    def __init__(self, path: Path) -> None:
        self.store = SQLiteStore(path)
        self.asynchronous = AsyncSQLiteStore(self.store)
        self.said: list[str] = []

    async def open(self) -> None:
        await self.asynchronous.create(record(), NOW)
        await self.asynchronous.run(self._listen)

    def _listen(self) -> None:
        self.store._db._writer().db.set_trace_callback(self.said.append)

    async def together(self, *asked: Any) -> list[Any]:
        """The outcomes of what is asked while the file is locked."""
        other = sqlite3.connect(self.store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        # The first one takes the thread, where it waits for the lock; the others wait for the thread.
        first = asyncio.ensure_future(self.asynchronous.create(record(), NOW))
        while not self.said:  # noqa: ASYNC110 (another thread says it)
            await asyncio.sleep(0)
        tasks = [asyncio.ensure_future(one) for one in asked]
        for _ in range(5):
            await asyncio.sleep(0)
        other.execute("ROLLBACK")
        other.close()
        await first
        return await asyncio.gather(*tasks, return_exceptions=True)

    def commits(self) -> int:
        """How often they waited for the disk: the first one went alone."""
        return self.said.count("COMMIT") - 1


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path / "sessions.db")
    await stage.open()
    yield stage
    await stage.asynchronous.close()


def login(stage: Stage, user: str, began: float = NOW) -> Any:
    return stage.asynchronous.login(record(user), began, NOW, None, "too many")


async def test_what_waits_together_waits_for_the_disk_once(stage: Stage) -> None:
    """Fifty logins at the same moment cost one write to the disk, and are all there."""
    done = await stage.together(*(login(stage, f"user-{number}") for number in range(50)))
    assert all(isinstance(one.record, Record) for one in done)
    assert stage.commits() == 1
    assert all(stage.store.load(one.record.handle) == one.record for one in done)


async def test_one_that_fails_takes_nobody_with_it(stage: Stage) -> None:
    """And leaves nothing of its own behind, though the others' transaction is committed."""
    bad = record("eve")
    put, counts = stage.store._put_gate, dict[str, int]()

    def fails(db: Any, user: str, *rest: Any) -> None:
        put(db, user, *rest)
        counts[user] = counts.get(user, 0) + 1
        if user == "eve":
            raise StoreUnavailable("damaged")

    stage.store._put_gate = fails  # type: ignore[method-assign, assignment]
    asked = [login(stage, "ada"), stage.asynchronous.login(bad, NOW, NOW, None, ""), login(stage, "bob")]
    ada, eve, bob = await stage.together(*asked)
    assert counts == {"ada": 1, "eve": 1, "bob": 1}
    assert isinstance(eve, StoreUnavailable)
    assert stage.store.load(bad.handle) is None
    assert [stage.store.load(one.record.handle) for one in (ada, bob)] == [ada.record, bob.record]
    assert stage.commits() == 1


async def test_one_that_fills_the_disk_takes_nobody_with_it(stage: Stage) -> None:
    """SQLite then rolls back the whole transaction by itself: those before it are carried out again, and those behind
    it are not stored in secret while they are told that they have failed."""

    def fills() -> None:
        db = stage.store._db._writer().db
        db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0] + 8}")

    await stage.asynchronous.run(fills)
    ada, eve, bob = record("ada"), record("eve", fields='{"x":"%s"}' % ("y" * 150_000)), record("bob")
    done = await stage.together(*(stage.asynchronous.create(one, NOW) for one in (ada, eve, bob)))
    assert [done[0], done[2]] == [True, True]
    assert "the disk is full" in str(done[1])
    assert [stage.store.load(one.handle) for one in (ada, eve, bob)] == [ada, None, bob]


async def test_nobody_waits_for_a_thread_that_cannot_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a limit of processes: all who wait are told, and the next ones are served."""
    store, failures = AsyncSQLiteStore(SQLiteStore(tmp_path / "sessions.db")), [1]
    start = threading.Thread.start

    def fails(thread: threading.Thread) -> None:
        if failures:
            failures.pop()
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", fails)
    with pytest.raises(StoreUnavailable):
        await store.create(record(), NOW)
    assert await asyncio.wait_for(store.create(record(), NOW), 5)
    await store.close()


async def test_a_fault_of_ours_in_a_group_is_told_to_those_in_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread goes on: whoever comes afterwards is served."""

    def broken(*_: Any) -> Any:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_file.Database, "together", broken)
        done = await stage.together(login(stage, "ada"), login(stage, "bob"))
    assert [type(one) for one in done] == [MemoryError] * 2
    assert (await asyncio.wait_for(login(stage, "ada"), 5)).record is not None


async def test_nobody_is_told_of_success_before_the_disk_has_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The COMMIT fails, as on a full disk: all have failed, and nothing of it is stored."""
    transaction = sqlite_file.Database._transaction

    def on_a_full_disk(self: sqlite_file.Database, durable: bool) -> Any:
        from contextlib import contextmanager

        @contextmanager
        def fails() -> Any:
            with transaction(self, durable) as db:
                yield db
                if db.execute("SELECT count(*) FROM coatcheck_gates").fetchone()[0]:
                    raise StoreUnavailable("the disk is full")

        return fails()

    monkeypatch.setattr(sqlite_file.Database, "_transaction", on_a_full_disk)
    done = await stage.together(*(login(stage, f"user-{number}") for number in range(5)))
    assert [type(one) for one in done] == [StoreUnavailable] * 5
    assert await stage.asynchronous.sessions("user-0", NOW, 10, None) == []


async def test_those_who_wait_are_served_in_the_order_in_which_they_asked(stage: Stage) -> None:
    """A login that asked after `revoke_user`, for a request that began before it, is refused; one that asked first is
    ended by it."""
    asynchronous = stage.asynchronous
    before, after = record("ada"), record("ada")
    first, revoked, second = await stage.together(
        asynchronous.login(before, NOW, NOW, None, ""),
        asynchronous.revoke_user("ada", None, "revoked", NOW + 1, NOW + 100),
        asynchronous.login(after, NOW, NOW + 1, None, ""),
    )
    assert first.record is not None
    assert revoked == [before.handle]
    assert second.record is None
    assert isinstance(stage.store.load(before.handle), Ended)
    assert stage.store.load(after.handle) is None


async def test_what_takes_long_keeps_nobody_in_its_transaction(stage: Stage) -> None:
    """Ending all sessions goes alone, in batches of its own."""
    await stage.together(login(stage, "ada"), stage.asynchronous.revoke_all(NOW, "all", NOW), login(stage, "bob"))
    assert stage.commits() == 3


async def test_who_has_gone_away_before_its_turn_is_not_served(stage: Stage) -> None:
    """A cancelled call that nobody has begun never happens, and disturbs nobody."""
    gone = record("eve")

    async def leaves() -> bool:
        asked = asyncio.ensure_future(stage.asynchronous.login(gone, NOW, NOW, None, ""))
        await asyncio.sleep(0)
        return asked.cancel()

    left, ada = await stage.together(leaves(), login(stage, "ada"))
    assert left
    assert ada.record is not None
    assert stage.store.load(gone.handle) is None


async def test_a_group_is_bounded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process, which waits for the file, gets its turn."""
    monkeypatch.setattr(sqlite_group, "LARGEST", 4)
    await stage.together(*(login(stage, f"user-{number}") for number in range(10)))
    assert stage.commits() == 3


async def test_a_crowd_behind_a_lock_is_told_in_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them wait for as long as one may, and are then told; afterwards all is well."""
    monkeypatch.setattr("coatcheck.stores.sqlite_async.PATIENCE", 0.3)
    other = sqlite3.connect(stage.store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    done = await asyncio.gather(*(login(stage, f"user-{n}") for n in range(200)), return_exceptions=True)
    assert {type(one) for one in done} == {StoreUnavailable}
    assert time.monotonic() - began < 1.5
    other.execute("ROLLBACK")
    other.close()
    assert (await login(stage, "ada")).record is not None


async def test_who_waits_behind_a_long_operation_is_told_in_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """`revoke_all` of many sessions has the thread for as long as it takes; nobody waits for it longer than one may."""
    monkeypatch.setattr("coatcheck.stores.sqlite_async.PATIENCE", 0.05)
    begun, over, told = threading.Event(), threading.Event(), record("ada")

    def takes_long() -> str:
        begun.set()
        over.wait(10)
        return "done"

    long = asyncio.ensure_future(stage.asynchronous.run(takes_long))
    while not begun.is_set():  # noqa: ASYNC110 (another thread says it)
        await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="longer operation"):
        await asyncio.wait_for(stage.asynchronous.login(told, NOW, NOW, None, ""), 5)
    over.set()
    assert await long == "done"
    await stage.asynchronous.stats(NOW)
    assert stage.store.load(told.handle) is None


async def test_a_crowd_that_only_writes_still_tidies_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is over and forgotten is deleted behind a group, too."""
    old = record(at=NOW - 100 * 86_400)
    await stage.asynchronous.create(old, NOW - 100 * 86_400)
    monkeypatch.setattr(sqlite_store, "_PURGE_EVERY", -1.0)
    await stage.together(login(stage, "ada"), login(stage, "bob"))
    await stage.asynchronous.stats(NOW)  # behind the tidying, on the same thread
    assert stage.store.load(old.handle) is None
