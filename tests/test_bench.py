"""The benchmark finds out who cheats, and tells a budget that was not met."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import report
from bench.budgets import COOKIE, JWT, NEAR, ON_SQLITE, lines
from bench.figures import BARE, Figures, Key, load
from bench.scale import commands
from bench.storm import Storm
from bench.visits import Wrong
from bench.worlds.asking import Wsgi
from bench.worlds.contender import Contender
from bench.worlds.slices import measure
from bench.worlds.worker import drive
from bench.worlds.world import Subject, changed, crowd, shown

Page = Callable[[str], tuple[str, str | None]]


class Library:
    """Sessions in a dict, kept in a file; the ways in which it cheats are attributes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.remembers = self.forgets = self.scribbles = False
        self._first: dict[str, str] = {}
        path.write_text("{}")

    def _all(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = json.loads(self.path.read_text())
        return found

    def _put(self, user: str, fields: dict[str, Any]) -> None:
        self.path.write_text(json.dumps(self._all() | {user: fields}))

    def read(self, cookie: str) -> tuple[str, str | None]:
        """A page."""
        fields = self._all().get(cookie, {})
        text = shown(fields.get("sub"), fields.get("role"), fields.get("n"))
        return (self._first.setdefault(cookie, text) if self.remembers else text), None

    def write(self, cookie: str) -> tuple[str, str | None]:
        """The same."""
        fields = self._all()[cookie]
        fields["n"] = crowd.write(cookie)
        if not self.forgets:
            self._put(cookie, fields)
        return changed(cookie), None

    def login(self, _: str) -> tuple[str, str | None]:
        """The same."""
        fields = crowd.arrive()
        if not self.scribbles:
            self._put(fields["sub"], fields)
        return crowd.arrived(fields["sub"]), fields["sub"]

    def subject(self) -> Subject:
        """As a contender."""
        return Subject("a library", {kind: _app(getattr(self, kind)) for kind in ("read", "write", "login")})


def _app(page: Page) -> Callable[[Any, Any], list[bytes]]:
    def serve(environ: Any, start_response: Any) -> list[bytes]:
        body, cookie = page(environ.get("HTTP_COOKIE", "").rpartition("id=")[2])
        start_response("200 OK", [("Set-Cookie", f"id={cookie}; Path=/")] if cookie else [])
        return [body.encode()]

    return serve


def _measured(library: Library, kind: str) -> float:
    contender = Contender(Wsgi(), library.subject(), kind, loop=False)
    drive(contender.prepare())
    return _twice(contender)


def _twice(contender: Contender) -> float:
    drive(measure(contender, 1))
    return float(drive(measure(contender, 1))["seconds"])


@pytest.mark.parametrize("kind", ["read", "write", "login"])
def test_an_honest_library_is_measured(tmp_path: Path, kind: str) -> None:
    """Otherwise the refusals below would show nothing."""
    assert _measured(Library(tmp_path / "store"), kind) > 0


@pytest.mark.parametrize(
    ("kind", "cheat", "why"),
    [("read", "remembers", "in place of"), ("write", "forgets", "is not stored"), ("login", "scribbles", "is unknown")],
)
def test_a_library_that_does_not_do_the_work_is_found_out(tmp_path: Path, kind: str, cheat: str, why: str) -> None:
    """A read that asks no store, a write and a login that store nothing: their times say nothing."""
    library = Library(tmp_path / "store")
    contender = Contender(Wsgi(), library.subject(), kind, loop=False)
    drive(contender.prepare())
    setattr(library, cheat, True)
    with pytest.raises(Wrong, match=why):
        _twice(contender)


def test_a_read_that_writes_is_found_out(tmp_path: Path) -> None:
    """A library whose reads change its file does more than it says, unless it is known for that."""
    db = sqlite3.connect(tmp_path / "db")
    db.execute("CREATE TABLE seen (at)")
    db.commit()
    library = Library(tmp_path / "store")
    subject = library.subject()
    honest = subject.apps["read"]

    def scribbling(environ: Any, start_response: Any) -> Any:
        db.execute("INSERT INTO seen VALUES (1)")
        db.commit()
        return honest(environ, start_response)

    subject.apps["read"], subject.watch = scribbling, f"sqlite:///{tmp_path / 'db'}"
    contender = Contender(Wsgi(), subject, "read", loop=False)
    drive(contender.prepare())
    with pytest.raises(Wrong, match="something was written"):
        drive(measure(contender, 1))
    subject.saves = True
    assert drive(measure(contender, 1))["seconds"] > 0
    db.close()


def test_an_application_that_suspends_without_a_loop_is_an_error() -> None:
    """A synchronous framework is never asked from within an event loop, and so must not wait for one."""
    with pytest.raises(RuntimeError, match="suspends"):
        drive(asyncio.sleep(0))


def _figures(sqlite: list[float]) -> Figures:
    figures = Figures(versions={"coatcheck": "0"}, machine="a machine", storms=[Storm(2_000.0, 1)])
    rows = {
        ON_SQLITE: sqlite,
        JWT: [130e-6, 330e-6],
        NEAR: [110e-6, 310e-6],
        COOKIE: [120e-6, 320e-6],
        Key("starlette", BARE, "read", 1): [100e-6, 300e-6],
        ON_SQLITE._replace(kind="list"): [200e-6, 400e-6],
    }
    for key, values in rows.items():
        for value in values:
            figures.add(key, key.subject.startswith("Coatcheck"), {"seconds": value})
    return figures


def _page(sqlite: list[float]) -> str:
    """Without what aligns its tables."""
    return re.sub(" +", " ", report.page(_figures(sqlite)))


def test_a_ratio_is_taken_within_a_round() -> None:
    """A second round on a busier machine changes nothing: the bare page was slower just then, too."""
    ratio = _figures([112e-6, 312e-6]).ratio(ON_SQLITE, JWT)
    assert [round(value, 3) for value in ratio] == [0.4, 0.4, 0.4]


def test_a_budget_that_is_not_reached_is_told() -> None:
    """Half of a JWT's check is asked for: 12 of 30 is met, 16 is not."""
    met, not_met = (lines(_figures([at, at + 200e-6]))[0] for at in (112e-6, 116e-6))
    assert (met.what, met.met, not_met.met) == ("ASGI, SQLite, read", True, False)
    text = _page([116e-6, 316e-6])
    assert "0.53 (0.53 to 0.53) | **not met**" in text
    assert "2,000 (2,000 to 2,000), 1 refused" in text


def test_what_a_peer_cannot_do_is_told() -> None:
    """A token has no list of its user's sessions."""
    assert "PyJWT HS256 | Starlette | cannot" in _page([1.0, 1.0]).partition("## List")[2]


def test_figures_survive_their_file(tmp_path: Path) -> None:
    """The page can be written again from what a run has left."""
    figures = _figures([112e-6, 312e-6])
    figures.dump(tmp_path / "figures.json")
    assert load(tmp_path / "figures.json") == figures


def test_a_command_that_takes_longer_than_a_second_is_told() -> None:
    """All but the one that counts everything; the slow run of one that is quick is forgiven."""
    times = {name: [0.2, 3.0, 0.3] for name in commands.COMMANDS}
    assert commands.slow(commands.Timed("redis", 1000, times)) == []
    found = commands.Timed("redis", 1000, times | {"stats": [1.2], "stats --exact": [9.0]})
    assert commands.slow(found) == ["stats"]
    assert "| `coatcheck stats` | 1.20 s |" in commands.table([found])
