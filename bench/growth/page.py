"""What grows, as a page and a picture."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bench.figures import Spread
from bench.report import processor

from .processes import FLIGHT

DOCS = Path(__file__).parents[2] / "docs"
PAGE, PICTURE = DOCS / "growth.md", DOCS / "images" / "growth.svg"
COLOURS = {"read": "#1a7f5a", "write": "#b4423c", "login": "#3b6fb6", "list": "#b8791f", "revoke": "#57606a"}
STYLES = {"SQLite": ":", "Redis": "-"}


Crowds = dict[tuple[str, str], dict[int, list[float]]]
"""Requests a second: by store and class, by number of processes, run by run."""


class Axis(NamedTuple):
    """What is made larger, and which classes of request are asked then."""

    name: str
    setting: str
    values: tuple[int, ...]
    kinds: tuple[str, ...]


AXES = (
    Axis("characters of data in a session", "size", (100, 1_000, 10_000, 100_000), ("read", "write")),
    Axis("fields in a session", "fields", (1, 10, 100, 1_000), ("read", "write")),
    Axis("sessions of the user", "sessions", (1, 10, 100, 1_000), ("read", "list", "login", "revoke")),
    Axis("requests in flight", "flight", (1, 5, 20, 50, 200), ("read", "write", "login")),
)

_INTRO = """\
# How it grows

This page is written by `make bench-growth ARGS=--write`. Each figure is what a request adds to the same application
bare, in Starlette, called in its own process: microseconds a request, the median of {rounds} rounds with the quartiles
in brackets. Sizes take turns in an order that is drawn anew for each round. A page that reads asks for one field; one
that writes changes one other field; a list shows the newest hundred.

With the sessions in the store it does not grow from ten thousand to a million: [scale](scale.md).

![What a request costs, by data, fields, sessions of a user and requests in flight](images/growth.svg)"""


@dataclass
class Grown:
    """One axis: seconds a request, by store, value and class, round by round. The bare application is a store, too."""

    name: str
    seconds: dict[tuple[str, int, str], list[float]]

    def cost(self, store: str, value: int, kind: str) -> Spread:
        """Net, in microseconds."""
        pairs = zip(self.seconds[store, value, kind], self.seconds["bare", value, "read"], strict=True)
        return Spread.of([(own - bare) * 1e6 for own, bare in pairs])

    def lines(self) -> dict[tuple[str, str], dict[int, Spread]]:
        """By store and class, what each value costs."""
        found: dict[tuple[str, str], dict[int, Spread]] = {}
        for store, value, kind in self.seconds:
            if store != "bare":
                found.setdefault((store, kind), {})[value] = self.cost(store, value, kind)
        return found


_PROCESSES = """\
Requests a second of all processes together over one store, {flight} in flight in each: the median of {turns} runs, with
the lowest and the highest. The machine has {cores} processors, which the processes share with Redis."""


def _crowds(crowds: Crowds) -> list[str]:
    numbers = list(next(iter(crowds.values())))
    rows = [["store", "class", *map(str, numbers)], ["---"] * 2 + ["---:"] * len(numbers)]
    for (store, kind), runs in crowds.items():
        cells = [f"{statistics.median(one):,.0f} ({min(one):,.0f} to {max(one):,.0f})" for one in runs.values()]
        rows.append([store, kind, *cells])
    turns = len(next(iter(next(iter(crowds.values())).values())))
    text = _PROCESSES.format(flight=FLIGHT, turns=turns, cores=os.cpu_count())
    return ["## Processes", text, "\n".join(f"| {' | '.join(row)} |" for row in rows)]


def page(found: Sequence[Grown], crowds: Crowds, rounds: int) -> str:
    """All of it."""
    parts = [_INTRO.format(rounds=rounds)]
    for one in found:
        lines = one.lines()
        values = list(next(iter(lines.values())))
        head = ["store", "class", *(f"{value:,}" for value in values)]
        rows = [
            [store, kind, *(f"{cost.median:,.0f} ({cost.low:,.0f} to {cost.high:,.0f})" for cost in costs.values())]
            for (store, kind), costs in lines.items()
        ]
        rule = ["---"] * 2 + ["---:"] * len(values)
        parts += [f"## {one.name.capitalize()}", "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])]
    parts += _crowds(crowds)
    return "\n\n".join([*parts, "## The machine", f"{processor()}."]) + "\n"


def draw(found: Sequence[Grown], path: Path) -> None:
    """A part for each axis; what lies between the quartiles is shaded."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # The same picture for the same figures, with text that can be read and searched.
    mpl.rcParams.update({"svg.hashsalt": "coatcheck", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure = Figure(figsize=(9.6, 6.6), layout="constrained", facecolor="white")
    parts: Any = figure.subplots(2, 2)
    labels: dict[str, Any] = {}
    for axes, one in zip(parts.flat, found, strict=True):
        for (store, kind), costs in one.lines().items():
            values = list(costs)
            (line,) = axes.plot(
                values,
                [cost.median for cost in costs.values()],
                color=COLOURS[kind],
                linestyle=STYLES[store],
                marker="o",
                markersize=3,
            )
            labels.setdefault(f"{kind}, {store}", line)
            low, high = ([cost[end] for cost in costs.values()] for end in (0, 2))
            axes.fill_between(values, low, high, color=COLOURS[kind], alpha=0.12, linewidth=0)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(f"net us a request, by {one.name}", fontsize=10, loc="left")
        axes.grid(color="#d8dee4", linewidth=0.6)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=5, fontsize=9, frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def write(found: Sequence[Grown], crowds: Crowds, rounds: int) -> None:
    """The page, and its picture."""
    PICTURE.parent.mkdir(exist_ok=True)
    draw(found, PICTURE)
    PAGE.write_text(page(found, crowds, rounds))
