"""The tables of docs/comparison.md and the README, from the figures that docs/races.md and docs/performance.md tell.

python -m tools.comparison --write
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tools.marks import between, put

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
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

HEADLINE = (
    # As performance.md calls it, in Starlette, and when an end binds.
    ("Coatcheck, SQLite", "at once"),
    ("Coatcheck, Redis", "at once"),
    ("Coatcheck, Redis, near cache", "within a second"),
    ("PyJWT HS256", "when it expires"),
    ("PyJWT RS256", "when it expires"),
    ("PyJWT HS256 and a denylist, Redis", "at once"),
    ("Starlette's signed cookie", "when it expires"),
    ("starsessions, Redis", "at once"),
)


def cells(line: str) -> list[str]:
    """A table's row, without its marks."""
    return [cell.strip().strip("*") for cell in line.strip().strip("|").split("|")]


def races() -> dict[str, tuple[str, str]]:
    """Updates lost and logouts undone, by library."""
    text = between((DOCS / "races.md").read_text(), "<!-- the peers: make races ARGS=--write -->\n", "<!-- the end")
    return {row[0]: (row[1], row[2]) for row in map(cells, text.splitlines()[2:])}


def reads() -> dict[tuple[str, str], list[str]]:
    """A read alone, as a multiple of PyJWT's check, and both with 50 in flight ("" for a synchronous framework), by
    contender and framework."""
    section = between((DOCS / "performance.md").read_text(), "\n## Read\n", "\n## ")
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    rows = table[0].splitlines()[2:] if table else []
    return {(row[0], row[1]): row[2:] for row in map(cells, rows)}


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
        figures = [theirs[0], ours[0], theirs[2], ours[2]]
        lines.append(f"| {name} | {framework} | {lost} | {undone} | {' | '.join(figures)} |")
    return "\n".join([*lines, ""])


def headline() -> str:
    """What a read costs as a multiple of checking a JWT, as Markdown. Raises KeyError as `table`."""
    cost = reads()
    lines = ["| a read in Starlette | alone | 50 in flight | an end binds |", "| --- | ---: | ---: | --- |"]
    for name, binds in HEADLINE:
        _, alone, _, together = cost[name, "Starlette"]
        shown = f"**{name}**" if name.startswith("Coatcheck") else name
        lines.append(f"| {shown} | {alone} | {together} | {binds} |")
    return "\n".join([*lines, ""])


PAGES = {DOCS / "comparison.md": table, ROOT / "README.md": headline}

if __name__ == "__main__":
    for page, made in PAGES.items():
        text = put(page.read_text(), BEGIN, END, f"\n{made()}\n")
        if "--write" in sys.argv:
            page.write_text(text)
        else:
            print(text)
