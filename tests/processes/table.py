"""docs/races.md: what happens when two operations meet. `python -m tests.processes.table --write` renews it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.processes.levels import levels
from tests.processes.pairs import PAIRS
from tests.processes.scene import Pair, Place, races, staged, words
from tests.servers import PostgresServer, RedisServer
from tools import marks

PAGE = Path(__file__).parents[2] / "docs" / "races.md"
HEAD = ("one", "other", "what holds in every order", "seen, with SQLite, Redis and PostgreSQL")
_BEGIN = "<!-- the {}: python -m tests.processes.table --write -->\n"
_END = "<!-- the end of the {} -->\n"


def cell(place: Place, pair: Pair) -> str:
    """What became of the pair, in all orders. Raises AssertionError where that is not what is promised."""
    seen = set()
    for scene, one in races(place, pair):
        names = (pair.one.split()[0], pair.other.replace(",", "").split()[0])
        seen.add("; ".join(words(scene, name, told) for name, told in zip(names, one.told, strict=True)))
    return "<br>".join(sorted(seen))


def markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table."""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [head, ("---",) * len(head), *rows])


def race_table(measured: Callable[[Pair], str]) -> str:
    """The table of the pairs."""
    return markdown(HEAD, [(pair.one, pair.other, pair.holds, measured(pair)) for pair in PAIRS])


def level_table(folder: Path) -> str:
    """The table of the levels."""
    return markdown(("operation", "`synchronous`"), [*levels(folder).items()])


def part(name: str) -> str:
    """What the page has between two marks. Raises ValueError for a page without them."""
    return marks.between(PAGE.read_text(), _BEGIN.format(name), _END.format(name))


def cell_on_page(pair: Pair) -> str:
    """What the page says of a pair; "" where it does not have it."""
    for line in part("table").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if cells[:2] == [pair.one, pair.other]:
            return cells[3]
    return ""


def database(server: RedisServer, number: int = 5) -> str:
    """The URL of one for the races alone: revoke_all walks through all that is there."""
    return f"{server.url.removesuffix('/0')}/{number}"


def measure(url: str) -> dict[str, str]:
    """All pairs, with one store."""
    with staged(url) as place:
        return {pair.holds + pair.one + pair.other: cell(place, pair) for pair in PAIRS}


def write() -> None:
    """Renew the page. Raises ValueError where the stores differ: then the page needs a column for each."""
    with TemporaryDirectory() as folder, RedisServer() as server, PostgresServer() as postgres:
        cells = measure(f"sqlite:///{folder}/sessions.db")
        others = [measure(database(server)), measure(f"{postgres.url}?create=1")]
        if differing := {name for name in cells for other in others if cells[name] != other[name]}:
            message = f"the stores differ: {differing}"
            raise ValueError(message)
        parts = {
            "table": race_table(lambda pair: cells[pair.holds + pair.one + pair.other]),
            "levels": level_table(Path(folder)),
        }
    page = PAGE.read_text()
    for name, text in parts.items():
        page = marks.put(page, _BEGIN.format(name), _END.format(name), text)
    PAGE.write_text(page)


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    else:
        sys.stdout.write(PAGE.read_text())
