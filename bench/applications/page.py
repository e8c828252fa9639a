"""The table of docs/applications.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tools import marks

from .application import ROOT, Application, Outcome

PAGE = ROOT / "docs" / "applications.md"
BEGIN, END = "<!-- python -m bench.applications --write: from here -->", "<!-- to here -->"


def line(application: Application, outcome: Outcome) -> str:
    """An outcome in one line."""
    own, ours = _counts(outcome)
    return (
        f"{application.title} {outcome.version}: passed (failed) with its own sessions {own}, with ours {ours}; "
        f"{len(outcome.worse())} pass no more, {len(outcome.better())} pass now"
    )


def write(applications: Sequence[Application]) -> None:
    """Put the outcomes that are kept here into the page."""
    PAGE.write_text(marks.put(PAGE.read_text(), BEGIN, END, f"\n\n{_table(applications)}\n"))


def _counts(outcome: Outcome) -> tuple[str, str]:
    own, ours = (f"{outcome.count(which, 'passed')} ({outcome.count(which, 'failed')})" for which in (False, True))
    return own, ours


def _table(applications: Sequence[Application]) -> str:
    rows = [
        "| application | framework | its own sessions | ours | what had to change |",
        "| --- | --- | --- | --- | --- |",
    ]
    reasons = []
    for one in applications:
        outcome = Outcome.kept(one.name)
        if outcome is None:
            raise LookupError(one.name)
        own, ours = _counts(outcome)
        rows.append(f"| {one.title} {outcome.version} | {one.framework} | {own} | {ours} | {one.changed} |")
        counted = Counter(one.explanation(test) or "not explained" for test in outcome.worse())
        reasons += [f"| {one.title} | {number} | {why} |" for why, number in counted.most_common()]
    differences = [
        "",
        "Tests that pass with the application's own sessions and not with ours:",
        "",
        "| application | tests | why |",
        "| --- | --- | --- |",
    ]
    return "\n".join([*rows, *differences, *reasons, ""])
