"""Sign-ins and ends, hour by hour, as bars: SVG that needs no script."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..trail import AuditEntry

HOURS = 24
_HEIGHT = 100.0
_WIDTH = 720.0


@dataclass(frozen=True, slots=True)
class Bar:
    """An hour: where it is drawn, and what happened in it."""

    starts: float
    """Seconds since the epoch."""
    signed_in: int
    ended: int
    x: float
    width: float
    heights: tuple[float, float]

    @property
    def tops(self) -> tuple[float, float]:
        """Where the two bars begin."""
        return _HEIGHT - self.heights[0], _HEIGHT - self.heights[1]


def bars(entries: Iterable[AuditEntry], now: float) -> list[Bar]:
    """The last 24 hours, the oldest first. What ended as a login went on under a new name counts as neither."""
    last = int(now // 3600)
    counts = {hour: [0, 0] for hour in range(last - HOURS + 1, last + 1)}
    for entry in entries:
        if (hour := counts.get(int(entry.at // 3600))) is None:
            continue
        if entry.name in ("authenticated", "exchanged"):
            hour[0] += 1
        elif entry.name == "ended" and entry.reason != "replaced":
            many = entry.detail.get("sessions", "1")
            hour[1] += int(many) if many.isdecimal() else 1
    most = max(1, *(max(pair) for pair in counts.values()))
    slot = _WIDTH / HOURS
    return [
        Bar(
            starts=hour * 3600.0,
            signed_in=signed_in,
            ended=ended,
            x=round(place * slot + 2, 2),
            width=round(slot / 2 - 3, 2),
            heights=(round(signed_in / most * _HEIGHT, 2), round(ended / most * _HEIGHT, 2)),
        )
        for place, (hour, (signed_in, ended)) in enumerate(counts.items())
    ]
