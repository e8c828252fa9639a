"""What a session and a user's index take in each store: stores that are filled, and asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from bench.footprint import SIZES, as_json, data, store_plainly
from bench.scale.stock import hold_purges, put
from bench.visits import BROWSER
from coatcheck.codec import dumps
from coatcheck.info import short
from coatcheck.record import Record
from tests.records import NOW, record

from .figures import Weight
from .servers import Place, PostgreSQL

PER_USER = 5
AGENT = short(dict(BROWSER)[b"user-agent"].decode())
"""As a session keeps it."""

Tell = Callable[[str], None]


class Fill(NamedTuple):
    """A store that was filled: bytes by which it has grown, and how many of them are indexes where it can tell."""

    bytes: int
    indexes: int


def sessions(count: int, size: int, per_user: int, client: bool = True) -> Iterator[Record]:
    """So many sessions with so many bytes of data, as a browser's are; `per_user` 0: of nobody. `client`: with the
    address and the browser's name."""
    known = {"address": "192.0.2.1", "user_agent": AGENT} if client else {}
    for number in range(count):
        user = f"user-{number // per_user:08}" if per_user else None
        yield record(user, at=NOW, **known, fields=dumps(data(size)))


def _fill(place: Place, count: int, size: int, per_user: int, client: bool = True) -> Fill:
    place.empty()
    store = place.open()
    try:
        hold_purges(store)
        put(store, sessions(1, size, 0))  # with what comes once
        before = _of(place)
        put(store, sessions(count, size, per_user, client))
    finally:
        store.close()
    after = _of(place)
    return Fill(after.bytes - before.bytes, after.indexes - before.indexes)


def _of(place: Place) -> Fill:
    return Fill(place.bytes(), place.indexes() if isinstance(place, PostgreSQL) else 0)


def solve(one_each: float, several_each: float, count: int, per_user: int) -> tuple[float, float]:
    """Bytes a session and bytes a user, where `count` sessions of as many users, and of `per_user` times fewer,
    take that much."""
    users = count / per_user
    user = (one_each - several_each) / (count - users)
    return one_each / count - user, user


def weigh(place: Place, count: int, tell: Tell) -> dict[int, Weight]:
    """By bytes of data as JSON. Each figure has the store to itself."""
    found = {}
    _fill(place, min(count, 1_000), SIZES[0], 1)  # what a server allocates once, such as for scripts
    for size in SIZES:
        tell(f"weighing {count:,} sessions of {size:,} bytes")
        nobodys = _fill(place, count, size, 0)
        singles, several = _fill(place, count, size, 1), _fill(place, count, size, PER_USER)
        session, user = solve(singles.bytes, several.bytes, count, PER_USER)
        plain = lean = 0.0
        if place.url.startswith("redis:"):
            plain, lean = _plainly(place, count, size) / count, _fill(place, count, size, 1, client=False).bytes / count
        length = len(as_json(data(size)))
        found[length] = Weight(nobodys.bytes / count, session, user, singles.indexes / count, plain, lean)
    place.empty()
    return found


def _plainly(place: Place, count: int, size: int) -> int:
    """The same data as one JSON string each, under a key and with a time to live, as others keep it."""
    place.empty()
    before = place.bytes()
    store_plainly(place.url, [data(size) for _ in range(count)])
    return place.bytes() - before
