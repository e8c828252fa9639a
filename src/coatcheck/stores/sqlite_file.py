"""One SQLite file and this process's connections to it: opening, waiting, errors in plain words, forks."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from .. import fork
from ..errors import StoreUnavailable
from ..feed import Counted
from ..record import Record
from .sqlite_pulse import Pulse

T = TypeVar("T")
Connection = sqlite3.Connection

PATIENCE = 1.5
"""Seconds that a call may wait for another process's lock."""

_LOOK_AGAIN = 0.001
"""Seconds between two looks at another process's lock."""

_MAPPED = 2**30
"""Bytes of the file that are read from the kernel's own pages: about 1.8 million sessions."""

_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process has locked it for too long. Is a backup or a shell holding a transaction?",
    sqlite3.SQLITE_NOTADB: "it is not a SQLite database. Point the store's URL at another file, or move this one away.",
    sqlite3.SQLITE_CORRUPT: "it is damaged. Restore it from a backup, or move it away to start empty.",
    sqlite3.SQLITE_READONLY: "it, or its folder, is read-only for this process. Change the owner or the permissions.",
    sqlite3.SQLITE_FULL: "the disk is full. Nothing was written and nothing is lost; free some space.",
    sqlite3.SQLITE_IOERR: "the disk did not do what was asked (full, or failing). Nothing was half written.",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened. Does its folder exist, and may this process write there?",
}


class _Handle:
    """A connection that closes itself with its thread, but never in a child of fork: closing it there would
    drop the parent's locks and tidy up its log."""

    __slots__ = (
        *("__weakref__", "asked", "beat", "db", "generation", "lock", "pid", "pulse", "seen", "synchronous", "wait"),
    )
    _abandoned: list[Connection] = []  # noqa: RUF012

    def __init__(self, db: Connection, pid: int, generation: int) -> None:
        self.db: Connection = db
        self.pid: int = pid
        self.generation: int = generation
        self.lock: Any = threading.RLock()
        """Held while the connection is asked: closed under a question it would take the process with it."""
        self.synchronous = ""
        self.wait = -1
        self.asked: bool = False
        self.pulse: Pulse | None = None
        self.beat = b""
        self.seen: dict[str, Record] = {}
        """What this connection has read since the pulse was at that beat."""

    def close(self) -> None:
        """From any thread: when nobody asks it anything."""
        if self.pid == os.getpid():
            with self.lock, suppress(sqlite3.Error):
                self.db.close()

    def __del__(self) -> None:
        self.close()
        if self.pid != os.getpid():
            self._abandoned.append(self.db)


