"""What the workers and the store grow to, sampled while the soak runs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

PAGE = 4096


class Trend(NamedTuple):
    """How a size has developed. Bytes."""

    first: float
    """The median of the first third of what was sampled after the warm-up."""
    last: float
    """The median of the last third."""
    peak: float
    per_minute: float
    """The slope of a straight line through all samples after the warm-up (Theil and Sen's: outliers do not count)."""

    @property
    def growth(self) -> float:
        """From the first to the last third, as a share."""
        return self.last / self.first - 1 if self.first else 0.0


class Gauge:
    """Samples of one size over time."""

    def __init__(self, read: Callable[[], int]) -> None:
        self._read = read
        self.samples: list[tuple[float, int]] = []

    def sample(self) -> None:
        """Take one."""
        self.samples.append((time.monotonic(), self._read()))

    def trend(self, warm_up: float) -> Trend | None:
        """The trend after so many seconds; None for too few samples."""
        if not self.samples:
            return None
        begun = self.samples[0][0]
        late = [(at, size) for at, size in self.samples if at - begun >= warm_up]
        if len(late) < 6:
            return None
        third, sizes = len(late) // 3, [size for _, size in late]
        slopes = [
            (size - before) / (at - earlier)
            for place, (at, size) in enumerate(late)
            for earlier, before in late[:place]
        ]
        return Trend(
            statistics.median(sizes[:third]),
            statistics.median(sizes[-third:]),
            max(sizes),
            statistics.median(slopes) * 60,
        )


def resident(pids: list[int]) -> int:
    """Bytes of memory that processes hold."""
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE for pid in pids)


def children(pid: int) -> list[int]:
    """The worker processes of a supervisor: those of its children that have threads or sockets of their own."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes()]
