"""What a store says, from beside it, of what was read and written."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple, Protocol

import redis


class Seen(NamedTuple):
    """A number that differs after any change, and how many values were found so far, where that is counted."""

    changes: int
    found: int | None


class Watch(Protocol):
    """Looks at a store."""

    def see(self) -> Seen: ...


class RedisWatch:
    """Redis counts by itself."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url)

    def see(self) -> Seen:
        info = self._client.info("everything")
        return Seen(info["rdb_changes_since_last_save"], info["keyspace_hits"] + info["keyspace_misses"])


class SQLiteWatch:
    """SQLite tells a connection whether others have written."""

    def __init__(self, url: str) -> None:
        self._db = sqlite3.connect(url.removeprefix("sqlite:///"))

    def see(self) -> Seen:
        return Seen(self._db.execute("PRAGMA data_version").fetchone()[0], None)


def watch(url: str) -> Watch:
    """The one for a store of that URL."""
    return RedisWatch(url) if url.startswith("redis:") else SQLiteWatch(url)
