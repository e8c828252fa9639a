"""Hit rates of near caches as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

COLOURS = ("#1a7f5a", "#3b6fb6", "#b8791f", "#b4423c")


def draw(rates: Mapping[str, Mapping[int, Mapping[int, float]]], path: Path) -> None:
    """For each way to balance, a line for each number of processes: hit rate by entries in each process."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # The same picture for the same rates, with text that can be read and searched.
    mpl.rcParams.update({"svg.hashsalt": "coatcheck", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure = Figure(figsize=(8.6, 3.4), layout="constrained", facecolor="white")
    parts: Any = figure.subplots(1, len(rates), sharey=True)
    for axes, (balancing, by_processes) in zip(parts, rates.items(), strict=True):
        for colour, (processes, by_entries) in zip(COLOURS, by_processes.items(), strict=True):
            shares = [100 * rate for rate in by_entries.values()]
            axes.plot(list(by_entries), shares, color=colour, marker="o", markersize=3, label=f"{processes}")
        axes.set_title(f"{balancing} balancing", fontsize=11, loc="left")
        axes.set_xscale("log")
        axes.set_xlabel("entries in each process")
        axes.set_ylim(0, 100)
        axes.grid(axis="y", color="#d8dee4", linewidth=0.6)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    parts[0].set_ylabel("loads answered, %")
    parts[-1].legend(title="processes", fontsize=9, loc="lower right")
    figure.savefig(path, metadata={"Date": None})
