"""The scores as a table and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools import marks

from .contenders import ROOT
from .race import Score

PAGE, README = ROOT / "docs" / "races.md", ROOT / "README.md"
PICTURE = ROOT / "docs" / "races.svg"
BEGIN, END = "<!-- the peers: make races ARGS=--write -->\n", "<!-- the end of the peers -->\n"

OURS, THEIRS, INK = "#1a7f5a", "#b4423c", "#57606a"


def table(scores: Sequence[Score], columns: int = 4) -> str:
    """In Markdown; with all columns also what ran."""
    rows = [
        ["library", "updates lost", "logouts undone", "versions"],
        ["---", "---:", "---:", "---"],
        *(
            [
                f"**{one.name}**" if one.ours else one.name,
                f"{one.lost} of {one.writes}",
                f"{one.revived} of {one.logouts}",
                ", ".join(f"{name} {version}" for name, version in one.versions.items()),
            ]
            for one in scores
        ),
    ]
    return "".join(f"| {' | '.join(row[:columns])} |\n" for row in rows)


def part(path: Path) -> str:
    """The table that a page has."""
    return marks.between(path.read_text(), BEGIN, END)


def draw(scores: Sequence[Score], path: Path) -> None:
    """Two bars for each library, in per cent of what was tried."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # The same picture for the same scores, with text that can be read and searched.
    mpl.rcParams.update({"svg.hashsalt": "coatcheck", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure = Figure(figsize=(8.6, 0.34 * len(scores) + 0.6), layout="constrained", facecolor="white")
    parts: Any = figure.subplots(1, 2, sharey=True)
    parts[0].invert_yaxis()
    lost = [(one.lost, one.writes) for one in scores]
    revived = [(one.revived, one.logouts) for one in scores]
    for axes, title, counts in zip(parts, ("updates lost", "logouts undone"), (lost, revived), strict=True):
        shares = [100 * bad / all_ for bad, all_ in counts]
        axes.barh([one.name for one in scores], shares, color=[OURS if one.ours else THEIRS for one in scores])
        axes.set_title(title, fontsize=11, loc="left")
        axes.set_xlim(0, 128)
        axes.set_xticks([])
        axes.tick_params(left=False)
        for side in axes.spines.values():
            side.set_visible(False)
        for place, (share, (bad, all_)) in enumerate(zip(shares, counts, strict=True)):
            colour = OURS if scores[place].ours else INK
            axes.text(share + 2, place, f"{bad} of {all_}", va="center", fontsize=9, color=colour)
    figure.savefig(path, metadata={"Date": None})


def write(scores: Sequence[Score]) -> None:
    """Put the picture into docs/, and the table into its page and the README."""
    for path, columns in ((PAGE, 4), (README, 3)):
        path.write_text(marks.put(path.read_text(), BEGIN, END, table(scores, columns)))
    draw(scores, PICTURE)
