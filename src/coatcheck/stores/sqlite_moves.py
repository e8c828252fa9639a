"""The SQLite store as one end of a move: `moves.Movable`.

A row whose session has departed has no record, so that no statement of the store takes it for a live one; what it
held is in `successor`, and `created_at` is when it departed.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from contextlib import AbstractContextManager, suppress
from typing import Any

from ..codec import to_bytes
from ..errors import StoreUnavailable
from ..gate import Gate, load_patches
from ..moves import Departed, Page
from ..record import dump_record
from ..rows import DEPARTING, GONE, record_of
from ..store import Taken
from .sqlite_file import Connection, Database


class SQLiteMoves:
    """The methods, over `SQLiteStore`'s tables."""

    _db: Database
    _sessions: str
    _gates: str
    _tickets: str

    def _writing(self, now: float, durable: bool = True) -> AbstractContextManager[Connection]:
        raise NotImplementedError

    def _gate(self, db: Connection, user_id: str) -> Gate:
        raise NotImplementedError

    def _put_gate(self, db: Connection, user_id: str, gate: Gate, until: float) -> None:
        raise NotImplementedError

    def depart(self, handles: list[str], now: float | None) -> dict[str, Departed]:
        with self._db.reading() if now is None else self._writing(now) as db:
            seen = {handle: self._departed(db, handle, now) for handle in handles}
        return {handle: one for handle, one in seen.items() if one is not None}

    def _departed(self, db: Connection, handle: str, now: float | None) -> Departed | None:
        row = db.execute(
            f"SELECT record, reason, successor, created_at, forget_at FROM {self._sessions} WHERE handle = ?", (handle,)
        ).fetchone()
        if row is None:
            return None
        data, reason, text, at, until = row
        if reason == GONE:
            return Departed(at, until)
        with suppress(StoreUnavailable):
            if reason == DEPARTING:
                return Departed(at, until, record_of(handle, a2b_base64(text)))
            if data is not None and now is not None:
                record = record_of(handle, data)
                db.execute(
                    f"UPDATE {self._sessions} SET record = NULL, reason = ?, successor = ?, created_at = ? "
                    "WHERE handle = ?",
                    (DEPARTING, b2a_base64(data, newline=False).decode(), now, handle),
                )
                return Departed(now, until, record)
        return None

    def arrive(self, arrivals: list[Departed], now: float) -> None:
        with self._writing(now) as db:
            for one in arrivals:
                if (record := one.record) is None:
                    continue
                user = record.user_id
                gate = Gate() if user is None else self._gate(db, user)
                record = gate.admit(record, now)
                stored = db.execute(
                    f"INSERT INTO {self._sessions} VALUES (?, ?, ?, ?, NULL, NULL, ?) ON CONFLICT (handle) DO UPDATE "
                    "SET user_id = excluded.user_id, created_at = excluded.created_at, reason = NULL, "
                    "forget_at = excluded.forget_at, record = excluded.record WHERE reason = ? AND created_at < ?",
                    (
                        *(record.handle, user, record.created_at, record.forget_at),
                        *(to_bytes(dump_record(record)), GONE, one.at),
                    ),
                ).rowcount
                if stored and user is not None:
                    self._put_gate(db, user, gate, record.expires_at)

    def close_departed(self, handles: list[str], now: float) -> None:
        with self._writing(now) as db:
            db.executemany(
                f"UPDATE {self._sessions} SET reason = ?, user_id = NULL, successor = NULL "
                "WHERE handle = ? AND reason = ?",
                [(GONE, handle, DEPARTING) for handle in handles],
            )

    def bar(self, handle: str, now: float, until: float) -> bool:
        with self._writing(now) as db:
            db.execute(
                f"INSERT OR IGNORE INTO {self._sessions} VALUES (?, NULL, ?, ?, ?, NULL, NULL)",
                (handle, now, until, GONE),
            )
            row = db.execute(f"SELECT reason FROM {self._sessions} WHERE handle = ?", (handle,)).fetchone()
            return bool(row[0] == GONE)

    def members(self, user_id: str) -> list[str]:
        with self._db.reading() as db:
            rows = db.execute(f"SELECT handle FROM {self._sessions} WHERE user_id = ?", (user_id,)).fetchall()
        return [handle for (handle,) in rows]

    def gate(self, user_id: str, now: float) -> tuple[Gate, float]:
        with self._db.reading() as db:
            row = db.execute(f"SELECT forget_at FROM {self._gates} WHERE user_id = ?", (user_id,)).fetchone()
            return self._gate(db, user_id), row[0] if row else 0.0

    def join(self, user_id: str, gate: Gate, until: float, now: float) -> None:
        with self._writing(now) as db:
            self._put_gate(db, user_id, self._gate(db, user_id).joined(gate, now), until)

    def spent(self, handle: str, jti: str, nonce: str) -> Taken | None:
        with self._db.reading() as db:
            row = db.execute(f"SELECT nonce, at, note FROM {self._tickets} WHERE jti = ?", (jti,)).fetchone()
        return Taken(row[0] == nonce, row[1], row[2]) if row else None

    def roll(self, after: Any, limit: int) -> Page:
        with self._db.reading() as db:
            rows = db.execute(
                f"SELECT handle FROM {self._sessions} WHERE (record IS NOT NULL OR reason = ?) AND handle > ? "
                "ORDER BY handle LIMIT ?",
                (DEPARTING, after or "", limit),
            ).fetchall()
        found = [handle for (handle,) in rows]
        return Page(found, found[-1] if len(found) == limit else None)

    def gates(self, after: Any, limit: int) -> Page:
        with self._db.reading() as db:
            rows = db.execute(
                f"SELECT user_id, not_before, seq, patches, forget_at FROM {self._gates} WHERE user_id > ? "
                "ORDER BY user_id LIMIT ?",
                (after or "", limit),
            ).fetchall()
        found = [(user, Gate(since, seq, load_patches(text)), until) for user, since, seq, text, until in rows]
        return Page(found, found[-1][0] if len(found) == limit else None)

    def unbar(self, after: Any, limit: int) -> Page:
        with self._db.writing() as db:
            rows = db.execute(
                f"DELETE FROM {self._sessions} WHERE handle IN (SELECT handle FROM {self._sessions} WHERE reason = ? "
                "AND handle > ? ORDER BY handle LIMIT ?) RETURNING handle",
                (GONE, after or "", limit),
            ).fetchall()
        found = sorted(handle for (handle,) in rows)
        return Page(found, found[-1] if len(found) == limit else None)
