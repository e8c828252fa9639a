"""One soak over one store, from the first visitor to the verdict."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from .stage import Stage, stage
from .visitors import Household, Oracle
from .watch import Trend
from .wire import Tally

DEVICES = 3
"""Of each household."""
WARM_UP = 70.0
"""Seconds, more than the day for which an end is remembered: from then on as much is forgotten as is added."""
EVERY = 1.0
"""Seconds between two samples."""

Tell = Callable[[str], None]


@dataclass
class Verdict:
    """What a soak has shown."""

    store: str
    seconds: float
    visitors: int
    requests: int
    statuses: dict[int, int]
    quantiles: dict[str, float]
    """Seconds in which so many of the requests were answered."""
    checks: int
    wrong: list[str]
    processes: int
    done: dict[str, int]
    trends: dict[str, Trend | None]
    faults: list[str]
    """Lines of the workers' logs that speak of a fault."""

    @property
    def errors(self) -> int:
        """Answers of 500 and above that are not a store's 503."""
        return sum(count for status, count in self.statuses.items() if status >= 500 and status != 503)


def soak(store: str, seconds: float, households: int, tell: Tell, forgets: str = "") -> Verdict:
    """Soak a store for that long; `tell` hears how it goes. With `forgets` it ends at the first wrong answer."""
    with stage(store, forgets) as servers:
        return asyncio.run(_soak(store, servers, seconds, households, tell, patient=not forgets))


async def _soak(store: str, servers: Stage, seconds: float, households: int, tell: Tell, *, patient: bool) -> Verdict:
    oracle, tally, stop = Oracle(), Tally(), asyncio.Event()
    begun = time.monotonic()
    families = [Household(f"h{number}", servers.port, DEVICES, oracle, tally) for number in range(households)]
    async with asyncio.TaskGroup() as group:
        for family in families:
            group.create_task(family.live(stop))
        watch = asyncio.create_task(_watch(store, servers, begun, seconds, oracle, tally, tell))
        if not patient:
            oracle.first = watch.cancel
        with suppress(asyncio.CancelledError):
            await watch
        stop.set()
    spent = time.monotonic() - begun
    cuts = statistics.quantiles(tally.seconds, n=1000, method="inclusive")
    return Verdict(
        store,
        spent,
        households * DEVICES,
        len(tally.seconds),
        dict(sorted(tally.statuses.items())),
        {"50 %": cuts[499], "95 %": cuts[949], "99 %": cuts[989], "99.9 %": cuts[998], "all": max(tally.seconds)},
        oracle.checks,
        oracle.wrong,
        len(oracle.processes),
        dict(sorted(oracle.done.items())),
        {name: gauge.trend(WARM_UP) for name, gauge in servers.gauges.items()},
        servers.fault_lines(),
    )


async def _watch(
    store: str, servers: Stage, begun: float, seconds: float, oracle: Oracle, tally: Tally, tell: Tell
) -> None:
    """Take samples until the time is over, and say how it goes every ten seconds."""
    aged, told = begun, begun
    while (now := time.monotonic()) - begun < seconds:
        await asyncio.sleep(min(EVERY, begun + seconds - now))
        for gauge in servers.gauges.values():
            gauge.sample()
        now = time.monotonic()
        await asyncio.to_thread(servers.pass_time, now - aged)
        aged = now
        if now - told >= 10:
            told = now
            sizes = ", ".join(f"{name} {gauge.samples[-1][1] / 1e6:.1f} MB" for name, gauge in servers.gauges.items())
            tell(
                f"{store}: {now - begun:.0f} of {seconds:.0f} s, {len(tally.seconds)} requests, "
                f"{oracle.checks} checks, {len(oracle.wrong)} wrong; {sizes}"
            )
