"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ..clock import as_datetime

START = datetime(2030, 1, 1, 12, tzinfo=UTC)
"""What time it is at first: a fixed one, so that a failing test fails again."""


class FakeClock:
    """Pass it as `clock=` to a manager. Calling it returns seconds since the epoch."""

    def __init__(self, start: datetime | float = START) -> None:
        self._seconds = _seconds(start)

    def __call__(self) -> float:
        """The time in seconds since the epoch."""
        return self._seconds

    def now(self) -> datetime:
        """The time as an aware UTC datetime."""
        return as_datetime(self._seconds)

    def advance(self, by: timedelta | float) -> None:
        """Move it on by a timedelta or by seconds; a negative one moves it back."""
        self._seconds += by.total_seconds() if isinstance(by, timedelta) else by

    def set(self, to: datetime | float) -> None:
        """Set it to an aware datetime or to seconds since the epoch. Raises ValueError for a naive one."""
        self._seconds = _seconds(to)


def _seconds(instant: datetime | float) -> float:
    if not isinstance(instant, datetime):
        return float(instant)
    if instant.tzinfo is None:
        raise ValueError("give a time zone: datetime(2030, 1, 1, tzinfo=UTC)")
    return instant.timestamp()