class Database:
    """Connections to one file, one for reading and one for writing to each thread of each process."""

    pid: Callable[[], int] = staticmethod(os.getpid)

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._schema = schema
        self._local = threading.local()
        self._locks = (os.getpid(), threading.Lock(), threading.Lock())
        self._ready = (0, -1)
        self._generation = 0
        self._open: weakref.WeakSet[_Handle] = weakref.WeakSet()
        self._ears: weakref.WeakSet[_Handle] = weakref.WeakSet()
        fork.watch(self)
        fork.settle(self)

    # -- reading and writing -----------------------------------------------------------------------------

    def reader(self) -> _Handle:
        """This thread's connection for reading, which never waits. Raises sqlite3.OperationalError where it would have
        to: also before this process has opened the file for anything else."""
        handle: _Handle | None = getattr(self._local, "reader", None)
        if handle is None or handle.generation != self._generation:
            if self._ready != (self._generation, os.getpid()):
                raise sqlite3.OperationalError("not open yet")
            handle = self._local.reader = self._connect("reader")
        return handle

    def forked(self) -> None:
        """Open connections of this process: see `fork.watch`."""
        self._generation += 1

    def before_fork(self) -> Callable[[], None]:
        """Close all connections, and open none until what is returned is called.

        SQLite keeps in this process's memory which locks the process has. A child would inherit that and not the
        locks: it would go on in a file that others take for nobody's, or wait for ever for a lock that nobody has.
        """
        deadline, (_, opening, turn) = time.monotonic() + PATIENCE, self._locks_here()
        # In the order in which they are taken elsewhere. A fork in the midst of this thread's own write gets neither.
        locks = [lock for lock in (turn, opening) if lock.acquire(timeout=max(0.0, deadline - time.monotonic()))]
        self.close()
        for ear in list(self._ears):
            ear.close()

        def resume() -> None:
            for lock in locks:
                lock.release()

        return resume

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for one read, with faults in plain words."""
        try:
            with self._asking() as handle:
                self._wait(handle, self._patience())
                yield handle.db
        except sqlite3.Error as error:
            raise self._plain(error) from error

    @contextmanager
    def together(self, deadline: float) -> Iterator[Connection]:
        """One durable transaction of all that this thread writes in the block, begun by `deadline` (of the monotonic
        clock, in seconds). Of what it writes each part may fail by itself, unless the connection is in no transaction
        any more: then the block has to raise.

        Raises `StoreUnavailable`: then nothing of it was written.
        """
        before: float | None = getattr(self._local, "deadline", None)
        self._local.deadline = deadline
        try:
            with self._transaction(durable=True) as db:
                self._local.deadline, self._local.group = before, db
                try:
                    yield db
                finally:
                    self._local.group = None
        finally:
            self._local.deadline = before

    @contextmanager
    def writing(self, durable: bool = True) -> Iterator[Connection]:
        """One transaction that has the write lock from its first word; rolled back if the block raises. In `together`
        it is a part of that one's."""
        group: Connection | None = getattr(self._local, "group", None)
        if group is None:
            with self._transaction(durable) as db:
                yield db
            return
        try:
            group.execute("SAVEPOINT part")
            try:
                yield group
            except BaseException:
                group.execute("ROLLBACK TO part")
                raise
            finally:
                group.execute("RELEASE part")
        except sqlite3.Error as error:
            raise self._plain(error) from error

    @property
    def is_grouped(self) -> bool:
        """Whether this thread is in `together`."""
        return getattr(self._local, "group", None) is not None

    @contextmanager
    def _transaction(self, durable: bool) -> Iterator[Connection]:
        # SQLite's own waiting is not fair: threads queue here, so that only processes meet there.
        turn = self._locks_here()[2]
        before: float | None = getattr(self._local, "deadline", None)
        if not turn.acquire(blocking=False):
            # Both waits together, this one and SQLite's own, are as long as one may be.
            self._local.deadline = before or time.monotonic() + PATIENCE
            if not turn.acquire(timeout=self._patience()):
                self._local.deadline = before
                raise self._plain(None)
        try:
            with self._asking() as handle:
                db = handle.db
                self._wait(handle, 0.0)
                # FULL: the log is on disk when COMMIT returns. NORMAL: at the next checkpoint or FULL commit.
                level = "FULL" if durable else "NORMAL"
                if handle.synchronous != level:
                    db.execute(f"PRAGMA synchronous = {level}")
                    handle.synchronous = level
                self._begin(db)
                try:
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):
                        db.execute("ROLLBACK")
                    raise
        except sqlite3.Error as error:
            raise self._plain(error) from error
        finally:
            turn.release()
            self._local.deadline = before

    def _begin(self, db: Connection) -> None:
        """Have the write lock. SQLite's own waiting looks every tenth of a second in the end, and where another process
        writes all the time never meets the moment at which the lock is free."""
        deadline = time.monotonic() + self._patience()
        while True:
            try:
                db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    raise
                time.sleep(_LOOK_AGAIN)
            else:
                return

    def until(self, deadline: float, method: Callable[..., T], *args: Any) -> T:
        """Call a method that waits no longer than until `deadline` (of the monotonic clock, in seconds)."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise self._plain(None)
        before: float | None = getattr(self._local, "deadline", None)
        self._local.deadline = deadline
        try:
            return method(*args)
        finally:
            self._local.deadline = before

    def _patience(self) -> float:
        """Seconds that this call may still wait."""
        deadline: float | None = getattr(self._local, "deadline", None)
        return PATIENCE if deadline is None else max(0.0, deadline - time.monotonic())

    def _locks_here(self) -> tuple[int, threading.Lock, threading.Lock]:
        """This process's locks, for opening and for writing: a thread that a fork left behind may hold the old."""
        if self._locks[0] != os.getpid():
            self._locks = (os.getpid(), threading.Lock(), threading.Lock())
        return self._locks

    # -- connections -------------------------------------------------------------------------------------

    def _writer(self) -> _Handle:
        handle: _Handle | None = getattr(self._local, "writer", None)
        if handle is None or handle.pid != os.getpid() or handle.generation != self._generation:
            handle = self._local.writer = self._connect("writer")
        return handle

    @contextmanager
    def _asking(self) -> Iterator[_Handle]:
        """This thread's connection for writing, which nobody closes meanwhile."""
        while True:
            handle = self._writer()
            with handle.lock:
                if handle.generation == self._generation:
                    yield handle
                    return

    def _wait(self, handle: _Handle, seconds: float) -> None:
        """Let SQLite itself wait for that long."""
        wait = int(seconds * 1000)
        if handle.wait != wait:
            handle.db.execute(f"PRAGMA busy_timeout = {wait}")
            handle.wait = wait

    def _connect(self, kind: str) -> _Handle:
        # Threads that queue here wait as long, all together, as one that waits for the file.
        deadline, opening = time.monotonic() + self._patience(), self._locks_here()[1]
        if not opening.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise self._plain(None)
        try:
            here = (self._generation, os.getpid())
            if self._ready != here:
                self._prepare(deadline)
                self._ready = here
            handle = _Handle(self._new(PATIENCE if kind == "writer" else 0.0), os.getpid(), here[0])
            (self._ears if kind == "ear" else self._open).add(handle)
        finally:
            opening.release()
        return handle

    def _new(self, wait: float) -> Connection:
        db = sqlite3.connect(self.path, timeout=wait, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA cache_size = -4096")
        # In a file of a million sessions a read costs a third less: docs/scale.md.
        db.execute(f"PRAGMA mmap_size = {_MAPPED}")
        return db

    def _prepare(self, deadline: float) -> None:
        """Make the file and its tables, once for each process; several may do it at the same time."""
        with suppress(FileExistsError, OSError):
            # Before SQLite makes it: it holds what users entrust to a session.
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        db = self._new(max(0.0, deadline - time.monotonic()))
        try:
            while True:
                try:
                    # The switch to WAL needs the file for itself and does not wait for it on its own.
                    if db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                        db.execute("PRAGMA journal_mode = WAL")
                    break
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                        raise
                    time.sleep(0.005)
            names = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            if not all(line.split('"')[1] in names for line in self._schema.splitlines() if "IF NOT" in line):
                db.execute("BEGIN IMMEDIATE")
                for statement in self._schema.split(";"):
                    db.execute(statement)
                db.execute("COMMIT")
        finally:
            db.close()

    def feed(self) -> Counted:
        """Tells that somebody has written, on a connection of its own."""

        def count() -> int:
            try:
                with handle.lock:
                    number: int = handle.db.execute("PRAGMA data_version").fetchone()[0]
            except sqlite3.Error as error:
                raise self._plain(error) from error
            return number

        try:
            handle = self._connect("ear")
        except sqlite3.Error as error:
            raise self._plain(error) from error
        return Counted(count, handle.close)

    def close(self) -> None:
        """Close this process's connections; the next use opens new ones."""
        self._generation += 1
        for handle in list(self._open):
            handle.close()
            self._open.discard(handle)

    def lost(self, handle: _Handle) -> None:
        """A connection's log is no more: the next use of any opens a new one."""
        if handle.generation == self._generation:
            self.close()

    def _plain(self, error: sqlite3.Error | None) -> StoreUnavailable:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_BUSY if error is None else 0) & 0xFF
        return StoreUnavailable(f"the session file {self.path}: {_REMEDIES.get(code, str(error))}")

    # -- a secret beside it ------------------------------------------------------------------------------

    def key_file(self, key: Path, made: Callable[[], str]) -> str:
        """The text in a file beside the database, made exclusively (0600) with `made()` where it is missing.
        Raises `StoreUnavailable`."""
        for _ in range(3):
            with suppress(FileNotFoundError):
                return key.read_text().strip()
            draft = key.with_name(f"{key.name}.{os.getpid()}.{threading.get_ident()}")
            try:
                text = made()
                with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                    file.write(text + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                # A link is exclusive and whole: of two processes one makes it, and nobody reads half a key.
                with suppress(FileExistsError):
                    os.link(draft, key)
            except OSError as error:
                raise StoreUnavailable(f"the key file {key}: {error.strerror}") from error
            finally:
                draft.unlink(missing_ok=True)
        raise StoreUnavailable(f"the key file {key} comes and goes")
