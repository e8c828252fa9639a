"""A read that asks SQLite nothing: only while nobody has written, and never a moment longer."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace

import pytest

from coatcheck.record import Ended, Record
from coatcheck.rows import record_of
from coatcheck.stores import sqlite_pulse, sqlite_store
from coatcheck.stores.sqlite import SQLiteStore
from tests.records import NOW, record
from tests.stores.passers_by import pass_by


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    opened = SQLiteStore(tmp_path / "sessions.db")
    yield opened
    opened.close()


def stored(store: SQLiteStore) -> Record:
    """A session that has been read twice, so that the next read asks nothing."""
    one = record()
    store.create(one, NOW)
    assert store.load(one.handle) == store.load(one.handle) == one
    return one


def statements(store: SQLiteStore, handle: str) -> list[str]:
    """What a read asks SQLite."""
    asked: list[str] = []
    store._db.reader().db.set_trace_callback(asked.append)
    store.load(handle)
    store._db.reader().db.set_trace_callback(None)
    return asked


def test_a_read_asks_sqlite_nothing_while_nobody_has_written(store: SQLiteStore) -> None:
    """What was read under one header of the log's index is what is stored for as long as it stands."""
    one = stored(store)
    assert statements(store, one.handle) == []
    store.create(record(), NOW)
    assert len(statements(store, one.handle)) == 1
    assert statements(store, one.handle) == []


def test_without_a_pulse_every_read_asks_sqlite(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no wal-index to be mapped (Windows), or one of another format, all is as it was."""
    monkeypatch.setattr(sqlite_store, "pulse", lambda _: None)
    one = stored(store)
    assert [len(statements(store, one.handle)) for _ in range(3)] == [1, 1, 1]


def test_an_index_of_another_format_is_not_believed(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The header begins with the format's number."""
    stored(store)
    assert sqlite_pulse.pulse(store.path) is not None
    monkeypatch.setattr(sqlite_pulse, "_VERSION", b"none")
    assert sqlite_pulse.pulse(store.path) is None


def _ends(path: Path, line: Connection) -> None:
    """Another process: ends each session it is told, and says so when it is acknowledged."""
    store = SQLiteStore(path)
    while handle := line.recv():
        store.end(handle, None, "revoked", NOW)
        line.send(True)
    store.close()


def test_what_another_process_has_ended_is_ended_at_once(store: SQLiteStore) -> None:
    """No read that begins after the acknowledgement finds it alive."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_ends, args=(store.path, there))
    process.start()
    try:
        for _ in range(200):
            one = stored(store)
            here.send(one.handle)
            assert here.recv()
            assert isinstance(store.load(one.handle), Ended)
    finally:
        here.send("")
        process.join()
    assert process.exitcode == 0


def test_what_was_read_before_a_change_is_not_kept_after_it(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change falls between the read and the moment at which it is kept: it is read again."""
    one, reading = stored(store), record_of
    store.create(record(), NOW)

    def ends_meanwhile(handle: str, data: bytes) -> Record:
        monkeypatch.setattr(sqlite_store, "record_of", reading)
        store.end(handle, None, "revoked", NOW)
        return reading(handle, data)

    monkeypatch.setattr(sqlite_store, "record_of", ends_meanwhile)
    assert store.load(one.handle) == one  # it was, when it was read
    assert isinstance(store.load(one.handle), Ended)


@pytest.mark.parametrize("tidied", ["PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM"])
def test_a_log_that_begins_anew_does_not_hide_a_change(store: SQLiteStore, tidied: str) -> None:
    """A checkpoint resets the log; what is written after it counts from the beginning again."""
    one = stored(store)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute(tidied)
    assert store.load(one.handle) == store.load(one.handle) == one
    store.end(one.handle, None, "revoked", NOW)
    assert isinstance(store.load(one.handle), Ended)
    other.close()


def test_a_file_that_was_closed_and_opened_again_has_another_pulse(store: SQLiteStore) -> None:
    """The last one to close a file deletes its index: whoever opens it again has to look at the new one."""
    one = stored(store)
    store.close()
    other = SQLiteStore(store.path)
    assert store.load(one.handle) == store.load(one.handle) == one
    other.end(one.handle, None, "revoked", NOW)
    assert isinstance(store.load(one.handle), Ended)
    other.close()


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="Linux tells who has locked what")
def test_looking_at_the_index_drops_none_of_sqlites_locks(store: SQLiteStore) -> None:
    """To close any descriptor of a file drops all locks that the process has on it: then another process would take
    the index for nobody's, and empty it under us."""
    stored(store)
    inode = Path(f"{store.path}-shm").stat().st_ino

    def locks() -> int:
        lines = (line.split() for line in Path("/proc/locks").read_text().splitlines())
        return sum(line[4] == str(os.getpid()) and line[5].endswith(f":{inode}") for line in lines)

    before = locks()
    assert before
    for _ in range(3):
        another = SQLiteStore(store.path)
        stored(another)
        another.close()
    sqlite_pulse._maps._forget()
    assert locks() == before


def test_a_file_that_the_application_copies_itself_does_not_hide_an_end(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To close any descriptor of the file drops SQLite's locks on it: the next process that closes it takes it for
    nobody's, and deletes log and index. They are read no more."""
    clock = turned(monkeypatch)
    one = stored(store)
    store.path.read_bytes()
    pass_by(store.path, one.handle)
    clock.append(clock[-1] + sqlite_pulse._EVERY)
    assert isinstance(store.load(one.handle), Ended)
    mine = record()
    store.create(mine, NOW)
    other = SQLiteStore(store.path)
    assert other.load(mine.handle) == mine
    other.close()


def turned(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pulse's clock: it says what stands last."""
    clock = [1000.0]
    monkeypatch.setattr(sqlite_pulse, "time", SimpleNamespace(monotonic=lambda: clock[-1]))
    return clock


def test_a_deleted_index_is_looked_for_once_a_millisecond(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question costs as much as all else of a read from memory: not at each, and never later than that."""
    clock = turned(monkeypatch)
    stored(store)
    found = sqlite_pulse.pulse(store.path)
    assert found is not None
    Path(f"{store.path}-shm").unlink()
    clock.append(clock[-1] + sqlite_pulse._EVERY * 0.9)
    assert not found.is_over()
    clock.append(clock[0] + sqlite_pulse._EVERY)
    assert found.is_over()


def test_a_connection_keeps_so_many_sessions_and_no_large_ones(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread's memory is bounded, whatever visitors store."""
    monkeypatch.setattr(sqlite_store, "_SEEN", 3)
    large = record(fields='{"cart":"%s"}' % ("x" * 3000))
    store.create(large, NOW)
    many = [record() for _ in range(5)]
    for one in many:
        store.create(one, NOW)
    for one in [*many, *many, large, large]:
        store.load(one.handle)
    seen = store._db.reader().seen
    assert len(seen) == 3
    assert large.handle not in seen
