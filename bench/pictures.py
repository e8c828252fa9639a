"""What a class of request costs, as bars with their quartiles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .figures import Figures, Key

KINDS = ("read", "write", "login")
"""Those that most can do."""
OURS, THEIRS, INK = "#1a7f5a", "#b4423c", "#57606a"


def draw(figures: Figures, kind: str, path: Path, framework: Callable[[Key], str]) -> None:
    """A bar for each contender, alone and with others in flight; ours in another colour."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    keys = figures.select(kind, 1)
    # The same picture for the same figures, with text that can be read and searched.
    mpl.rcParams.update({"svg.hashsalt": "coatcheck", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure = Figure(figsize=(9.6, 0.24 * len(keys) + 0.9), layout="constrained", facecolor="white")
    parts: Any = figure.subplots(1, 2, sharey=True)
    for axes, flight, title in zip(parts, (1, 50), ("alone", "50 in flight"), strict=True):
        for place, key in enumerate(key._replace(flight=flight) for key in keys):
            if key not in figures:
                continue
            low, median, high = figures.cost(key)
            colour = OURS if key in figures.ours else THEIRS
            axes.barh(place, max(median, 0), color=colour, height=0.72)
            axes.plot([max(low, 0), max(high, 0)], [place, place], color=INK, linewidth=1.6, solid_capstyle="butt")
            axes.annotate(
                f"{median:,.0f}",
                (max(high, 0), place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=INK,
            )
        axes.set_title(f"{kind}, {title}: net us a request", fontsize=10, loc="left")
        axes.margins(x=0.16, y=0.01)
        axes.set_xlim(left=0)
        axes.tick_params(left=False, labelsize=8)
        axes.grid(axis="x", color="#d8dee4", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
    parts[0].set_yticks(range(len(keys)), [f"{key.subject} · {framework(key)}" for key in keys])
    parts[0].invert_yaxis()
    for label, key in zip(parts[0].get_yticklabels(), keys, strict=True):
        label.set_color(OURS if key in figures.ours else INK)
    figure.savefig(path, metadata={"Date": None})
