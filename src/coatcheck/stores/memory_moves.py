"""The store in memory as one end of a move: `moves.Movable`."""

from __future__ import annotations

from typing import Any

from ..gate import Gate
from ..moves import Departed, Page
from ..record import Ended, Record
from ..store import Taken


class MemoryMoves:
    """The methods, over `MemoryStore`'s dictionaries."""

    _lock: Any
    _sessions: dict[str, Record | Ended | Departed]
    _users: dict[str, dict[str, None]]
    _gates: dict[str, tuple[Gate, float]]
    _tickets: dict[str, tuple[str, str, float, float]]

    def _put(self, record: Record) -> None:
        raise NotImplementedError

    def _drop_member(self, value: Record | Ended | Departed, handle: str) -> None:
        raise NotImplementedError

    def _gate(self, user_id: str) -> Gate:
        raise NotImplementedError

    def _keep_gate(self, user_id: str, gate: Gate, until: float) -> None:
        raise NotImplementedError

    def depart(self, handles: list[str], now: float | None) -> dict[str, Departed]:
        with self._lock:
            found: dict[str, Departed] = {}
            for handle in handles:
                value = self._sessions.get(handle)
                if isinstance(value, Record) and now is not None:
                    value = self._sessions[handle] = Departed(now, value.forget_at, value)
                if isinstance(value, Departed):
                    found[handle] = value
            return found

    def arrive(self, arrivals: list[Departed], now: float) -> None:
        with self._lock:
            for one in arrivals:
                record = one.record
                if record is None or not self._open_to(record.handle, one.at):
                    continue
                if record.user_id is not None:
                    gate = self._gate(record.user_id)
                    record = gate.admit(record, now)
                    self._keep_gate(record.user_id or "", gate, record.expires_at)
                self._put(record)

    def _open_to(self, handle: str, at: float) -> bool:
        value = self._sessions.get(handle)
        return value is None or (isinstance(value, Departed) and value.record is None and value.at < at)

    def close_departed(self, handles: list[str], now: float) -> None:
        with self._lock:
            for handle in handles:
                value = self._sessions.get(handle)
                if isinstance(value, Departed):
                    self._drop_member(value, handle)
                    self._sessions[handle] = value._replace(record=None)

    def bar(self, handle: str, now: float, until: float) -> bool:
        with self._lock:
            value = self._sessions.setdefault(handle, Departed(now, until))
            return isinstance(value, Departed) and value.record is None

    def members(self, user_id: str) -> list[str]:
        with self._lock:
            return list(self._users.get(user_id, ()))

    def gate(self, user_id: str, now: float) -> tuple[Gate, float]:
        with self._lock:
            return self._gates.get(user_id, (Gate(), 0.0))

    def join(self, user_id: str, gate: Gate, until: float, now: float) -> None:
        with self._lock:
            self._keep_gate(user_id, self._gate(user_id).joined(gate, now), until)

    def spent(self, handle: str, jti: str, nonce: str) -> Taken | None:
        with self._lock:
            mark = self._tickets.get(jti)
            return mark and Taken(mark[0] == nonce, mark[2], mark[1])

    def roll(self, after: Any, limit: int) -> Page:
        with self._lock:
            left = sorted(handle for handle, value in self._sessions.items() if _is_here(value))
        left = [handle for handle in left if handle > (after or "")]
        return Page(left[:limit], left[limit - 1] if len(left) > limit else None)

    def gates(self, after: Any, limit: int) -> Page:
        with self._lock:
            left = sorted((user, gate, until) for user, (gate, until) in self._gates.items() if user > (after or ""))
        return Page(left[:limit], left[limit - 1][0] if len(left) > limit else None)

    def unbar(self, after: Any, limit: int) -> Page:
        with self._lock:
            marks = [handle for handle, one in self._sessions.items() if isinstance(one, Departed) and not one.record]
            for handle in marks:
                del self._sessions[handle]
            return Page(marks)


def _is_here(value: Record | Ended | Departed) -> bool:
    return isinstance(value, Record) or (isinstance(value, Departed) and value.record is not None)
