"""The PostgreSQL store as one end of a move: `moves.Movable`, as plans.

A row whose session has departed has no record, so that no statement of the store takes it for a live one; what it
held is in `successor`, and `created_at` is when it departed.
"""

from __future__ import annotations

from binascii import a2b_base64
from contextlib import suppress
from typing import Any

from ...codec import from_bytes, to_bytes
from ...errors import StoreUnavailable
from ...gate import Gate, load_patches
from ...moves import Departed, Page
from ...record import Record
from ...rows import DEPARTING, GONE, record_of
from ...store import Taken
from .plans import _BEGIN, _COMMIT, Ask, Plan, Plans

_ROW = "handle, record, reason, successor, created_at, forget_at"


class Travels:
    """Those of one namespace."""

    def __init__(self, namespace: str, plans: Plans) -> None:
        self._plans = plans
        self._sessions, self._gates, self._tickets = (
            f'"{namespace}_{name}"' for name in ("sessions", "gates", "tickets")
        )

    def depart(self, handles: list[str], now: float | None) -> Plan[dict[str, Departed]]:
        # Rows are locked in the order of their handles, as everywhere.
        select = f"SELECT {_ROW} FROM {self._sessions} WHERE handle = ANY(%s) ORDER BY handle"
        if now is None:
            rows = yield Ask(select, (handles,))
            return {handle: one for row in rows for handle, one in _departed(row)}
        yield _BEGIN
        rows = yield Ask(f"{select} FOR UPDATE", (handles,))
        found: dict[str, Departed] = {handle: one for row in rows for handle, one in _departed(row)}
        for handle, data, *_, until in rows:
            with suppress(StoreUnavailable):
                if data is not None:
                    found[handle] = Departed(now, until, record_of(handle, data))
        live = [row[0] for row in rows if row[1] is not None and row[0] in found]
        yield Ask(
            f"UPDATE {self._sessions} SET record = NULL, reason = %s, successor = encode(record, 'base64'), "
            "created_at = %s, version = version + 1 WHERE handle = ANY(%s)",
            (DEPARTING, now, live),
        )
        yield _COMMIT
        return found

    def arrive(self, arrivals: list[Departed], now: float) -> Plan[None]:
        coming = [(one.at, one.record) for one in arrivals if one.record is not None]
        yield _BEGIN
        gates: dict[str, Gate] = {}
        # First all gates, then rows in the order of their handles: two who bring the same never wait for each other.
        lasts = {one.user_id: one.expires_at for _, one in sorted(coming, key=lambda pair: pair[1].expires_at)}
        for user in sorted(user for user in lasts if user is not None):
            _, gates[user] = yield from self._plans._gate(user, lasts[user])
        for at, one in sorted(coming, key=lambda pair: pair[1].handle):
            record = one if one.user_id is None else gates[one.user_id].admit(one, now)
            yield self._put(record, at)
        yield _COMMIT

    def _put(self, record: Record, at: float) -> Ask:
        insert = self._plans._insert(record)
        open_to = f"{self._sessions}.reason = %s AND {self._sessions}.created_at < %s"
        return Ask(
            insert.sql.removesuffix("DO NOTHING")
            + "DO UPDATE SET user_id = excluded.user_id, created_at = excluded.created_at, reason = NULL, "
            "forget_at = excluded.forget_at, record = excluded.record, "
            f"version = {self._sessions}.version + 1 WHERE {open_to}",
            (*insert.parameters, GONE, at),
        )

    def close_departed(self, handles: list[str], now: float) -> Plan[None]:
        yield _BEGIN
        yield Ask(self._plans.sql.lock_all, (handles,))
        yield Ask(
            f"UPDATE {self._sessions} SET reason = %s, user_id = NULL, successor = NULL, version = version + 1 "
            "WHERE handle = ANY(%s) AND reason = %s",
            (GONE, handles, DEPARTING),
        )
        yield _COMMIT

    def bar(self, handle: str, now: float, until: float) -> Plan[bool]:
        made = yield Ask(
            f"INSERT INTO {self._sessions} (handle, created_at, forget_at, reason) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (handle) DO NOTHING",
            (handle, now, until, GONE),
        )
        if made:
            return True
        rows = yield Ask(f"SELECT reason FROM {self._sessions} WHERE handle = %s", (handle,))
        return bool(rows) and rows[0][0] == GONE

    def members(self, user_id: str) -> Plan[list[str]]:
        rows = yield Ask(self._plans.sql.of_user, (to_bytes(user_id),))
        return [handle for (handle,) in rows]

    def gate(self, user_id: str, now: float) -> Plan[tuple[Gate, float]]:
        rows = yield Ask(f"SELECT {_GATE} FROM {self._gates} WHERE user_id = %s", (to_bytes(user_id),))
        return _gate_of(rows[0]) if rows else (Gate(), 0.0)

    def join(self, user_id: str, gate: Gate, until: float, now: float) -> Plan[None]:
        yield _BEGIN
        user, known = yield from self._plans._gate(user_id, until)
        yield self._plans._put_gate(user, known.joined(gate, now))
        yield _COMMIT

    def spent(self, handle: str, jti: str, nonce: str) -> Plan[Taken | None]:
        rows = yield Ask(f"SELECT nonce, at, note FROM {self._tickets} WHERE jti = %s", (jti,))
        return Taken(rows[0][0] == nonce, *rows[0][1:]) if rows else None

    def roll(self, after: Any, limit: int) -> Plan[Page]:
        rows = yield Ask(
            f"SELECT handle FROM {self._sessions} WHERE (record IS NOT NULL OR reason = %s) AND handle > %s "
            "ORDER BY handle LIMIT %s",
            (DEPARTING, after or "", limit),
        )
        found = [handle for (handle,) in rows]
        return Page(found, found[-1] if len(found) == limit else None)

    def gates(self, after: Any, limit: int) -> Plan[Page]:
        rows = yield Ask(
            f"SELECT user_id, {_GATE} FROM {self._gates} WHERE user_id > %s ORDER BY user_id LIMIT %s",
            (after or b"", limit),
        )
        found = [(from_bytes(user), *_gate_of(tuple(row))) for user, *row in rows]
        return Page(found, rows[-1][0] if len(rows) == limit else None)

    def unbar(self, after: Any, limit: int) -> Plan[Page]:
        rows = yield Ask(
            f"DELETE FROM {self._sessions} WHERE handle IN (SELECT handle FROM {self._sessions} WHERE reason = %s "
            "AND handle > %s ORDER BY handle LIMIT %s FOR UPDATE) RETURNING handle",
            (GONE, after or "", limit),
        )
        found = sorted(handle for (handle,) in rows)
        return Page(found, found[-1] if len(found) == limit else None)


_GATE = "not_before, seq, patches, forget_at"


def _gate_of(row: tuple[Any, ...]) -> tuple[Gate, float]:
    since, seq, patches, until = row
    return Gate(since, seq, load_patches(from_bytes(patches))), until


def _departed(row: tuple[Any, ...]) -> list[tuple[str, Departed]]:
    handle, _, reason, text, at, until = row
    if reason == GONE:
        return [(handle, Departed(at, until))]
    if reason == DEPARTING:
        with suppress(StoreUnavailable):
            return [(handle, Departed(at, until, record_of(handle, a2b_base64(text))))]
    return []
