"""A slice: so many requests of one contender, timed."""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
import time
from typing import Any

from .asking import Answer
from .contender import VISITORS, Contender, Unfit

LAPS = int(os.environ.get("BENCH_LAPS", "5"))
"""Parts of a slice that are timed by themselves: their median counts, so that one interruption does not."""
LAP = {"read": 50, "untouched": 50, "write": 20, "login": 10, "list": 20, "revoke": 10}
"""Requests of a lap, one after the other. With several in flight it is one wave: they arrive at the same moment."""


def requests(kind: str, flight: int) -> int:
    """Of a slice, with the one before the clock."""
    return 1 + LAPS * (LAP[kind] if flight == 1 else flight)


async def measure(contender: Contender, flight: int) -> dict[str, Any]:
    """Seconds a request; with several in flight also how long the answers took, from the moment they all came."""
    kind = contender.kind
    await contender.before(requests(kind, flight))
    # Whoever comes first after a change finds a cold page.
    last = await contender.ask(0)
    # Nobody pays for the garbage that another left.
    gc.collect()
    times, waits = [], list[float]()
    for turn in range(LAPS):
        begun = time.perf_counter()
        if flight == 1:
            lap = LAP[kind]
            for number in range(turn * lap, (turn + 1) * lap):
                last = await contender.ask(number % VISITORS)
            times.append((time.perf_counter() - begun) / lap)
        else:
            last = await _wave(contender, flight, begun, waits)
            times.append((time.perf_counter() - begun) / flight)
    try:
        await contender.after(requests(kind, flight), last)
    except Unfit as why:
        return {"unfit": str(why)}
    told: dict[str, Any] = {"seconds": statistics.median(times)}
    if waits:
        waits.sort()
        told |= {f"p{part}": waits[len(waits) * part // 100] for part in (50, 95, 99)}
    return told


async def _wave(contender: Contender, flight: int, begun: float, waits: list[float]) -> Answer:
    async def one(number: int) -> Answer:
        answer = await contender.ask(number)
        waits.append(time.perf_counter() - begun)
        return answer

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number % VISITORS)) for number in range(flight)]
    return tasks[-1].result()
