"""Another process that comes to a SQLite file and goes, as commands from a timer do."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from coatcheck.record import Record
from coatcheck.stores.sqlite import SQLiteStore
from tests.records import NOW


def pass_by(path: Path, handle: str) -> None:
    """Have one come and go twice, and end that session the second time."""
    process = multiprocessing.get_context("spawn").Process(target=_come_and_go, args=(path, handle))
    process.start()
    process.join()
    assert process.exitcode == 0


def _come_and_go(path: Path, handle: str) -> None:
    for ends in (False, True):
        store = SQLiteStore(path)
        assert isinstance(store.load(handle), Record)
        if ends:
            store.end(handle, None, "revoked", NOW)
        store.close()
