"""What an audit trail is made of, and what a store that can keep one does."""

from __future__ import annotations

import json
from typing import NamedTuple, Protocol, runtime_checkable


class AuditEntry(NamedTuple):
    """Something that happened to a user's session or ticket, or to all sessions. `at` is in seconds since the epoch.
    `user_id`, `handle`, `reason` and `detail` are as in `Event`; what does not apply is None."""

    at: float
    name: str
    """As `Event.name`."""
    user_id: str | None = None
    handle: str | None = None
    reason: str | None = None
    detail: dict[str, str] = {}  # noqa: RUF012 (never changed in place)
    place: str = ""
    """Where it stands in the list that it was read from, for `before`; "" until it was read."""


@runtime_checkable
class Trails(Protocol):
    """A store that can keep an audit trail beside its sessions. What it lists is newest first."""

    def append(self, entries: list[AuditEntry], keep: float | None) -> None:
        """Keep them, in that order; `keep`: for how many seconds at least, for a store that forgets by itself. Asked
        again after a lost answer it may keep them twice."""
        ...

    def entries(self, user_id: str | None, handle: str | None, before: str | None, limit: int) -> list[AuditEntry]:
        """Those of a user, of a session, or of everybody; `before`, an entry's `place`, continues a list."""
        ...

    def forget(self, keep: float, now: float) -> None:
        """Delete what happened more than `keep` seconds ago."""
        ...


def row_number(place: str | None) -> int | None:
    """The row that a place names, where places are numbers; None for what nobody gave out: it comes from an address."""
    return int(place) if place and len(place) < 19 and place.isascii() and place.isdecimal() else None


def outstanding(entries: list[AuditEntry], now: float) -> list[AuditEntry]:
    """Of a list of everybody's entries, newest first: the issues of tickets that could be redeemed at `now`. Not used,
    in time, and of a session that has not ended since."""
    used, ended, found = set[str | None](), set[str | None](), list[AuditEntry]()
    for entry in entries:
        if entry.name == "ticket_redeemed":
            used.add(entry.detail.get("jti"))
        elif entry.name == "ended":
            if "of" in entry.detail:  # everybody's
                break
            ended.add(entry.handle)
        elif entry.name == "ticket_issued" and entry.handle not in ended:
            until = entry.detail.get("expires", "")
            if until.isdecimal() and float(until) > now and entry.detail.get("jti") not in used:
                found.append(entry)
    return found


def dump_detail(entry: AuditEntry) -> str:
    """An entry's detail as text."""
    return json.dumps(entry.detail, ensure_ascii=False, separators=(",", ":"))


def entry_of(row: tuple[object, float, str, str | None, str | None, str | None, str]) -> AuditEntry:
    """An entry from a table's row: place, at, name, user, handle, reason, detail."""
    place, at, name, user_id, handle, reason, detail = row
    return AuditEntry(at, name, user_id, handle, reason, json.loads(detail), str(place))
