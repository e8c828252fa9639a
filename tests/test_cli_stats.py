"""`coatcheck stats`: quick, honest about what is an estimate, and stable for scripts."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from coatcheck import Client, SessionManager
from coatcheck.cli import main, waiting
from coatcheck.errors import StoreUnavailable
from coatcheck.store import Ages, Stats

ABOUT = Stats(
    1_003_097, 900_123, 202_835, 0, 12, None, False, Ages(40_543, 961_290, 1264), {"Firefox": 1_003_097}, 33_327
)
ALL = Stats(1_000_000, 900_000, 200_000, 0, 12, None, True, Ages(40_000, 960_000), {"Firefox": 1_000_000}, 1_000_000)


class Terminal:
    """A stderr that somebody looks at."""

    def __init__(self) -> None:
        self.text, self.wrote = "", threading.Event()

    def isatty(self) -> bool:
        """It is one."""
        return True

    def write(self, text: str) -> None:
        """What is shown."""
        self.text += text
        self.wrote.set()

    def flush(self) -> None:
        """There is nothing to do."""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """One session of ada's in Firefox, and one of nobody's."""
    url = f"sqlite:///{tmp_path}/sessions.db"
    monkeypatch.setenv("COATCHECK_STORE", url)
    with SessionManager(url) as manager:
        session = manager.load(None, Client("192.0.2.1", "Mozilla/5.0 (X11; Linux) Firefox/121.0"))
        session.login("ada")
        manager.commit(session)
        session = manager.load(None)
        session["cart"] = [1]
        manager.commit(session)
    return url


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """A store that cannot be counted quickly: the times that it was given."""
    asked: list[float | None] = []

    def stats(_: SessionManager, *, within: float | None = None) -> Stats:
        asked.append(within)
        return ALL if within is None else ABOUT

    monkeypatch.setattr(SessionManager, "stats", stats)
    return asked


@pytest.mark.usefixtures("store")
def test_what_is_counted_is_told_to_scripts_under_stable_names(capsys: pytest.CaptureFixture[str]) -> None:
    """As docs/command-line.md lists them."""
    assert main(["stats", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.pop("size") > 0
    assert found == {
        "sessions": 2,
        "authenticated": 1,
        "users": 1,
        "tombstones": 0,
        "tickets": 0,
        "exact": True,
        "ages": {"hour": 2, "day": 0, "week": 0, "month": 0, "older": 0},
        "clients": {"Firefox": 1, "none": 1},
        "sampled": 2,
        "outstanding_tickets": None,
    }
    page = (Path(__file__).parent.parent / "docs" / "command-line.md").read_text()
    for name in (*found, "size"):
        assert f"`{name}`" in page


def test_tickets_that_nobody_has_used_are_counted_by_the_audit_trail(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The store itself does not know of a ticket before it is used."""
    assert main(["stats"]) == 0
    assert "known by an audit trail alone" in capsys.readouterr().out
    with SessionManager(store, audit=timedelta(days=1)) as manager:
        session = manager.load(None)
        session.login("ada")
        manager.commit(session)
        manager.tickets.issue("download", {}, session=session)
    assert main(["stats", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outstanding_tickets"] == 1


@pytest.mark.usefixtures("store")
def test_people_read_ages_and_browsers(capsys: pytest.CaptureFixture[str]) -> None:
    """And no word of an estimate where there is none."""
    assert main(["stats"]) == 0
    lines = [line.split("  ")[0] + ":" + line.split()[-1] for line in capsys.readouterr().out.splitlines()]
    assert {"created within an hour:2", "in Firefox:1", "in none:1", "users:1"} <= {*lines}
    assert not any("about" in line for line in lines)


@pytest.mark.usefixtures("store")
def test_an_estimate_is_called_one(large: list[float | None], capsys: pytest.CaptureFixture[str]) -> None:
    """In words for people, as a field for scripts; in a moment."""
    assert main(["stats"]) == 0
    out = capsys.readouterr().out
    assert "live sessions            about 1,000,000\n" in out
    assert "users                    about 203,000\n" in out
    assert "33,327 sessions; --exact counts all" in out
    assert main(["stats", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["exact"] is False
    assert large == [0.3, 0.3]


@pytest.mark.usefixtures("store")
def test_exact_counts_all(large: list[float | None], capsys: pytest.CaptureFixture[str]) -> None:
    """And tells nobody how long it takes who is no terminal."""
    assert main(["stats", "--exact"]) == 0
    seen = capsys.readouterr()
    assert "live sessions            1,000,000\n" in seen.out
    assert "about" not in seen.out
    assert seen.err == ""
    assert large == [0.3, None]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """The one on which the command is typed; lines come quickly."""
    made = Terminal()
    monkeypatch.setattr(waiting, "sys", SimpleNamespace(stderr=made))  # pytest puts back the real one
    monkeypatch.setattr(waiting, "EVERY", 0.001)
    return made


@pytest.mark.usefixtures("store")
def test_at_a_terminal_a_line_says_how_far_it_is(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long it takes follows from what was met in that moment. At the end the line is taken away."""

    def stats(_: SessionManager, *, within: float | None = None) -> Stats:
        if within is None:
            assert terminal.wrote.wait(30)
        return ALL if within is None else ABOUT

    monkeypatch.setattr(SessionManager, "stats", stats)
    assert main(["stats", "--exact"]) == 0
    assert "\r\x1b[Kcounting about 1,000,000 sessions: 0 s of about 9 s" in terminal.text
    assert terminal.text.endswith("\r\x1b[K")


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("json_too", [True, False])
def test_revoke_all_says_how_many_are_left(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], json_too: bool
) -> None:
    """At a terminal, while it works; a script that wants JSON gets nothing but that."""
    ended = SessionManager.revoke_all

    def revoke_all(manager: SessionManager, *arguments: Any, **named: Any) -> int:
        if not json_too:
            assert terminal.wrote.wait(30)
        return ended(manager, *arguments, **named)

    monkeypatch.setattr(SessionManager, "revoke_all", revoke_all)
    assert main(["revoke-all", "--yes", *(["--json"] if json_too else [])]) == 0
    if json_too:
        assert terminal.text == ""
        assert json.loads(capsys.readouterr().out) == {"live": 2, "exact": True, "ended": 2}
    else:
        assert "2 of 2 sessions are live" in terminal.text
        assert capsys.readouterr().out == "2 ended\n"


def test_a_line_that_cannot_be_had_stops_nothing(terminal: Terminal) -> None:
    """The store is busy with the very thing: the line waits, the work goes on, and its own fault is the one told."""
    asked: list[float] = []

    def line(seconds: float) -> str:
        asked.append(seconds)
        if len(asked) < 3:
            raise StoreUnavailable("busy")
        return "on its \x1b[2Jway"

    def work() -> None:
        with waiting.shown(line, quiet=False):
            assert terminal.wrote.wait(30)
            raise KeyError("its own")

    with pytest.raises(KeyError, match="its own"):
        work()
    assert len(asked) >= 3
    assert "\x1b[2J" not in terminal.text
