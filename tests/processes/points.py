"""The points at which a worker process can be stopped, or dies: around each lock, COMMIT and round trip."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import psycopg

from coatcheck.stores.postgresql import PostgreSQLStore
from coatcheck.stores.postgresql.plans import More
from coatcheck.stores.redis import RedisStore, scripts
from coatcheck.stores.redis.scripts import Script
from tests.redis_tools import acquainted

LAST = "before the answer"
"""All is done, and nobody has been told."""

BEGIN, COMMIT = "BEGIN IMMEDIATE", "COMMIT"
FULL = 2
_SHAS = {value.sha: name for name, value in vars(scripts).items() if isinstance(value, Script)}


class Points:
    """Counts the points that a call comes to, and stops or kills this process at the one that was chosen."""

    def __init__(self, stopped: Callable[[str], None], waits: Callable[[], None]) -> None:
        self._stopped, self.waits = stopped, waits
        self.left: int | None = None
        """Points to pass before the chosen one; None: none is."""
        self.deadly = False
        self.synced: tuple[str, int] | None = None
        """What of the write-ahead log is on disk: its salt, and frames, as of the last COMMIT under FULL."""

    def reach(self, name: str) -> None:
        """Be at a point."""
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            if self.deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            self._stopped(name)


class Watched(sqlite3.Connection):
    """A real connection that comes to points."""

    points: ClassVar[Points]
    waiting = False
    """Whether it has said that it waits: the store asks for the lock again and again, and this is said once."""

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        run, points = super().execute, self.points
        if sql == BEGIN:
            points.reach("before the lock")
            cursor = self.lock()
            self.waiting = False
            points.reach("with the lock")
            return cursor
        if sql == COMMIT:
            points.reach("before COMMIT")
            synced = run("PRAGMA synchronous").fetchone()[0] >= FULL
            cursor = run(sql)
            if synced:
                points.synced = log_end(run("PRAGMA database_list").fetchone()[2])
            points.reach("after COMMIT")
            return cursor
        if sql.startswith("SELECT") and not self.in_transaction:
            points.reach("before a read")
        return run(sql, *args)

    def lock(self) -> sqlite3.Cursor:
        """The writer's lock at once; or say that another has it, and wait as ever."""
        run = super().execute
        (patience,) = run("PRAGMA busy_timeout").fetchone()
        run("PRAGMA busy_timeout = 0")
        try:
            return run(BEGIN)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            if not self.waiting:
                self.waiting = True
                self.points.waits()
        finally:
            run(f"PRAGMA busy_timeout = {patience}")
        return run(BEGIN)


def watch_sqlite(points: Points) -> None:
    """Let every connection that this process opens from now on come to points."""
    connect = sqlite3.connect
    Watched.points = points
    setattr(sqlite3, "connect", lambda *args, **more: connect(*args, **more, factory=Watched))  # noqa: B010


def log_end(path: str) -> tuple[str, int] | None:
    """The salt of the write-ahead log and its frames up to the last commit, from the index in shared memory."""
    index = Path(f"{path}-shm")
    if not index.exists():
        return None
    with index.open("rb") as file:
        head = file.read(48)
    return head[32:40].hex(), int.from_bytes(head[16:20], "little")


def watch_redis(store: RedisStore, points: Points) -> None:
    """Let a store come to a point before each round trip. The server is met and knows the scripts before."""
    acquainted(store)
    send = store._send

    def watched(step: Any) -> Any:
        if step[0][0] not in {"INFO", "TIME"}:
            points.reach(f"before {_SHAS.get(step[0][1], step[0][0])}")
        return send(step)

    # Every call as a plan: the short cut for reads does not come by here.
    store._send = watched  # type: ignore[method-assign]
    store.load = lambda handle: store._drive(store._plans.load(handle))  # type: ignore[method-assign]


def watch_postgresql(store: PostgreSQLStore, points: Points) -> None:
    """Let a store come to a point before each statement, and say where one waits for a lock."""
    names = {sql: name for name, sql in vars(store._plans.sql).items() if isinstance(sql, str)}
    store.meet()
    watcher = psycopg.connect(store.target.conninfo, autocommit=True)

    def noticing(gen: Any, pid: int) -> Any:
        step, told = next(gen), False
        while True:
            ready = yield step
            if not ready and not told:
                state = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
                if watcher.execute(state, (pid,)).fetchone() == ("Lock",):
                    told = True
                    points.waits()
            try:
                step = gen.send(ready)
            except StopIteration as done:
                return done.value

    def carry(connection: Any, plan: Any) -> Any:
        wait, pid = type(connection).wait, connection.info.backend_pid
        connection.wait = lambda gen, interval=0.05, timeout=None: wait(connection, noticing(gen, pid), 0.05, timeout)
        try:
            step = next(plan)
            while True:
                if isinstance(step, More):
                    step = plan.send(None)
                    continue
                name = names.get(step.sql, step.sql)
                points.reach("before a read" if name == "load" else f"before {name}")
                cursor = connection.execute(*step, binary=bool(step.parameters))
                step = plan.send(cursor.fetchall() if cursor.description else cursor.rowcount)
        except StopIteration as done:
            return done.value
        finally:
            del connection.wait

    store._carry = carry  # type: ignore[method-assign]
