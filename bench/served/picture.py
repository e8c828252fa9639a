"""Contenders as points between their quartiles, one panel for each server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.figures import Spread

from .contenders import SERVERS, Contender
from .measure import Heat, Results

OURS, THEIRS, INK = "#1a7f5a", "#b4423c", "#57606a"


def draw(results: Results, heat: Heat, figure_of: Callable[[Contender], Spread | None], unit: str, path: Path) -> None:
    """The figure of all that were measured in a heat; log scale, the lowest at the top."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator

    # The same picture for the same figures, with text that can be read and searched.
    mpl.rcParams.update({"svg.hashsalt": "coatcheck", "svg.fonttype": "none", "font.family": "sans-serif"})
    panels: dict[str, list[tuple[Contender, Spread]]] = {}
    for one in results.contenders(heat):
        spread = figure_of(one)
        if spread and spread.median > 0:
            panels.setdefault(one.server, []).append((one, spread))
    shown = [server for server in SERVERS if server in panels]
    if not shown:
        return
    heights = [len(panels[server]) + 1.4 for server in shown]
    figure = Figure(figsize=(8.6, 0.23 * sum(heights) + 0.6), layout="constrained", facecolor="white")
    parts: Any = figure.subplots(len(shown), 1, sharex=True, squeeze=False, height_ratios=heights)
    for axes, server in zip(parts[:, 0], shown, strict=True):
        rows = sorted(panels[server], key=lambda row: row[1].median)
        for place, (one, spread) in enumerate(rows):
            colour = OURS if one.ours else INK if one.kind in {"bare", "jwt"} else THEIRS
            low = max(spread.low, spread.median / 10)
            axes.plot([low, spread.high], [place, place], color=colour, linewidth=3, alpha=0.4)
            axes.plot([spread.median], [place], color=colour, marker="o", markersize=4)
        axes.set_yticks(range(len(rows)), [one.name for one, _ in rows], fontsize=8)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_title(server, fontsize=10, loc="left")
        axes.set_xscale("log")
        axes.grid(axis="x", color="#d8dee4", linewidth=0.6)
        axes.tick_params(left=False)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
    parts[-1, 0].xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    parts[-1, 0].xaxis.set_major_formatter("{x:g}")
    parts[-1, 0].xaxis.set_minor_locator(NullLocator())
    parts[-1, 0].set_xlabel(unit)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
