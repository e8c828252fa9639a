"""Stores with a guard switched off, in a process of their own: what each harness has to catch."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from coatcheck.change import Change, apply
from coatcheck.codec import to_bytes
from coatcheck.gate import Gate
from coatcheck.record import Record, dump_record
from coatcheck.store import Held
from coatcheck.stores.postgresql.plans import Ask, Plan, Plans, _gate_of
from coatcheck.stores.postgresql.schema import Statements
from coatcheck.stores.redis import RedisStore, scripts
from coatcheck.stores.sqlite import SQLiteStore
from coatcheck.stores.sqlite_file import Database
from tests.processes.points import COMMIT, Watched


def upsert() -> None:
    """SQLite: read first, then write the whole row where it was, or where nothing is."""

    def commit(self: SQLiteStore, handle: str, change: Change, now: float) -> Held:
        before = self.load(handle)
        if not isinstance(before, Record):
            return before
        after = apply(before, change, now)
        assert isinstance(after, Record)
        row = (handle, after.user_id, after.created_at, after.forget_at, to_bytes(dump_record(after)))
        with self._db.writing() as db:
            db.execute(f"INSERT OR REPLACE INTO {self._sessions} VALUES (?, ?, ?, ?, NULL, NULL, ?)", row)
        return after

    SQLiteStore.commit = commit  # type: ignore[method-assign]


def deferred() -> None:
    """SQLite: a transaction that takes its lock with the first write, after it has read."""
    Watched.lock = lambda self: sqlite3.Connection.execute(self, "BEGIN")  # type: ignore[method-assign]


def hasty() -> None:
    """SQLite: what is answered is committed with the next statement."""
    execute = Watched.execute

    def later(self: Watched, sql: str, *args: Any) -> sqlite3.Cursor:
        if self.__dict__.pop("owing", False):
            execute(self, COMMIT)
        if "CREATE TABLE" in sql:
            self.__dict__["making"] = True
        if sql == COMMIT and not self.__dict__.pop("making", False):
            self.__dict__["owing"] = True
            return execute(self, "PRAGMA data_version")
        return execute(self, sql, *args)

    Watched.execute = later  # type: ignore[method-assign]


def tardy() -> None:
    """Redis: the end of a session is answered first, and sent with the next one."""
    end = RedisStore.end
    owed: list[Any] = []

    def later(self: RedisStore, *args: Any) -> Held:
        while owed:
            end(self, *owed.pop())
        owed.append(args)
        return self.load(args[0])

    RedisStore.end = later  # type: ignore[method-assign, assignment]


def unsynced() -> None:
    """SQLite: no commit waits for the disk."""
    writing = Database.writing
    Database.writing = lambda self, durable=True: writing(self, False)  # type: ignore[method-assign]


def unversioned() -> None:
    """Redis: what was computed from an old value is written over a newer one."""
    _without(scripts, "SAVE", "if version(old) ~= ARG[1] then return old end\n")


def ungated() -> None:
    """Redis: a login does not look whether the user was revoked since it arrived."""
    _without(scripts, "LOGIN", "  if tonumber(ARG[1]) < tonumber(field(user, 'nb')) then return {'barred'} end\n")


def unmarked() -> None:
    """Redis: a ticket's mark is written whether or not it is there."""
    _without(scripts, "REDEEM", ", 'NX'")


def blind() -> None:
    """PostgreSQL: what was computed from an old row is written over a newer one."""
    init = Statements.__init__

    def made(self: Statements, namespace: str) -> None:
        init(self, namespace)
        assert " AND version = %s" in self.put
        self.put = self.put.replace(" AND version = %s", " AND version >= 0 * %s")

    Statements.__init__ = made  # type: ignore[method-assign]


def unlocked() -> None:
    """PostgreSQL: a user's gate is read, and not held."""

    def gate(self: Plans, user_id: str, until: float) -> Plan[tuple[bytes, Gate]]:
        user = to_bytes(user_id)
        rows = yield Ask(self.sql.see_gate, (user,))
        if not rows:
            rows = yield Ask(self.sql.gate, (user, until))
        return user, _gate_of(rows[0])

    Plans._gate = gate  # type: ignore[method-assign]


def unbarred() -> None:
    """PostgreSQL: a login does not look whether the user was revoked since it arrived."""
    Gate.bars = lambda _self, _began: False  # type: ignore[method-assign, assignment]


def _without(module: Any, name: str, guard: str) -> None:
    text = getattr(module, name).text
    assert guard in text
    setattr(module, name, scripts._script(text.replace(guard, "").removeprefix(scripts._COMMON.strip())))


_SQLITE, _REDIS = (upsert, deferred, hasty, unsynced), (tardy, unversioned, ungated, unmarked)
_POSTGRESQL = (blind, unlocked, unbarred)
FAULTS: dict[str, Callable[[], None]] = {one.__name__: one for one in (*_SQLITE, *_REDIS, *_POSTGRESQL)}


def switch_off(fault: str | None) -> None:
    """Switch one guard off, for this process."""
    if fault is not None:
        FAULTS[fault]()
