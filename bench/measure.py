"""Time, taken so that a busy machine favours nobody.

Contenders take turns in small slices, in an order that is drawn anew for each round. What counts is the ratio
within a round; of all rounds' ratios the median is told, with the quartiles.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from .visits import App, Visit, ask

LEAST = 5
"""Rounds that are measured whatever the time."""
LAPS = 5
"""Parts of a slice that are timed by themselves: their median counts, so that one interruption does not."""


class Proof(Protocol):
    """What shows that a slice did what it claims, outside of the clock. Raises `Wrong`."""

    def before(self, visits: Sequence[Visit]) -> None:
        """The slice is about to begin."""

    def after(self, requests: int, cookie: str | None) -> None:
        """It has ended; `cookie` is the last one that was set."""


@dataclass
class Contender:
    """An application with its visitors. A lap is so many requests."""

    name: str
    app: App
    visits: list[Visit]
    lap: int = 50
    sets_cookie: bool = False
    proof: Proof | None = None


class Spread(NamedTuple):
    """A median between its quartiles."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of two values or more."""
        return cls(*statistics.quantiles(values, n=4, method="inclusive"))


@dataclass
class Heat:
    """Contenders that were measured together, `flight` requests at a time; seconds a request, by round."""

    flight: int
    times: dict[str, list[float]] = field(default_factory=dict)

    def net(self, name: str) -> list[float]:
        """Seconds a request less the bare application's, by round."""
        return [own - bare for own, bare in zip(self.times[name], self.times["bare"], strict=True)]

    def cost(self, name: str) -> Spread:
        """What a contender adds to a request, in microseconds."""
        return Spread.of([net * 1e6 for net in self.net(name)])

    def ratio(self, name: str, other: str) -> Spread:
        """What a contender adds, in terms of what another adds in the same round."""
        pairs = zip(self.net(name), self.net(other), strict=True)
        # Where the machine was busy just then, the other one seems to cost nothing: as bad for us as can be.
        return Spread.of([own / theirs if theirs > 0 else float("inf") for own, theirs in pairs])


async def _ask_all(contender: Contender, visits: Sequence[Visit], first: int, last: int) -> str | None:
    cookie = None
    for turn in range(first, last):
        cookie = await ask(contender.app, visits[turn % len(visits)], contender.sets_cookie)
    return cookie


async def _slice(contender: Contender, flight: int) -> float:
    """Seconds a request takes, measured once."""
    visits, lap, proof = contender.visits, contender.lap, contender.proof
    if proof:
        proof.before(visits)
    # Whoever comes first after a write finds a cold page.
    cookie = await ask(contender.app, visits[0], contender.sets_cookie)
    # Nobody pays for the garbage that another left.
    gc.collect()
    times = []
    for turn in range(LAPS):
        start = time.perf_counter()
        if flight == 1:
            cookie = await _ask_all(contender, visits, turn * lap, (turn + 1) * lap)
        else:
            async with asyncio.TaskGroup() as group:
                for visit in visits[:flight]:
                    group.create_task(_ask_all(contender, [visit], 0, lap // flight))
        times.append(time.perf_counter() - start)
    if proof:
        proof.after(1 + LAPS * lap, cookie)
    return statistics.median(times) / lap


async def compete(
    contenders: Sequence[Contender], flight: int, seconds: float, tell: Callable[[int, float], None]
) -> Heat:
    """Measure them for about that many seconds; `tell` hears the number of rounds and the seconds so far.

    The collector of garbage stays on, as in a server; what exists before the first round is frozen out of it.
    """
    heat = Heat(flight, {contender.name: [] for contender in contenders})
    order = list(contenders)
    for contender in order:  # opens connections, makes files, fills caches
        await _slice(contender, flight)
    gc.collect()
    gc.freeze()
    begun, rounds = time.monotonic(), 0
    while rounds < LEAST or time.monotonic() - begun < seconds:
        random.shuffle(order)
        for contender in order:
            heat.times[contender.name].append(await _slice(contender, flight))
        rounds += 1
        tell(rounds, time.monotonic() - begun)
    gc.unfreeze()
    return heat
