"""What a request of each class costs in processor time, in the application's process and in the store's.

Processor time and not wall time: what else the machine does meanwhile is not in it. Classes take turns in an order
that is drawn anew for each round.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.visits import App, Visit, ask

from .figures import Cost
from .requests import SETS_COOKIE, Requests, bare, served
from .servers import Place

FLIGHTS = (1, 32)
"""Requests at a time."""

Tell = Callable[[str], None]


class Lap(NamedTuple):
    """Seconds of a processor, in all."""

    app: float
    store: float


async def _ask_all(app: App, visits: Sequence[Visit], sets_cookie: bool) -> None:
    for visit in visits:
        await ask(app, visit, sets_cookie)


async def _lap(app: App, visits: Sequence[Visit], sets_cookie: bool, flight: int, place: Place) -> Lap:
    gc.collect()  # nobody pays for the garbage that another left
    await asyncio.sleep(0.002)  # a process's clock is exact while it waits
    app_began, store_began = time.process_time(), place.spent()
    if flight == 1:
        await _ask_all(app, visits, sets_cookie)
    else:
        async with asyncio.TaskGroup() as group:
            for first in range(flight):
                group.create_task(_ask_all(app, visits[first::flight], sets_cookie))
    app_spent = time.process_time() - app_began
    await asyncio.sleep(0.002)
    return Lap(app_spent, place.spent() - store_began)


async def measure(
    place: Place, rounds: int, lap: int, tell: Tell, flights: Sequence[int] = FLIGHTS
) -> dict[int, dict[str, Cost]]:
    """By requests in flight and by class; `lap` requests of each class in each round."""
    place.empty()
    requests = Requests(place.url)
    try:
        return {flight: await _measure(requests, place, flight, rounds, lap, tell) for flight in flights}
    finally:
        await requests.close()


async def _measure(requests: Requests, place: Place, flight: int, rounds: int, lap: int, tell: Tell) -> dict[str, Cost]:
    plain, nobody = served(bare), [Visit.of("0")] * lap
    laps: dict[str, list[Lap]] = {name: [] for name in requests.apps}
    bares: list[float] = []
    order = list(requests.apps)
    for number in range(rounds + 1):
        tell(f"{flight} in flight, round {number} of {rounds}")
        random.shuffle(order)
        without = await _lap(plain, nobody, False, flight, place)
        found = {}
        for name in order:
            visits = requests.visits(name, lap)
            found[name] = await _lap(requests.apps[name], visits, name in SETS_COOKIE, flight, place)
            requests.prove(name, visits[-1])
        if number:  # the first round warms up
            bares.append(without.app)
            for name, one in found.items():
                laps[name].append(one)
    app_bare = statistics.median(bares)
    return {name: cost(some, app_bare, lap) for name, some in laps.items()}


def cost(laps: Sequence[Lap], bare_app: float, lap: int) -> Cost:
    """A request's: the median of the laps for the application, less what the page takes bare; for the store the mean,
    so that what a server does now and then for all of them, as PostgreSQL's checkpoints, is in it."""
    app = statistics.median(one.app for one in laps) - bare_app
    store = statistics.fmean(one.store for one in laps)
    return Cost(max(app, 0.0) / lap * 1e6, store / lap * 1e6)
