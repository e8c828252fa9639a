"""What a run of `make bench-scale` says."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tools import marks

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
BEGIN, END = "<!-- the table: make bench-scale ARGS=--write -->", "<!-- the end of the table -->"
LIMIT = 1.3
"""By how much a verb may grow from the smallest store to the largest."""


class Stall(NamedTuple):
    """What loads take beside a purge."""

    deleted: int
    seconds: float
    quiet: list[float]
    busy: list[float]


class Scaled(NamedTuple):
    """One store."""

    kind: str
    times: dict[str, dict[int, list[float]]]
    stalls: dict[int, Stall]
    weights: dict[int, float | None]
    """Bytes a session."""


def ratio(times: dict[int, list[float]]) -> float:
    """How much longer a call takes with the most sessions than with the fewest: the median of the rounds' ratios."""
    least, most = min(times), max(times)
    return statistics.median(big / small for big, small in zip(times[most], times[least], strict=True))


def grown(found: Scaled) -> list[str]:
    """The verbs that grow by more than they may."""
    return [verb for verb, times in found.times.items() if ratio(times) > LIMIT]


def table(found: Sequence[Scaled]) -> str:
    """All of it, as Markdown."""
    sizes = sorted(found[0].weights)
    head = ["store", "verb", *(f"{size:,}" for size in sizes), "largest : smallest"]
    rows = []
    for one in found:
        for verb, times in one.times.items():
            cells = [f"{statistics.median(times[size]) * 1e6:.0f} us" for size in sizes]
            rows.append([one.kind, verb, *cells, f"{ratio(times):.2f}"])
        if any(one.weights.values()):
            rows.append([one.kind, "bytes a session", *(f"{one.weights[size] or 0:.0f}" for size in sizes), ""])
    lines = [head, ["---"] * 2 + ["---:"] * (len(sizes) + 1), *rows]
    text = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    stalls = [(one.kind, size, stall) for one in found for size, stall in one.stalls.items()]
    if not stalls:
        return text
    text += "\n| store | sessions | purged | in | a load meanwhile, 95 % within | without a purge |\n"
    text += "| --- | ---: | ---: | ---: | ---: | ---: |\n"
    for kind, size, stall in stalls:
        busy, quiet = (sorted(some)[int(len(some) * 0.95)] * 1e6 for some in (stall.busy, stall.quiet))
        cells = [kind, f"{size:,}", f"{stall.deleted:,}", f"{stall.seconds:.1f} s", f"{busy:.0f} us", f"{quiet:.0f} us"]
        text += f"| {' | '.join(cells)} |\n"
    return text


def write(found: Sequence[Scaled]) -> None:
    """Put it into the page. Raises ValueError for one without the marks."""
    PAGE.write_text(marks.put(PAGE.read_text(), BEGIN, END, f"\n\n{table(found)}\n"))
