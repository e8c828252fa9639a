"""Waiting for SQLite's lock: bounded, in all, however many threads queue."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from coatcheck.errors import StoreUnavailable
from coatcheck.stores import sqlite_file
from coatcheck.stores.sqlite import SQLiteStore
from coatcheck.token import new_handle
from tests.records import NOW, record

BUSY = 0.3
"""Seconds that a call may wait here."""


@contextmanager
def locked(path: Path, mode: str) -> Iterator[None]:
    """Somebody else's transaction, which does not end."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(f"BEGIN {mode}")
    yield
    other.execute("ROLLBACK")
    other.close()


def seconds(store: SQLiteStore, call: str) -> float:
    """How long a call took until it gave up."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="locked"):
        store.create(record(), NOW) if call == "write" else store.load(new_handle(None))
    return time.monotonic() - began


def test_threads_that_queue_for_the_lock_wait_no_longer_than_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their turn in this process and SQLite's own wait are one wait; afterwards the next write has its whole time."""
    monkeypatch.setattr(sqlite_file, "PATIENCE", BUSY)
    store = SQLiteStore(tmp_path / "sessions.db")
    store.create(record(), NOW)
    with locked(store.path, "IMMEDIATE"), ThreadPoolExecutor(4) as pool:
        waits = list(pool.map(lambda _: seconds(store, "write"), range(4)))
        again = seconds(store, "write")
    # One after the other they would take 1.2 s, and with both waits 0.6.
    assert max(waits) < 1.8 * BUSY
    assert again > 0.5 * BUSY
    store.create(record(), NOW)
    store.close()


def test_threads_that_open_a_locked_file_wait_no_longer_than_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new namespace in a file that somebody holds: each is told in time, none after the one before."""
    monkeypatch.setattr(sqlite_file, "PATIENCE", BUSY)
    SQLiteStore(tmp_path / "sessions.db").create(record(), NOW)
    store = SQLiteStore(tmp_path / "sessions.db", namespace="other")
    with locked(store.path, "EXCLUSIVE"), ThreadPoolExecutor(4) as pool:
        waits = list(pool.map(lambda _: seconds(store, "read"), range(4)))
    assert max(waits) < 1.8 * BUSY
    assert store.load(new_handle(None)) is None
    store.close()
