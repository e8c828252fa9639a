"""The audit trail in Redis: a stream of everybody's entries, and one of each user's.

    ns:audit               all of them; older ones are trimmed
    ns:audit:<digest>      a user's; it goes when nothing was added for the retention

Each entry is one field, JSON. They lie outside of the sessions' slots: no feed tells of them, and no walk meets them.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ...codec import from_bytes, to_bytes
from ...trail import AuditEntry
from .scripts import NOTE, TRIM, Call
from .steps import Plan
from .values import Names, lasting

_AT_ONCE = 1000
_LOOKED_THROUGH = 10_000
"""Entries among which those of one session are looked for."""
_DEFAULT = 90 * 86_400.0
_PLACE = re.compile(r"\d{1,18}-\d{1,18}")


class Trail:
    """That of one namespace."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def append(self, entries: list[AuditEntry], keep: float | None) -> Plan[None]:
        """As `trail.Trails`."""
        ms = "" if keep is None else lasting(keep, 0.0)
        for entry in entries:
            text = to_bytes(json.dumps(entry[:-1], ensure_ascii=False, separators=(",", ":")))
            # One by one: where a node does not know the script yet, all that was sent with it is sent again.
            if entry.user_id is not None:
                yield [Call(NOTE, (self._names.trail(entry.user_id),), (text, ms or lasting(_DEFAULT, 0.0), ms))]
            # Last: hardly anybody else adds to a user's, so that there it is found again when this one fails.
            yield [Call(NOTE, (self._names.trail(None),), (text, "", ""))]
            yield None

    def entries(
        self, user_id: str | None, handle: str | None, before: str | None, limit: int
    ) -> Plan[list[AuditEntry]]:
        """As `trail.Trails`."""
        key, found = self._names.trail(user_id), list[AuditEntry]()
        last = f"({before}" if before and _PLACE.fullmatch(before) else "+"
        size = _AT_ONCE if handle else min(limit, _AT_ONCE)
        for _ in range(_LOOKED_THROUGH // _AT_ONCE if handle else -(-limit // _AT_ONCE)):
            (rows,) = yield [("XREVRANGE", key, last, "-", "COUNT", size)]
            read = [_read(*row) for row in rows]
            found += [one for one in read if handle in (None, one.handle)]
            if len(rows) < size or len(found) >= limit:
                break
            last = f"({read[-1].place}"
            yield None
        return found[:limit]

    def forget(self, keep: float) -> Plan[None]:
        """As `trail.Trails`."""
        yield [Call(TRIM, (self._names.trail(None),), (lasting(keep, 0.0),))]


def _read(place: bytes, fields: Any) -> AuditEntry:
    text = fields[b"e"] if isinstance(fields, dict) else fields[1]
    row: list[Any] = json.loads(from_bytes(text))
    return AuditEntry._make([*row, place.decode()])
