"""The table of docs/comparison.md, from the figures that docs/races.md and docs/performance.md tell.

python -m tools.comparison --write
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tools.marks import between, put

DOCS = Path(__file__).parent.parent / "docs"
BEGIN = "<!-- python -m tools.comparison --write: from here -->\n"
END = "<!-- to here -->"

ROWS = (
    # As it is called in races.md, in performance.md, its framework there, and the store that ours has beside it.
    ("starsessions", "starsessions, Redis", "Starlette", "Redis"),
    ("Litestar", "Litestar's sessions, Redis", "Litestar", "Redis"),
    ("Flask-Session", "Flask-Session, Redis", "Flask", "Redis"),
    ("Django, cache", "Django's cache, Redis", "Django", "Redis"),
    ("Django, database", "Django's db, SQLite", "Django", "SQLite"),
    ("aiohttp-session", "aiohttp-session, Redis", "aiohttp", "Redis"),
    ("", "fastapi-users, Redis", "FastAPI", "Redis"),
    ("", "PyJWT HS256 and a denylist, Redis", "Starlette", "Redis"),
    ("", "PyJWT HS256", "Starlette", "SQLite"),
    ("", "Starlette's signed cookie", "Starlette", "SQLite"),
    ("", "Flask's signed cookie", "Flask", "SQLite"),
    ("", "Django's signed cookie", "Django", "SQLite"),
)
NONE = "not tried"


def cells(line: str) -> list[str]:
    """A table's row, without its marks."""
    return [cell.strip().strip("*") for cell in line.strip().strip("|").split("|")]


def races() -> dict[str, tuple[str, str]]:
    """Updates lost and logouts undone, by library."""
    text = between((DOCS / "races.md").read_text(), "<!-- the peers: make races ARGS=--write -->\n", "<!-- the end")
    return {row[0]: (row[1], row[2]) for row in map(cells, text.splitlines()[2:])}


def reads() -> dict[tuple[str, str], tuple[str, str]]:
    """A read alone and with 50 in flight ("" for a synchronous framework), by contender and framework."""
    section = between((DOCS / "performance.md").read_text(), "\n## Read\n", "\n## ")
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    rows = table[0].splitlines()[2:] if table else []
    return {(row[0], row[1]): (row[2], row[4]) for row in map(cells, rows)}


def table() -> str:
    """The rows, as Markdown. Raises KeyError where a page knows one of them no longer."""
    met, cost = races(), reads()
    lines = [
        "| | framework | updates lost | logouts undone | a read, alone | ours | a read, 50 in flight | ours |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for raced, name, framework, store in ROWS:
        lost, undone = met[raced] if raced else (NONE, NONE)
        theirs, ours = cost[name, framework], cost[f"Coatcheck, {store}", framework]
        figures = [theirs[0], ours[0], theirs[1], ours[1]]
        lines.append(f"| {name} | {framework} | {lost} | {undone} | {' | '.join(figures)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE = DOCS / "comparison.md"
    text = put(PAGE.read_text(), BEGIN, END, f"\n{table()}\n")
    if "--write" in sys.argv:
        PAGE.write_text(text)
    else:
        print(text)
