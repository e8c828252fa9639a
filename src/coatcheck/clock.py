"""Time is an argument: everything that asks what time it is asks a clock that the caller may replace."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

Clock = Callable[[], float]
"""Returns the time now, in seconds since the epoch (UTC)."""

system_clock: Clock = time.time
"""The default. Only this clock is corrected to the store's; an injected one is taken at its word."""


_COUNTER: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


elapsed: Clock = time.monotonic if _COUNTER is None else partial(time.clock_gettime, _COUNTER)
"""Seconds from some start, for waits that must also end where the machine was suspended meanwhile: there
`time.monotonic` stands still on Linux."""


def as_datetime(seconds: float) -> datetime:
    """An instant in seconds since the epoch as an aware UTC datetime."""
    return datetime.fromtimestamp(seconds, UTC)


SLOW_LOOK = 0.02
"""Seconds above which a look at a store's clock is not trusted for long: half of it is how wrong it may be."""


def corrected(offset: float, before: float, there: float, after: float) -> float:
    """A store's clock less ours, in seconds: `there` was read on it between two instants of ours. What was known stands
    unless that disproves it, so it does not jitter."""
    return offset if there - after <= offset <= there - before else there - (before + after) / 2
