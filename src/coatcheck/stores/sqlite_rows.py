"""The tables of the SQLite store, and what a row says."""

from __future__ import annotations

from ..codec import from_bytes
from ..errors import StoreUnavailable
from ..policy import TOMBSTONE
from ..record import Ended, Record, load_record
from ..store import Held

SCHEMA = """
CREATE TABLE IF NOT EXISTS "{ns}_sessions" (
    handle TEXT PRIMARY KEY,
    user_id TEXT,               -- of a live session, NULL once it has ended
    created_at REAL NOT NULL,
    forget_at REAL NOT NULL,    -- a day after its deadline or its end
    reason TEXT,                -- why it ended
    successor TEXT,             -- the handle under which it goes on
    record BLOB                 -- NULL once it has ended
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS "{ns}_sessions_user" ON "{ns}_sessions" (user_id, created_at, handle)
    WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS "{ns}_sessions_forget" ON "{ns}_sessions" (forget_at);
CREATE TABLE IF NOT EXISTS "{ns}_gates" (
    user_id TEXT PRIMARY KEY,
    not_before REAL NOT NULL,
    seq INTEGER NOT NULL,
    patches TEXT NOT NULL,
    forget_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS "{ns}_gates_forget" ON "{ns}_gates" (forget_at);
CREATE TABLE IF NOT EXISTS "{ns}_tickets" (
    jti TEXT PRIMARY KEY,
    nonce TEXT NOT NULL,
    note TEXT NOT NULL,
    at REAL NOT NULL,
    forget_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS "{ns}_tickets_forget" ON "{ns}_tickets" (forget_at);
"""


def value_of(handle: str, row: tuple[bytes | None, str, float, str | None] | None) -> Held:
    """What a row of SELECT record, reason, forget_at, successor says."""
    if row is None:
        return None
    if row[0] is None:
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
