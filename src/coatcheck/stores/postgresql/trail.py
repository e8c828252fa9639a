"""The audit trail in PostgreSQL, in statements."""

from __future__ import annotations

from ...codec import from_bytes, to_bytes
from ...trail import AuditEntry, dump_detail, entry_of, row_number
from .plans import Ask, More, Plan

_FORGOTTEN_AT_ONCE = 1000
_AS_EVER = 1.9


class Trail:
    """That of one namespace."""

    def __init__(self, namespace: str) -> None:
        self._table = f'"{namespace}_audit"'

    def append(self, entries: list[AuditEntry]) -> Plan[None]:
        """As `trail.Trails`."""
        yield Ask(
            f"INSERT INTO {self._table} (at, name, user_id, handle, reason, detail) "
            "SELECT * FROM unnest(%s::float8[], %s::text[], %s::bytea[], %s::text[], %s::text[], %s::text[])",
            (
                [one.at for one in entries],
                [one.name for one in entries],
                [_user(one.user_id) for one in entries],
                [one.handle for one in entries],
                [one.reason for one in entries],
                [dump_detail(one) for one in entries],
            ),
        )

    def entries(
        self, user_id: str | None, handle: str | None, before: str | None, limit: int
    ) -> Plan[list[AuditEntry]]:
        """As `trail.Trails`."""
        wanted = {"user_id = %s": _user(user_id), "handle = %s": handle, "id < %s": row_number(before)}
        given = {clause: value for clause, value in wanted.items() if value is not None}
        where = f"WHERE {' AND '.join(given)}" if given else ""
        columns = "id, at, name, user_id, handle, reason, detail"
        sql = f"SELECT {columns} FROM {self._table} {where} ORDER BY id DESC LIMIT %s"
        rows = yield Ask(sql, (*given.values(), limit))
        return [_entry(*row) for row in rows]

    def forget(self, before: float) -> Plan[None]:
        """As `trail.Trails`."""
        old = f"SELECT id FROM {self._table} WHERE at < %s LIMIT {_FORGOTTEN_AT_ONCE}"
        done = _FORGOTTEN_AT_ONCE
        while done == _FORGOTTEN_AT_ONCE:
            yield More(_AS_EVER)
            done = yield Ask(f"DELETE FROM {self._table} WHERE id IN ({old})", (before,))


def _entry(
    place: int, at: float, name: str, user: bytes | None, handle: str | None, reason: str | None, detail: str
) -> AuditEntry:
    return entry_of((place, at, name, None if user is None else from_bytes(user), handle, reason, detail))


def _user(user_id: str | None) -> bytes | None:
    return None if user_id is None else to_bytes(user_id)
