"""How often a near cache answers, simulated: traffic of many users over processes, each with a cache of its own.

As `coatcheck.near` has it, a cache holds the sessions that its process has read from the store last. An entry serves
for `LIFE` seconds, until that session changes, wherever that happens, or until the process's cache is emptied (a
restart, or its feed of changes was cut). All is drawn from a seed: the same settings give the same numbers.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from coatcheck.near import LIFE


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """Who comes, how often, and what for. Times are seconds."""

    users: int = 100_000
    requests: float = 20.0
    """A user a day, with a cookie or not."""
    peak: float = 4.0
    zipf: float = 0.8
    """The user of rank k comes in proportion to k to the power of minus this; 0: all alike."""
    pages: float = 6.0
    """A visit, in the mean; geometrically distributed."""
    burst: int = 3
    """Requests of one page, at once."""
    think: float = 30.0
    """From page to page, in the mean; exponentially distributed."""
    changes: float = 0.08
    """The share of requests that change the session."""
    upkeep: float = 86_400.0
    """A read changes it too if none has for so long: a touch or a rotation."""
    cut: float = 86_400.0
    """So often a process's cache is emptied: a new release, or its feed was cut."""
    warm_up: float = 1_800.0
    """Before anything counts."""
    seconds: float = 3_600.0
    """That count."""
    seed: int = 1


PROCESSES = (1, 4, 16, 64)
ENTRIES = (10, 30, 100, 300, 1_000, 3_000, 10_000)


class Simulated(NamedTuple):
    """Hit rates of one crowd."""

    crowd: Crowd
    asks: int
    """Loads that were simulated, the warm-up's included."""
    active: int
    """Sessions that came."""
    rates: dict[str, dict[int, dict[int, float]]]
    """By balancing ("random", "sticky"), by processes, and by entries in each."""


class Ask(NamedTuple):
    """A request that loads a session."""

    at: float
    session: int
    changes: bool


def traffic(crowd: Crowd) -> list[Ask]:
    """All requests of a crowd, in their order. Visits begin at random, independently of each other."""
    draw = random.Random(crowd.seed)
    until = crowd.warm_up + crowd.seconds
    visits = crowd.users * crowd.requests * crowd.peak / 86_400 / (crowd.pages * crowd.burst)
    weights = list(accumulate((rank + 1) ** -crowd.zipf for rank in range(crowd.users)))
    asks, at = [], draw.expovariate(visits)
    while at < until:
        (session,) = draw.choices(range(crowd.users), cum_weights=weights)
        page = at
        while page < until:
            # The requests of a page come one after another, a tenth of a second apart.
            asks += [(page + number / 10, session, draw.random() < crowd.changes) for number in range(crowd.burst)]
            if draw.random() < 1 / crowd.pages:
                break
            page += draw.expovariate(1 / crowd.think)
        at += draw.expovariate(visits)
    asks.sort()
    return _kept_up([Ask(*one) for one in asks], crowd.upkeep, draw)


def _kept_up(asks: Sequence[Ask], upkeep: float, draw: random.Random) -> list[Ask]:
    """The same, where a read that finds its session untouched for `upkeep` is a change. Before the first request a
    session was last touched at any time within it."""
    touched: dict[int, float] = {}
    found = []
    for ask in asks:
        last = touched.get(ask.session)
        if last is None:
            last = touched[ask.session] = ask.at - draw.random() * upkeep
        changes = ask.changes or ask.at - last >= upkeep
        if changes:
            touched[ask.session] = ask.at
        found.append(ask._replace(changes=changes))
    return found


def hit_rate(
    asks: Sequence[Ask],
    *,
    processes: int,
    entries: int,
    sticky: bool,
    since: float = 0.0,
    cut: float = 0.0,
    life: float = LIFE,
    seed: int = 1,
) -> float:
    """The share of loads from `since` on that found the session in the cache of their process.

    `entries`: in each process. `sticky`: a session's requests all go to one process, else each goes to any. `cut`:
    each cache is emptied so often, in seconds, one after another; 0: never. `life`: seconds for which an entry serves.
    Raises ValueError if nothing was asked.
    """
    draw = random.Random(seed)
    caches: list[OrderedDict[int, float]] = [OrderedDict() for _ in range(processes)]
    """When each session was read."""
    due = [cut * (number + 1) / processes for number in range(processes)]
    hits = loads = 0
    for at, session, changes in asks:
        process = session % processes if sticky else int(draw.random() * processes)
        cache = caches[process]
        if cut and at >= due[process]:
            cache.clear()
            due[process] += cut
        hit = at < cache.get(session, -life) + life
        if at >= since:
            loads += 1
            hits += hit
        if changes:
            for one in caches:
                one.pop(session, None)
        elif not hit:
            cache[session] = at
            cache.move_to_end(session)
            if len(cache) > entries:
                cache.popitem(last=False)
    if not loads:
        raise ValueError("nothing was asked")
    return hits / loads


def simulate(crowd: Crowd, tell: Callable[[str], None]) -> Simulated:
    """The crowd over every number of processes and every size of cache, with both ways to balance."""
    asks = traffic(crowd)
    rates: dict[str, dict[int, dict[int, float]]] = {}
    for balancing in ("random", "sticky"):
        for processes in PROCESSES:
            tell(f"{balancing} balancing over {processes} processes")
            rates.setdefault(balancing, {})[processes] = {
                entries: round(
                    hit_rate(
                        asks,
                        processes=processes,
                        entries=entries,
                        sticky=balancing == "sticky",
                        since=crowd.warm_up,
                        cut=crowd.cut,
                        seed=crowd.seed,
                    ),
                    4,
                )
                for entries in ENTRIES
            }
    return Simulated(crowd, len(asks), len({ask.session for ask in asks}), rates)
