"""From what one session and one request take to what so many users need: arithmetic, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

from .figures import Cost, Figures, Weight
from .traffic import Mix

REDIS = ("redis", "cluster")
GIB = 2**30


class Needs(NamedTuple):
    """What a store and its application need for so many users."""

    sessions: float
    """Live ones, those of nobody included."""
    bytes: float
    """What they take, before any room."""
    requests: float
    """A second, at the peak."""
    app: float
    """Seconds of a processor in a second at the peak, for sessions alone: cores that are fully busy."""
    store: float
    """The same in the store's processes; for SQLite it is in `app`."""
    app_cores: int
    store_cores: int
    """For PostgreSQL, busy as far as they may be."""
    primaries: int
    """For Redis: by processor or by memory, whichever asks for more."""


def needs(store: str, users: float, mix: Mix, weight: Weight, costs: Mapping[str, Cost]) -> Needs:
    """The needs of so many users. Raises KeyError for costs that lack a class."""
    of_users, of_nobody = users * mix.sessions, users * mix.anonymous
    # No user has a part of a session: of two a user in the mean, hardly any has none.
    indexes = min(users, of_users)
    size = of_users * weight.session + of_nobody * weight.anonymous + indexes * weight.user
    rate = mix.at_peak(users)
    shares = mix.shares()
    app = rate * sum(share * costs[name].app for name, share in shares.items()) / 1e6
    asked = {**shares, "read": shares["read"] * (1 - mix.near)}
    busy = rate * sum(share * costs[name].store for name, share in asked.items()) / 1e6
    primaries = 0
    if store in REDIS:
        least = 3 if store == "cluster" else 1  # with fewer nobody can tell which half of a split network is alive
        primaries = max(least, ceil(busy / mix.redis_load), ceil(size * mix.room / (mix.redis_gib * GIB)))
    in_cores = 0 if store in (*REDIS, "sqlite") else max(1, ceil(busy / mix.load))
    return Needs(of_users + of_nobody, size, rate, app, busy, max(1, ceil(app / mix.load)), in_cores, primaries)


def needs_of(figures: Figures, store: str, users: float, mix: Mix) -> Needs:
    """The same from what was measured. Raises ValueError for data or a flight that were not."""
    known = figures.costs[store]
    if mix.flight not in known:
        raise ValueError(f"flight={mix.flight:g}: {', '.join(map(str, known))} were measured")
    return needs(store, users, mix, figures.weight(store, int(mix.data)), known[int(mix.flight)])


def over_budget(figures: Figures) -> list[str]:
    """Where a session in Redis, with its user, takes more than 1.3 times the plain JSON string and 400 bytes."""
    return [
        f"{size} bytes: {one.session + one.user:.0f}, and {budget(one):.0f} are allowed"
        for size, one in figures.weights.get("redis", {}).items()
        if one.session + one.user > budget(one)
    ]


def budget(weight: Weight) -> float:
    """Bytes that a session in Redis may take, with the index of a user who has no other."""
    return 1.3 * weight.plain + 400
