"""A SQLite file across forks, and one that is closed while it is used: SQLite itself forbids the first and dies of the
second."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coatcheck.change import Change
from coatcheck.errors import StoreUnavailable
from coatcheck.record import Ended, Record
from coatcheck.stores.sqlite import SQLiteStore
from tests.records import NOW, record
from tests.stores.passers_by import pass_by

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")

_PATIENCE = 60
"""Seconds after which a child that waits for ever is taken away."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    opened = SQLiteStore(tmp_path / "sessions.db")
    yield opened
    opened.close()


def _fork(work: Callable[[], object]) -> int:
    """The id of a child that does this; it exits with 0 if that raised nothing."""
    if pid := os.fork():
        return pid
    status = 1
    try:
        signal.alarm(_PATIENCE)
        work()
        status = 0
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os._exit(status)


def _left(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_child_that_outlives_its_parents_connections_finds_what_others_end(store: SQLiteStore) -> None:
    """A server that loads the application, forks its workers and closes, or goes away: whoever closes the file last
    deletes its log, and a worker without locks would go on in the deleted one for ever."""
    one, mine = record(), record()
    store.create(one, NOW)
    assert store.load(one.handle) == store.load(one.handle) == one
    reading, closed = os.pipe()

    def work() -> None:
        assert store.load(one.handle) == store.load(one.handle) == one
        os.read(reading, 1)
        pass_by(store.path, one.handle)
        assert isinstance(store.load(one.handle), Ended)
        store.create(mine, NOW)

    child = _fork(work)
    store.close()
    os.write(closed, b".")
    assert _left(child) == 0
    assert isinstance(store.load(one.handle), Ended)
    assert store.load(mine.handle) == mine
    os.close(reading)
    os.close(closed)


def test_a_fork_in_the_midst_of_a_write_leaves_no_lock_behind(store: SQLiteStore) -> None:
    """A child would take its parent's write for its own, that never ends."""
    one = record()
    store.create(one, NOW)
    over = threading.Event()

    def writes() -> None:
        while not over.is_set():
            store.commit(one.handle, Change(set={"n": 1}), NOW)
            store.commit(one.handle, Change(set={"n": 2}), NOW)

    thread = threading.Thread(target=writes)
    thread.start()
    try:
        for number in range(20):
            change = Change(set={f"child-{number}": 1})
            assert _left(_fork(lambda change=change: store.commit(one.handle, change, NOW))) == 0  # type: ignore[misc]
    finally:
        over.set()
        thread.join()
    found = store.load(one.handle)
    assert isinstance(found, Record)
    assert all(f'"child-{number}":1' in found.fields for number in range(20))


def test_a_fork_in_the_midst_of_its_own_write_does_not_wait_for_ever(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parent goes on; the write is rolled back, for its connection was closed."""
    monkeypatch.setattr("coatcheck.stores.sqlite_file.PATIENCE", 0.05)
    one = record()

    def forks() -> None:
        with store._db.writing() as db:
            store._put(db, one)
            assert _left(_fork(lambda: None)) == 0

    with pytest.raises(StoreUnavailable, match="closed"):
        forks()
    assert store.load(one.handle) is None
    assert store.create(one, NOW)


def test_a_feed_does_not_outlast_a_fork(store: SQLiteStore) -> None:
    """Its connection would take SQLite's idea of the locks into the child. Who listens connects anew."""
    store.create(record(), NOW)
    feed = store.feed()
    locks = Path("/proc/locks")

    def holds() -> None:
        store.load(record().handle)
        with store._db.reading() as db:
            db.execute("SELECT count(*) FROM coatcheck_sessions").fetchone()
        if locks.exists():
            assert f" {os.getpid()} " in locks.read_text()

    assert _left(_fork(holds)) == 0
    feed.close()


def _uses(path: Path) -> None:
    """Three threads use a store that a fourth one closes all the time."""
    sys.setswitchinterval(1e-4)  # a read from memory gives no other thread a turn of itself
    store, one, over = SQLiteStore(path), record(), threading.Event()
    store.create(one, NOW)
    faults: list[BaseException] = []

    def works(write: bool) -> None:
        try:
            while not over.is_set():
                if write:
                    store.commit(one.handle, Change(set={"n": 1}), NOW)
                    store.commit(one.handle, Change(set={"n": 2}), NOW)
                assert isinstance(store.load(one.handle), Record)
        except BaseException as error:
            faults.append(error)
            raise

    threads = [threading.Thread(target=works, args=(write,)) for write in (False, False, True)]
    for thread in threads:
        thread.start()
    for _ in range(150):
        over.wait(0.001)  # so that they ask something meanwhile
        store.close()
    over.set()
    for thread in threads:
        thread.join()
    store.close()
    assert not faults


def test_a_store_that_is_closed_while_it_is_used_is_opened_again(tmp_path: Path) -> None:
    """Closed under a question, SQLite would take the process with it."""
    process = multiprocessing.get_context("spawn").Process(target=_uses, args=(tmp_path / "sessions.db",))
    process.start()
    process.join()
    assert process.exitcode == 0
