"""What shows, outside of the clock, that a slice did what it is said to have done."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple, Protocol

import redis

from .visits import Visit, Wrong

_roles = count(1)


class Seen(NamedTuple):
    """What a store says of its past: a number that differs after any change, and how many values it found."""

    changes: int
    found: int | None


class Watch(Protocol):
    """Looks at a store from beside it."""

    def see(self) -> Seen:
        """How it stands now."""


class RedisWatch:
    """Redis counts by itself."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def see(self) -> Seen:
        """How it stands now."""
        info = self._client.info("everything")
        return Seen(info["rdb_changes_since_last_save"], info["keyspace_hits"])


class SQLiteWatch:
    """SQLite tells a connection whether others have written."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)

    def see(self) -> Seen:
        """How it stands now."""
        return Seen(self._db.execute("PRAGMA data_version").fetchone()[0], None)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


class Reads:
    """The store is asked at each request, and nothing is written.

    Before each slice somebody else changes the first visitor's role in the store; the page has to show it.
    """

    def __init__(self, plant: Callable[[str], bytes] | None, watch: Watch | None = None, saves: bool = False) -> None:
        """`plant` stores the role it is given and returns the page that is due, None where nothing is stored;
        `saves`: this contender writes even so."""
        self._plant, self._watch, self._saves = plant, watch, saves
        self._seen: Seen | None = None

    def before(self, visits: Sequence[Visit]) -> None:
        """Change the role, and look."""
        if self._plant is not None:
            visits[0].body = self._plant(f"role-{next(_roles)}")
        self._seen = self._watch.see() if self._watch else None

    def after(self, requests: int, _: str | None) -> None:
        """Look again."""
        if self._watch is None or self._seen is None:
            return
        now, then = self._watch.see(), self._seen
        if (now.changes != then.changes) is not self._saves:
            raise Wrong("this is not a read: something was written")
        if self._plant and now.found is not None and then.found is not None and now.found - then.found != requests:
            raise Wrong(f"{requests} requests, but the store was asked for {now.found - then.found} sessions")


class Writes:
    """What the page last wrote for each visitor is what the store holds."""

    def __init__(self, written: dict[str, int], stored: Callable[[str], int]) -> None:
        self._written, self._stored = written, stored

    def before(self, _: Sequence[Visit]) -> None:
        """Forget the last slice."""
        self._written.clear()

    def after(self, requests: int, _: str | None) -> None:
        """Compare."""
        wrong = [user for user, number in self._written.items() if self._stored(user) != number]
        if wrong or not self._written:
            raise Wrong(f"after {requests} writes the store lacks those of {wrong}")


class Logins:
    """The last cookie opens a stored session of the one who signed in."""

    def __init__(self, signed_in: list[str], who: Callable[[str], str | None]) -> None:
        self._signed_in, self._who = signed_in, who

    def before(self, _: Sequence[Visit]) -> None:
        """Forget the last slice."""
        self._signed_in.clear()

    def after(self, requests: int, cookie: str | None) -> None:
        """Come back with that cookie."""
        if len(self._signed_in) != requests or cookie is None or self._who(cookie) != self._signed_in[-1]:
            raise Wrong(f"after {requests} logins the last one does not hold")
