"""The verdicts as a page."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence

from .run import WARM_UP, Verdict
from .watch import Trend

FLAT = 0.05
"""A size that grows by less than this share between the first and the last third is called flat."""

_INTRO = """\
# Under load

`python -m bench.soak --minutes 3 --write` wrote this page. Two real uvicorn workers, {visitors} visitors in
{households} households of one user each, as fast as they are answered. They sign in and out, read, write (also to
different fields at the same time), revoke and update users, and redeem tickets, several at once. Each household knows
what every answer has to be: who it is, exactly what its session holds, which sessions have ended, in whichever process.
One minute is a day by the application's clock, so what is kept for a day after a session's end comes and goes. For that
rotation is off: it has a simulation of its own.

The oracle can fail: `--forget revocations` (or `updates`, `tickets`, `writes`) breaks that promise in the application,
and the first wrong answer comes within a second.

Clients and servers shared {cores} cores ({machine}), so speed says little and the rest says all.
"""


def page(verdicts: Sequence[Verdict]) -> str:
    """The summary in Markdown."""
    first = verdicts[0]
    intro = _INTRO.format(
        visitors=first.visitors, households=first.visitors // 3, cores=os.cpu_count(), machine=platform.machine()
    )
    names = {"sqlite": "SQLite", "redis": "Redis"}
    head = ["", *(names[verdict.store] for verdict in verdicts)]
    rows = [
        ["seconds", *(f"{verdict.seconds:.0f}" for verdict in verdicts)],
        ["requests", *(f"{verdict.requests:,}" for verdict in verdicts)],
        ["requests a second", *(f"{verdict.requests / verdict.seconds:,.0f}" for verdict in verdicts)],
        ["answers checked", *(f"{verdict.checks:,}" for verdict in verdicts)],
        ["**wrong answers**", *(f"**{len(verdict.wrong)}**" for verdict in verdicts)],
        ["**answers of 500 and above, without 503**", *(f"**{verdict.errors}**" for verdict in verdicts)],
        ["503 (the store was too busy)", *(str(verdict.statuses.get(503, 0)) for verdict in verdicts)],
        ["faults in the workers' logs", *(str(len(verdict.faults)) for verdict in verdicts)],
        ["processes that answered", *(str(verdict.processes) for verdict in verdicts)],
        *(
            [f"{share} answered within, ms", *(f"{verdict.quantiles[share] * 1000:.0f}" for verdict in verdicts)]
            for share in first.quantiles
        ),
        *([f"times: {_words(name)}", *(f"{one.done.get(name, 0):,}" for one in verdicts)] for name in first.done),
    ]
    parts = [intro, _table(head, rows), _sizes(verdicts, names)]
    for verdict in verdicts:
        parts += [f"- {names[verdict.store]}: {line}\n" for line in [*verdict.wrong[:20], *verdict.faults[:20]]]
    return "\n".join(parts)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _sizes(verdicts: Sequence[Verdict], names: dict[str, str]) -> str:
    head = ["size", "first third, MB", "last third, MB", "peak, MB", "KB a minute", ""]
    rows = [
        [f"{names[verdict.store]}: {name}", *_trend(trend)]
        for verdict in verdicts
        for name, trend in verdict.trends.items()
    ]
    return f"Sizes, of what was sampled after the first {WARM_UP:.0f} seconds:\n\n{_table(head, rows)}"


def _trend(trend: Trend | None) -> list[str]:
    if trend is None:
        return ["", "", "", "", "too short to say"]
    sizes = [f"{size / 1e6:.2f}" for size in (trend.first, trend.last, trend.peak)]
    return [*sizes, f"{trend.per_minute / 1e3:+.0f}", "flat" if trend.growth < FLAT else f"+{trend.growth:.0%}"]
