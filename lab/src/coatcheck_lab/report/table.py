"""The report in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from ..experiments.experiment import Row


def line(row: Row) -> Text:
    """What one experiment found, as soon as it is done."""
    return Text.assemble((f"{row.number:>2} {row.experiment.name:<12} ", "bold"), _finding(row))


def summary(rows: Sequence[Row]) -> Table:
    """All rows: what is claimed, whether it holds, and who did best."""
    made = Table("", "claim", "finding", "best", title="What the laboratory found", title_justify="left")
    for row in rows:
        best = ", ".join(row.verdict.best) if row.verdict else ""
        made.add_row(str(row.number), row.experiment.claim, _word(row), best)
    return made


def _finding(row: Row) -> Text:
    if row.verdict is None:
        return Text(row.remedy, "yellow")
    return Text.assemble(_word(row), ". ", row.verdict.why)


def _word(row: Row) -> Text:
    if row.verdict is None:
        return Text("not run", "yellow")
    return Text("holds", "green") if row.verdict.holds else Text("does not hold", "red")
