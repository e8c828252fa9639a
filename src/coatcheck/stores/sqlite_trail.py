"""The audit trail in a SQLite file."""

from __future__ import annotations

from ..trail import AuditEntry, dump_detail, entry_of, row_number
from .sqlite_file import Database

_FORGOTTEN_AT_ONCE = 500


class SQLiteTrail:
    """What `SQLiteStore` does as a `trail.Trails`, in its `namespace`."""

    _db: Database
    namespace: str

    @property
    def _table(self) -> str:
        return f'"{self.namespace}_audit"'

    def append(self, entries: list[AuditEntry], keep: float | None) -> None:
        """As `trail.Trails`. Written with the next login or end at the latest: no entry waits for the disk."""
        rows = [(one.at, one.name, one.user_id, one.handle, one.reason, dump_detail(one)) for one in entries]
        with self._db.writing(durable=False) as db:
            db.executemany(
                f"INSERT INTO {self._table} (at, name, user_id, handle, reason, detail) VALUES (?, ?, ?, ?, ?, ?)", rows
            )

    def entries(self, user_id: str | None, handle: str | None, before: str | None, limit: int) -> list[AuditEntry]:
        """As `trail.Trails`."""
        wanted = {"user_id = ?": user_id, "handle = ?": handle, "id < ?": row_number(before)}
        given = {clause: value for clause, value in wanted.items() if value is not None}
        where = f"WHERE {' AND '.join(given)}" if given else ""
        columns = "id, at, name, user_id, handle, reason, detail"
        sql = f"SELECT {columns} FROM {self._table} {where} ORDER BY id DESC LIMIT ?"
        with self._db.reading() as db:
            return [entry_of(row) for row in db.execute(sql, (*given.values(), limit)).fetchall()]

    def forget(self, keep: float, now: float) -> None:
        """As `trail.Trails`, in batches, so that others can write in between."""
        old = f"SELECT id FROM {self._table} WHERE at < ? LIMIT {_FORGOTTEN_AT_ONCE}"
        done = _FORGOTTEN_AT_ONCE
        while done == _FORGOTTEN_AT_ONCE:
            with self._db.writing(durable=False) as db:
                done = db.execute(f"DELETE FROM {self._table} WHERE id IN ({old})", (now - keep,)).rowcount
