"""Whether anybody has written to a SQLite file, told by its wal-index without asking SQLite: a read costs two locks in
the kernel and a walk through two trees, this one comparison of 96 bytes.

The wal-index is the file `-shm` beside the database, which all its users have in memory. A commit has changed both
copies of its header before it is acknowledged (https://www.sqlite.org/walformat.html, 2.1), so what was read under one
header is what is stored for as long as that header stands.
"""

from __future__ import annotations

import mmap
import os
import sys
import threading
import time
from pathlib import Path

from .. import fork

_HEADER = 96
"""Bytes of the two copies."""
_VERSION = (3_007_000).to_bytes(4, sys.byteorder)
"""What the header begins with. Anything else may mean another format."""
_EVERY = 0.001
"""Seconds between two questions whether the index has still a name: each costs as much as all else of a read."""


class Pulse:
    """The header of one file's wal-index. It is good while a connection to that file is open that has read from it:
    nobody can put another wal-index in its place then."""

    __slots__ = ("_asked", "_descriptor", "_map")

    def __init__(self, descriptor: int, mapped: mmap.mmap) -> None:
        self._descriptor, self._map = descriptor, mapped
        self._asked = 0.0

    def beat(self) -> bytes:
        """Differs from what it was before, once a change has been acknowledged."""
        return self._map[:_HEADER]

    def is_over(self) -> bool:
        """Whether the index was deleted, though we have it: by somebody who took the file for nobody's, for this
        process has closed a descriptor of it and so lost SQLite's locks, or by hand. Nobody writes to it any more.
        A deletion is seen after a millisecond at the latest."""
        now = time.monotonic()
        if now < self._asked + _EVERY:
            return False
        self._asked = now
        return os.fstat(self._descriptor).st_nlink == 0


def pulse(path: Path) -> Pulse | None:
    """That of the database at `path`, to which this process has a connection; None where there is none to be had."""
    if os.name != "posix":  # elsewhere a mapping and SQLite's own need not see the same memory
        return None
    try:
        descriptor, mapped = _maps.of(f"{path.resolve()}-shm")
    except (OSError, ValueError):
        return None
    found = Pulse(descriptor, mapped)
    return found if mapped[:4] == _VERSION and not found.is_over() else None


class _Maps:
    """This process's mappings, one a file.

    They stay open: to close any descriptor of a file drops the locks that the whole process, and so SQLite, has on it
    (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """

    def __init__(self) -> None:
        self.forked()
        self._open: dict[tuple[int, int], tuple[int, mmap.mmap]] = {}
        fork.watch(self)

    def forked(self) -> None:
        """Another thread may have had it."""
        self._lock = threading.Lock()

    def of(self, path: str) -> tuple[int, mmap.mmap]:
        """That of a file, and its descriptor. Raises OSError or ValueError where there is none."""
        with self._lock:
            there = Path(path).stat()
            inode = there.st_dev, there.st_ino
            if inode not in self._open:
                self._forget()
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                self._open[inode] = descriptor, mmap.mmap(descriptor, _HEADER, mmap.MAP_SHARED, mmap.PROT_READ)
            return self._open[inode]

    def _forget(self) -> None:
        """Close those of files that are no more: nobody else can come to one, so its locks guard nothing."""
        for inode, (descriptor, _) in list(self._open.items()):
            if os.fstat(descriptor).st_nlink == 0:
                del self._open[inode]
                os.close(descriptor)


_maps = _Maps()
