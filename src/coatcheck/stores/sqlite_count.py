"""Counting what is in a SQLite file: one pass over all, the users by their index, ages and browsers by a sample."""

from __future__ import annotations

import random

from ..policy import TOMBSTONE
from ..rows import HEAD, Counts, Row, abouts_of, counted
from ..store import Stats
from ..tally import SAMPLE, sampled
from .sqlite_file import Connection

_TRIED = 5
"""Rows that are looked for, at most, for each that is wanted: what was deleted has left gaps between the numbers."""


def count(db: Connection, namespace: str, now: float) -> Stats:
    """As `Store.stats`."""
    table, values = f'"{namespace}_sessions"', counted(now)
    sql = Counts(table, f'"{namespace}_tickets"', ":{}", "NOT INDEXED")
    sessions, authenticated, over, tombstones, tickets = db.execute(sql.whole, values).fetchone()
    (users,) = db.execute(sql.users).fetchone()
    if over:
        users -= db.execute(sql.without, values).fetchone()[0]
    (size,) = db.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()
    some = _sample(db, table, sessions, now + TOMBSTONE)
    return sampled(Stats(sessions, authenticated, users, tombstones, tickets, size), abouts_of(some), now)


def _sample(db: Connection, table: str, sessions: int, live: float) -> list[Row]:
    """Rows of live sessions: all, or some of which each has the same chance."""
    wanted = f"SELECT handle, substr(record, 1, {HEAD}) FROM {table} WHERE record IS NOT NULL AND forget_at > ?"
    if sessions <= SAMPLE:
        return db.execute(f"{wanted} LIMIT ?", (live, SAMPLE)).fetchall()
    first, last = db.execute(f"SELECT (SELECT min(rowid) FROM {table}), (SELECT max(rowid) FROM {table})").fetchone()
    span = last - first + 1
    tries = min(span, SAMPLE * _TRIED, SAMPLE * span // sessions)
    numbers = sorted(random.sample(range(first, last + 1), tries))
    found = (db.execute(f"{wanted} AND rowid = ?", (live, number)).fetchone() for number in numbers)
    return [row for row in found if row is not None]
