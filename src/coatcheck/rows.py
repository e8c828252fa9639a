"""What a row of a store in SQL says of a session."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from .codec import from_bytes
from .errors import SessionMoved, StoreUnavailable
from .policy import TOMBSTONE
from .record import Ended, Record, load_record
from .store import Held

DEPARTING, GONE = "\x1adeparting", "\x1agone"
"""The reasons of rows that are no tombstones: of a session that has departed, which `successor` holds in base64, and
of the mark of one that is elsewhere. Nobody's words can be these: what is not printable is taken out of them."""


def value_of(handle: str, row: tuple[bytes | None, str, float, str | None] | None) -> Held:
    """What a row of SELECT record, reason, forget_at, successor says. Raises `SessionMoved` where the session is
    elsewhere."""
    if row is None:
        return None
    if row[0] is None:
        if row[1] in (DEPARTING, GONE):
            raise SessionMoved(handle)
        return Ended(row[1], row[2] - TOMBSTONE, successor=row[3])
    return record_of(handle, row[0])


def record_of(handle: str, data: bytes) -> Record:
    """A live session's record. Raises `StoreUnavailable` for one that cannot be read."""
    try:
        return load_record(handle, from_bytes(data))
    except ValueError:
        raise StoreUnavailable(
            f"the session {handle} cannot be read: a newer version wrote it, or its row is damaged"
        ) from None


def records_of(rows: Iterable[tuple[str, bytes]]) -> list[Record]:
    """The records of live sessions' handles and rows. One that cannot be read must not hide the others from their
    user."""
    found = []
    for handle, data in rows:
        with suppress(StoreUnavailable):
            found.append(record_of(handle, data))
    return found
