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


HEAD = 4096
"""Bytes of a row's record with which all that is known of a session can be read, its data aside."""

Row = tuple[str, bytes]
"""A live session's handle and its row."""


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


def records_of(rows: Iterable[Row]) -> list[Record]:
    """The records of live sessions' handles and rows. One that cannot be read must not hide the others from their
    user."""
    found = []
    for handle, data in rows:
        with suppress(StoreUnavailable):
            found.append(record_of(handle, data))
    return found


def abouts_of(rows: Iterable[Row]) -> list[Record]:
    """As `records_of`, from rows that were cut at `HEAD`: without the sessions' data."""
    return records_of((handle, data.partition(b"\n")[0] + b"\n{}") for handle, data in rows)


class Counts:
    """What a store in SQL asks of its tables in order to count, as three statements.

    `whole`: live sessions, those of users, users' sessions that live no more and have not been deleted, tombstones,
    and used tickets. `users`: whoever has a session, by the index of users alone: sorting every user takes a second for
    a million sessions. `without`: those of them of whom none lives, to be asked where there is a session that does not.
    """

    def __init__(self, sessions: str, tickets: str, value: str, scan: str = "") -> None:
        """`value` is how the database writes a named value, as in ":{}"; `scan` what makes it read a table whole."""
        live, now, departing, gone = (value.format(name) for name in ("live", "now", "departing", "gone"))
        lives = f"record IS NOT NULL AND forget_at > {live}"
        self.whole: str = (
            f"SELECT count(*) FILTER (WHERE {lives}), count(*) FILTER (WHERE user_id IS NOT NULL AND {lives}), "
            f"count(*) FILTER (WHERE user_id IS NOT NULL AND NOT ({lives})), "
            f"count(*) FILTER (WHERE reason NOT IN ({departing}, {gone}) "
            f"OR (record IS NOT NULL AND forget_at <= {live})), "
            f"(SELECT count(*) FROM {tickets} WHERE forget_at > {now}) FROM {sessions}"
        )
        self.users: str = (
            f"SELECT count(*) FROM (SELECT DISTINCT user_id FROM {sessions} WHERE user_id IS NOT NULL) users"
        )
        self.without: str = (
            f"SELECT count(DISTINCT user_id) FROM {sessions} AS one {scan} WHERE user_id IS NOT NULL AND NOT ({lives}) "
            f"AND NOT EXISTS (SELECT 1 FROM {sessions} AS other WHERE other.user_id = one.user_id "
            f"AND other.record IS NOT NULL AND other.forget_at > {live})"
        )


def counted(now: float) -> dict[str, float | str]:
    """The values of `Counts`."""
    return {"live": now + TOMBSTONE, "now": now, "departing": DEPARTING, "gone": GONE}
