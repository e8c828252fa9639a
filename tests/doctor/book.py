"""The table of docs/doctor.md: `python -m tests.doctor.book` writes it anew."""

from __future__ import annotations

from pathlib import Path

from coatcheck.cli.doctor.subjects import SUBJECTS
from tools import marks

PAGE = Path(__file__).parents[2] / "docs" / "doctor.md"
BEGIN, END = "<!-- the table: python -m tests.doctor.book -->\n", "<!-- the end of the table -->\n"
HEAD = ("check", "about", "what is looked at", "otherwise", "requirement")


def table() -> str:
    """All checks, in the order in which they are made."""
    rows = [HEAD, ("---",) * len(HEAD)]
    rows += [(f"`{name}`", one.about, one.looks, one.why, one.rule or "") for name, one in SUBJECTS.items()]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def renewed(page: str) -> str:
    """The page with the table as it is now. Raises ValueError for a page without the marks."""
    return marks.put(page, BEGIN, END, table())


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
