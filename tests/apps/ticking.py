"""Streams of events that never end by themselves (within a test's patience), for the kit's applications."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

TYPE = "text/event-stream"
EVENT = b"data: tick\n\n"
PATIENCE = 20.0
"""Seconds after which they do end: a test that fails must not hold its server for ever."""


def ticks() -> Iterator[bytes]:
    """An event every 20 ms: who may wait for nothing but its own next piece ends there."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        yield EVENT
        time.sleep(0.02)


async def quiet() -> AsyncIterator[bytes]:
    """One event, and then nothing."""
    yield EVENT
    await asyncio.sleep(PATIENCE)
