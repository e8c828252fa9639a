"""What a power cut leaves of a SQLite database: copies of the file and its log, and logs that were cut short."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from pathlib import Path
from typing import NamedTuple

from coatcheck.rows import record_of
from tests.processes.history import History
from tests.processes.team import Hand

HEADER, FRAME_HEADER = 32, 24
"""Bytes before the log's first frame, and before each frame's page."""

_BACKFILLED = slice(128, 132)
"""In the shared index: the frames that a checkpoint has begun to copy into the database. It syncs the log before."""


class Copy(NamedTuple):
    """The two files as they were at one instant."""

    folder: Path
    synced: int = 0
    """Bytes of the log that were on disk when the last acknowledged operation was answered."""
    needed: int = 0
    """Bytes of the log that a checkpoint synced before it began to copy them into the database."""

    @property
    def log(self) -> Path:
        """The write-ahead log."""
        return self.folder / "sessions.db-wal"

    def again(self, folder: Path) -> Copy:
        """Another copy."""
        folder.mkdir()
        for name in ("sessions.db", "sessions.db-wal"):
            if (self.folder / name).exists():
                shutil.copyfile(self.folder / name, folder / name)
        return self._replace(folder=folder)


def taken(hand: Hand, history: History, database: Path, folder: Path) -> Copy:
    """A copy while the worker stands still, wherever it is; it goes on afterwards. `history` is up to date then."""
    pid = hand.process.pid
    os.kill(pid, signal.SIGSTOP)
    assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
    try:
        while (message := hand.hear(0)) is not None:
            history.take(message)
        copy = Copy(database.parent).again(folder)
        needed, synced = _on_disk(copy.log, Path(f"{database}-shm").read_bytes(), history)
        return copy._replace(needed=needed, synced=max(needed, synced))
    finally:
        os.kill(pid, signal.SIGCONT)


def _on_disk(log: Path, index: bytes, history: History) -> tuple[int, int]:
    """What a checkpoint needs of a log, and what an acknowledgement has promised of it, in bytes."""
    head = log.read_bytes()[:HEADER] if log.exists() else b""
    if len(head) < HEADER:
        return 0, 0
    salt, size = head[16:24], FRAME_HEADER + int.from_bytes(head[8:12], "big")
    copied = int.from_bytes(index[_BACKFILLED], "little") if index[32:40] == salt else 0
    answered, frames = history.synced or ("", 0)
    # Another salt: the log began anew since, and all that it held before is in the database, and synced.
    return HEADER + size * copied, HEADER + size * (frames if answered == salt.hex() else 0)


def cut(copy: Copy, length: int) -> None:
    """Lose all of the log after so many bytes."""
    os.truncate(copy.log, length)


def tear(copy: Copy, start: int, garbage: bytes) -> None:
    """Overwrite the log's end from there on, up to its length."""
    end = copy.log.stat().st_size
    with copy.log.open("r+b") as file:
        file.seek(start)
        file.write(garbage[: max(0, end - start)])


def whole(copy: Copy, namespace: str) -> int:
    """The number of records, each of which can be read. Raises AssertionError for a damaged file."""
    with sqlite3.connect(copy.folder / "sessions.db") as db:
        [(verdict,)] = db.execute("PRAGMA integrity_check").fetchall()
        assert verdict == "ok"
        rows = db.execute(f'SELECT handle, record FROM "{namespace}_sessions" WHERE record IS NOT NULL').fetchall()
    db.close()
    return len([record_of(handle, data) for handle, data in rows])
