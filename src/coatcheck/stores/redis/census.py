"""Counting a namespace: all of it, or what is met in some time, scaled up by the share of the keys that was passed."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from functools import reduce
from itertools import pairwise

from redis.crc import key_slot

from ...errors import StoreUnavailable
from ...record import Ended, Record, held
from ...store import Ages, Stats
from ...tally import Tally, ranked, scaled, together
from .cluster import Cursor
from .slots import ALL
from .steps import Plan, pairs
from .sweep import BATCH
from .values import Names, load, load_mark, ms

USERS = 1000
"""Users of a part of whom is looked up whether any session of theirs lives."""
MEMBERS = 200
"""Sessions of such a user, at most, that are looked at: the newest."""
_HEAD = 4096
"""Bytes of a session that are read: its data is not counted."""
_ORDERED = 8
"""Keys by whose order a node shows how it counts."""


def passed(position: int, slots: Sequence[int] = ()) -> float:
    """The share of a server's keys that a SCAN at this cursor has passed.

    The server counts the buckets of its table with the bits reversed, so that the cursor means the same in a table of
    any size. Which bucket a key lies in is its hash, under a seed of the server's: what was passed is a fair sample.
    `slots`: those of a node of a cluster that keeps a table for each of them (Redis 7.4, Valkey 8): the lower 14 bits
    say which one.
    """
    if not slots:
        return int(f"{position:064b}"[::-1], 2) / 2**64
    place = bisect_left(slots, position % ALL) + passed(position // ALL)
    return place / len(slots)


class _Part:
    """What was met on one server."""

    def __init__(self, now: float) -> None:
        self.began = time.monotonic()
        self.tally = Tally(now)
        self.share = 1.0
        self.tombstones = self.tickets = 0
        self.owners = self.looked_up = self.with_sessions = 0
        """Keys of users; those that were looked up; those of them of whom a session lives."""
        self._order: list[int] = []

    def in_order(self, keys: Sequence[bytes]) -> None:
        """Remember in which order the first keys came, by slot."""
        if len(self._order) < _ORDERED:
            self._order += map(key_slot, keys)

    def stop(self, cursor: Cursor | int) -> None:
        """It is left here."""
        if isinstance(cursor, Cursor):
            by_slot = all(one <= other for one, other in pairwise(self._order))
            self.share = passed(cursor.position, cursor.owned if by_slot else ())
        else:
            self.share = passed(cursor)

    def stats(self) -> Stats:
        """What there is on that server, as far as is known."""
        tally, share = self.tally, self.share
        if share == 1.0:
            return tally.stats(self.tombstones, self.tickets)
        sessions = round(tally.sessions / share)
        return Stats(
            sessions,
            round(tally.authenticated / share),
            self._users(),
            round(self.tombstones / share),
            round(self.tickets / share),
            exact=False,
            ages=Ages(*scaled(dict(enumerate(tally.ages)), sessions).values()),
            clients=ranked(scaled(tally.clients, sessions)),
            sampled=tally.sessions,
        )

    def _users(self) -> int:
        # Of a user's sessions a part shows some: whoever has many would be counted more than once. A user has one key.
        some = self.owners * self.with_sessions / self.looked_up if self.looked_up else 0.0
        return round(min(max(some / self.share, len(self.tally.users)), self.tally.authenticated / self.share))


class Census:
    """What counts, in commands."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def stats(self, now: float, within: float | None = None) -> Plan[Stats]:
        """As `Store.stats`. In a cluster each primary has its share of the time."""
        until = None if within is None else time.monotonic() + within
        parts: list[_Part] = []
        part = _Part(now)
        cursor: Cursor | int | None = None
        while cursor != 0:
            ((after, keys),) = yield [("SCAN", cursor or 0, "MATCH", self._names.pattern(), "COUNT", BATCH)]
            yield from self._count(part, list(dict.fromkeys(keys)), now, users=until is not None)
            yield None
            later = after.later if isinstance(after, Cursor) else ()
            if isinstance(after, Cursor):
                part.in_order(keys)
            if after == 0 or (isinstance(after, Cursor) and after.position == 0):
                pass
            elif until is not None and time.monotonic() > part.began + (until - part.began) / (1 + len(later)):
                part.stop(after)
                after = Cursor(later[0], 0, later[1:]) if later else 0
            else:
                cursor = after
                continue
            parts.append(part)
            part, cursor = _Part(now), after
        return reduce(lambda one, other: together(one, other, [], now), (one.stats() for one in parts))

    def _count(self, part: _Part, keys: list[bytes], now: float, *, users: bool) -> Plan[None]:
        kinds: dict[str, list[bytes]] = {"s": [], "t": [], "u": []}
        for key in keys:
            kinds.setdefault(self._names.parse(key)[0], []).append(key)
        for value in (yield from self._sessions(kinds["s"], now)):
            if isinstance(value, Record):
                part.tally.add(value)
            else:
                part.tombstones += 1
        if marks := kinds["t"]:
            part.tickets += sum(load_mark(text).until > now for text in (yield [("GET", key) for key in marks]) if text)
        if users:
            part.owners += len(kinds["u"])
            if some := kinds["u"][: USERS - part.looked_up]:
                part.looked_up += len(some)
                part.with_sessions += yield from self._alive(some, now)

    def _sessions(self, keys: list[bytes], now: float) -> Plan[list[Record | Ended]]:
        """What is there at `now`. A value that nobody can read opens nothing: left out."""
        found: list[Record | Ended] = []
        for key, raw in zip(
            keys, (yield [("GETRANGE", key, 0, _HEAD - 1) for key in keys]) if keys else [], strict=True
        ):
            with suppress(StoreUnavailable):
                about = raw.partition(b"\n")[0] + b"\n{}" if raw[:1] in (b"L", b"A") else raw
                value = held(load(self._names.parse(key)[1], about or None), now)
                if value is not None:
                    found.append(value)
        return found

    def _alive(self, users: list[bytes], now: float) -> Plan[int]:
        """How many of these users have a session that lives."""
        heads: list[tuple[bytes, str]] = []
        for user, reply in zip(users, (yield [("HGETALL", user) for user in users]), strict=True):
            members = [
                (float(since), name[2:].decode())
                for name, since in pairs(reply).items()
                if name.startswith(b"m:") and since[:1] not in (b"D", b"O")
            ]
            heads += [(user, handle) for _, handle in sorted(members, reverse=True)[:MEMBERS]]
        alive: set[bytes] = set()
        for place in range(0, len(heads), BATCH):
            some = heads[place : place + BATCH]
            replies = yield [("GETRANGE", self._names.session(handle), 0, 21) for _, handle in some]
            yield None
            alive.update(
                user
                for (user, _), head in zip(some, replies, strict=True)
                if head[:1] in (b"L", b"A") and head[9:].isdigit() and int(head[9:]) > ms(now)
            )
        return len(alive)
