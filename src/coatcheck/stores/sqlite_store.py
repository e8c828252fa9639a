"""The store in one SQLite file, for synchronous callers.

One row a session, read by its primary key. Every write is one `BEGIN IMMEDIATE` transaction in WAL mode,
so readers never wait. Ends, logins, rotations and data are on disk (`synchronous=FULL`) before they are
acknowledged; a touch alone may be lost in a power cut.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..change import Change, apply
from ..codec import Wire, to_bytes
from ..errors import ConfigurationError, StoreUnavailable
from ..feed import Counted
from ..gate import Gate, dump_patches, load_patches
from ..health import Check
from ..policy import TOMBSTONE
from ..record import Ended, Record, dump_record, held
from ..rows import record_of, records_of, value_of
from ..store import Held, Login, Stats, Taken
from . import sqlite_health
from .sqlite_count import count
from .sqlite_file import Connection, Database
from .sqlite_moves import SQLiteMoves
from .sqlite_pulse import pulse
from .sqlite_rows import SCHEMA
from .sqlite_trail import SQLiteTrail

_PURGE_EVERY = 60.0
_PURGE_BATCH = 100
_TIDY_WITHIN = 0.05
"""Seconds for which a write that is done waits in order to tidy up."""
_PATCHED_AT_ONCE = 20
_SHORT, _SEEN = 2048, 1024
"""Bytes of a record that a connection keeps until somebody writes, and how many it keeps."""
_ENDED_AT_ONCE = 2000


class SQLiteStore(SQLiteMoves, SQLiteTrail):
    """A `Store` in one file, at `path`. Constructing it does no I/O; the file is made at the first use, readable by its
    owner alone. `namespace` is the manager's, and names the tables. Its clock is the machine's: `offset` is 0."""

    offset: float = 0.0

    def __init__(self, path: str | Path, *, namespace: str = "coatcheck") -> None:
        self.path: Path = Path(path).absolute()
        self.namespace = namespace
        self._db = Database(self.path, SCHEMA.format(ns=namespace))
        self._purged_at = self._now = 0.0
        table = f'"{namespace}_sessions"'
        self._sessions, self._gates, self._tickets = table, f'"{namespace}_gates"', f'"{namespace}_tickets"'
        self._select = f"SELECT record, reason, forget_at, successor FROM {table} WHERE handle = ?"
        self._select_successor = f"SELECT successor FROM {table} WHERE handle = ? AND reason = 'replaced'"
        self._select_live = f"SELECT record FROM {table} WHERE handle = ? AND record IS NOT NULL"

    def __repr__(self) -> str:
        return f"<SQLiteStore {self.path.name}>"

    # -- one session -------------------------------------------------------------------------------------

    def load(self, handle: str) -> Held:
        with suppress(sqlite3.Error):
            return self.load_now(handle)
        with self._db.reading() as db:
            return value_of(handle, db.execute(self._select, (handle,)).fetchone())

    def load_now(self, handle: str) -> Held:
        """As `load`, but never waits: raises `sqlite3.OperationalError` where it would have to."""
        reader = self._db.reader()
        if reader.pulse is not None:
            if reader.pulse.is_over():
                self._db.lost(reader)
                raise sqlite3.OperationalError("its log was deleted")
            # Before the read: what is committed between the two is read again.
            beat = reader.pulse.beat()
            if beat != reader.beat:
                reader.beat, reader.seen = beat, {}
            elif (kept := reader.seen.get(handle)) is not None:
                return kept
        with reader.lock:
            row = reader.db.execute(self._select_live, (handle,)).fetchone()
            other = reader.db.execute(self._select, (handle,)).fetchone() if row is None else None
        if row is None:
            return value_of(handle, other)
        record = record_of(handle, row[0])
        if not reader.asked:
            reader.asked, reader.pulse = True, pulse(self.path)
        elif reader.pulse is not None and len(row[0]) <= _SHORT and len(reader.seen) < _SEEN:
            reader.seen[handle] = record
        return record

    def create(self, record: Record, now: float) -> bool:
        with self._writing(now) as db:
            if db.execute(self._select, (record.handle,)).fetchone():
                return False
            self._put(db, record)
            return True

    def login(
        self, record: Record, began: float, now: float, limit: int | None, reason: str, replaces: str | None = None
    ) -> Login:
        user = str(record.user_id)
        with self._writing(now) as db:
            gate = self._gate(db, user)
            if gate.bars(began):
                return Login(None)
            record = gate.admit(record, now)
            self._put(db, record)
            self._put_gate(db, user, gate, record.expires_at)
            if limit is None:
                return Login(record)
            rows = db.execute(
                f"SELECT handle FROM {self._sessions} WHERE user_id = ? AND forget_at > ? AND handle NOT IN (?, ?) "
                "AND record IS NOT NULL "
                "ORDER BY created_at DESC, handle DESC LIMIT -1 OFFSET ?",
                (user, now + TOMBSTONE, record.handle, replaces or "", limit - 1),
            ).fetchall()
            over = tuple(handle for (handle,) in rows)
            for handle in over:
                self._bury(db, handle, Ended(reason, now))
            return Login(record, over)

    def commit(self, handle: str, change: Change, now: float) -> Held:
        with self._writing(now, durable=not change.lazy) as db:
            return self._commit(db, handle, change, now)

    def replace(self, handle: str, change: Change, new: Record, now: float) -> Held:
        with self._writing(now) as db:
            after = self._commit(db, handle, change, now)
            if isinstance(after, Record):
                if after.user_id is not None:
                    # An `update_user` that has not come to this session yet will not find it by its new name.
                    after = self._gate(db, after.user_id).admit(after, now)
                self._bury(db, handle, Ended("replaced", now, successor=new.handle))
                after = after._replace(handle=new.handle, secrets=new.secrets, settled=new.settled)
                self._put(db, after)
            return after

    def end(self, handle: str, user_id: str | None, reason: str, now: float) -> Held:
        with self._writing(now) as db:
            return self._end(db, handle, reason, now)

    def _end(self, db: Connection, handle: str, reason: str, now: float) -> Held:
        value = self._get(db, handle)
        if isinstance(value, Record):
            over = value.over(now)
            self._bury(db, handle, over or Ended(reason, now))
            return over or value
        return value

    # -- one user ----------------------------------------------------------------------------------------

    def sessions(self, user_id: str, now: float, limit: int, after: str | None) -> list[Record]:
        with self._db.reading() as db:
            place = (
                after
                and db.execute(f"SELECT created_at, handle FROM {self._sessions} WHERE handle = ?", (after,)).fetchone()
            )
            rows = db.execute(
                f"SELECT handle, record FROM {self._sessions} WHERE user_id = ? AND forget_at > ? "
                "AND record IS NOT NULL AND (created_at, handle) < (?, ?) "
                "ORDER BY created_at DESC, handle DESC LIMIT ?",
                (user_id, now + TOMBSTONE, *(place or (float("inf"), "")), limit),
            ).fetchall()
        return records_of(rows)

    def revoke_user(self, user_id: str, keep: str | None, reason: str, now: float, until: float) -> list[str]:
        with self._writing(now) as db:
            self._put_gate(db, user_id, self._gate(db, user_id).closed(now), until)
            while keep and (row := db.execute(self._select_successor, (keep,)).fetchone()):
                (keep,) = row
            rows = db.execute(
                f"UPDATE {self._sessions} SET record = NULL, user_id = NULL, reason = ?, forget_at = ? "
                "WHERE user_id = ? AND forget_at > ? AND handle IS NOT ? AND record IS NOT NULL RETURNING handle",
                (reason, now + TOMBSTONE, user_id, now + TOMBSTONE, keep),
            ).fetchall()
            over = db.execute(
                f"SELECT handle FROM {self._sessions} WHERE user_id = ? AND handle IS NOT ?", (user_id, keep)
            ).fetchall()
            for (handle,) in over:
                with suppress(StoreUnavailable):
                    self._end(db, handle, reason, now)
            return [handle for (handle,) in rows]

    def update_user(self, user_id: str, fields: dict[str, Wire], now: float, until: float) -> int:
        with self._writing(now) as db:
            self._put_gate(db, user_id, self._gate(db, user_id).with_patch(fields, now), until)
            rows = db.execute(f"SELECT handle FROM {self._sessions} WHERE user_id = ?", (user_id,)).fetchall()
        count, handles, unread = 0, [handle for (handle,) in rows], None
        # A few at a time: a user who has filled many sessions must not hold up everybody else's writes.
        for place in range(0, len(handles), _PATCHED_AT_ONCE):
            with self._writing(now) as db:
                # Of all of the last minute: another update may have come first, to some.
                changes = [Change(set=patch.set, patch=patch.seq) for patch in self._gate(db, user_id).recent(now)]
                for handle in handles[place : place + _PATCHED_AT_ONCE]:
                    try:
                        after = [self._commit(db, handle, change, now) for change in changes]
                    except StoreUnavailable as error:
                        unread = error
                    else:
                        count += isinstance(after[-1], Record)
        if unread is not None:
            raise unread
        return count

    # -- tickets -----------------------------------------------------------------------------------------

    def redeem(self, handle: str, jti: str, nonce: str, note: str, now: float, until: float) -> Taken:
        with self._writing(now) as db:
            found = held(self._get(db, handle), now)
            if not isinstance(found, Record):
                return Taken(False, ended=found or Ended("unknown", now))
            db.execute(
                f"INSERT OR IGNORE INTO {self._tickets} VALUES (?, ?, ?, ?, ?)",
                (jti, nonce, note, now, until),
            )
            return self._mark(db, jti, nonce)

    def taken(self, handle: str, jti: str, now: float) -> Taken:
        found = held(self.load(handle), now)
        if not isinstance(found, Record):
            return Taken(False, ended=found or Ended("unknown", now))
        with self._db.reading() as db:
            return self._mark(db, jti, None)

    def _mark(self, db: Connection, jti: str, nonce: str | None) -> Taken:
        row = db.execute(f"SELECT nonce, at, note FROM {self._tickets} WHERE jti = ?", (jti,)).fetchone()
        return Taken(row[0] == nonce, row[1], row[2]) if row else Taken(True)

    # -- all of them -------------------------------------------------------------------------------------

    def revoke_all(self, before: float, reason: str, now: float) -> int:
        count, last = 0, ""
        while True:
            # In batches, so that other processes can write in between.
            with self._writing(now) as db:
                rows = db.execute(
                    f"SELECT handle, forget_at > ? FROM {self._sessions} "
                    "WHERE record IS NOT NULL AND created_at <= ? AND handle > ? ORDER BY handle LIMIT ?",
                    (now + TOMBSTONE, before, last, _ENDED_AT_ONCE),
                ).fetchall()
                for handle, live in rows:
                    if live:
                        self._bury(db, handle, Ended(reason, now))
                        count += 1
                    else:
                        with suppress(StoreUnavailable):
                            self._end(db, handle, reason, now)
                if len(rows) == _ENDED_AT_ONCE:
                    last = rows[-1][0]
                    continue
                # What `rotate()` has renamed meanwhile may lie before: all of that at once.
                return (
                    count
                    + db.execute(
                        f"UPDATE {self._sessions} SET record = NULL, user_id = NULL, reason = ?, forget_at = ? "
                        "WHERE record IS NOT NULL AND created_at <= ? AND forget_at > ?",
                        (reason, now + TOMBSTONE, before, now + TOMBSTONE),
                    ).rowcount
                )

    def purge(self, now: float, batch: int = 500) -> int:
        done, share = 0, max(1, batch // 3)
        with self._db.writing(durable=False) as db:
            for table, key, more in (
                (self._sessions, "handle", ""),
                (self._tickets, "jti", ""),
                # A gate stays as long as any session of its user: later patches count on from it.
                (
                    self._gates,
                    "user_id",
                    f"AND user_id NOT IN (SELECT user_id FROM {self._sessions} s "
                    f"WHERE s.user_id = {self._gates}.user_id)",
                ),
            ):
                done += db.execute(
                    f"DELETE FROM {table} WHERE {key} IN "
                    f"(SELECT {key} FROM {table} WHERE forget_at <= ? {more} LIMIT ?)",
                    (now, share),
                ).rowcount
        return done

    def stats(self, now: float, within: float | None = None) -> Stats:
        with self._db.reading() as db:
            return count(db, self.namespace, now)

    def close(self) -> None:
        self._db.close()

    # -- the secret --------------------------------------------------------------------------------------

    def feed(self) -> Counted:
        """As `feed.Feeds`."""
        return self._db.feed()

    def own_secret(self) -> str:
        """The secret in `<file>.key`, readable by its owner alone; made where there is neither it nor a session.

        Raises `ConfigurationError` when live sessions are there and the key is not.
        """
        key = self.path.with_name(self.path.name + ".key")

        def made() -> str:
            with self._db.reading() as db:
                if db.execute(f"SELECT 1 FROM {self._sessions} WHERE record IS NOT NULL LIMIT 1").fetchone():
                    raise ConfigurationError(
                        f"{key} is missing and {self.path.name} holds live sessions. Put the key back; or set "
                        "COATCHECK_SECRET to a new one from `coatcheck keygen`, which signs everybody out."
                    )
            return secrets.token_urlsafe(32)

        return self._db.key_file(key, made)

    def checks(self) -> Iterator[Check]:
        """Whether the file, its log and its key are as they should be."""
        return sqlite_health.checks(self.path, self._db._plain)

    # -- rows --------------------------------------------------------------------------------------------

    @contextmanager
    def _writing(self, now: float, durable: bool = True) -> Iterator[Connection]:
        with self._db.writing(durable) as db:
            yield db
        self._now = now
        if not self._db.is_grouped:
            self.tidy()

    def tidy(self) -> None:
        """Purge some of what is over, where that is due: behind a write. Never raises."""
        now = self._now
        if now - self._purged_at >= _PURGE_EVERY:
            # The write is acknowledged, and tidying may fail. While there is more, each write tidies some.
            with suppress(StoreUnavailable):
                if not self._db.until(time.monotonic() + _TIDY_WITHIN, self.purge, now, _PURGE_BATCH):
                    self._purged_at = now

    def _get(self, db: Connection, handle: str) -> Held:
        return value_of(handle, db.execute(self._select, (handle,)).fetchone())

    def _commit(self, db: Connection, handle: str, change: Change, now: float) -> Held:
        record = self._get(db, handle)
        if not isinstance(record, Record):
            return record
        after = apply(record, change, now)
        if isinstance(after, Record):
            db.execute(
                f"UPDATE {self._sessions} SET record = ?, forget_at = ? WHERE handle = ?",
                (to_bytes(dump_record(after)), after.forget_at, handle),
            )
            if after.user_id is not None and after.expires_at > record.expires_at:
                self._put_gate(db, after.user_id, self._gate(db, after.user_id), after.expires_at)
        elif after.by_this:
            self._bury(db, handle, after)
        return after

    def _put(self, db: Connection, record: Record) -> None:
        data = to_bytes(dump_record(record))
        db.execute(
            f"INSERT INTO {self._sessions} VALUES (?, ?, ?, ?, NULL, NULL, ?)",
            (record.handle, record.user_id, record.created_at, record.forget_at, data),
        )

    def _bury(self, db: Connection, handle: str, ended: Ended) -> None:
        db.execute(
            f"UPDATE {self._sessions} SET record = NULL, user_id = NULL, reason = ?, successor = ?, forget_at = ? "
            "WHERE handle = ?",
            (ended.reason, ended.successor, ended.forget_at, handle),
        )

    def _gate(self, db: Connection, user_id: str) -> Gate:
        row = db.execute(f"SELECT not_before, seq, patches FROM {self._gates} WHERE user_id = ?", (user_id,)).fetchone()
        return Gate(row[0], row[1], load_patches(row[2])) if row else Gate()

    def _put_gate(self, db: Connection, user_id: str, gate: Gate, until: float) -> None:
        db.execute(
            f"INSERT INTO {self._gates} VALUES (?, ?, ?, ?, ?) ON CONFLICT (user_id) DO UPDATE SET "
            "not_before = excluded.not_before, seq = excluded.seq, patches = excluded.patches, "
            "forget_at = max(forget_at, excluded.forget_at)",
            (user_id, gate.not_before, gate.seq, dump_patches(gate), until),
        )
