"""`coatcheck revoke-all`: nobody is signed out by a slip of the hand."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coatcheck import SessionManager
from coatcheck.cli import main
from coatcheck.testing.clock import FakeClock


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Three sessions: two of three hours ago, one of now."""
    url = f"sqlite:///{tmp_path}/sessions.db"
    monkeypatch.setenv("COATCHECK_STORE", url)
    clock = FakeClock(datetime.now(UTC) - timedelta(hours=3))
    with SessionManager(url, clock=clock) as manager:
        for user in ("ada", "eve", "bob"):
            if user == "bob":
                clock.set(datetime.now(UTC))
            session = manager.load(None)
            session.login(user)
            manager.commit(session)
    return url


def live(store: str) -> int:
    """How many there are."""
    with SessionManager(store) as manager:
        return manager.stats().sessions


@pytest.mark.parametrize(("answer", "left", "code"), [("yes\n", 0, 0), ("y\n", 3, 1), ("", 3, 1)])
def test_somebody_has_to_type_yes(
    store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, left: int, code: int
) -> None:
    """After the count; a script that nobody watches ends nothing."""
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert main(["revoke-all"]) == code
    assert live(store) == left
    assert "3 sessions are live; this ends all of them" in capsys.readouterr().err


def test_a_dry_run_ends_nothing(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even with --yes."""
    assert main(["revoke-all", "--dry-run", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"live": 3, "exact": True, "ended": 0}
    assert live(store) == 3


@pytest.mark.parametrize("before", ["1h", "60min", "exact"])
def test_those_who_signed_in_since_stay(store: str, capsys: pytest.CaptureFixture[str], before: str) -> None:
    """`--yes` asks nobody."""
    before = (datetime.now(UTC) - timedelta(hours=1)).isoformat() if before == "exact" else before
    assert main(["revoke-all", "--before", before, "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"live": 3, "exact": True, "ended": 2}
    assert live(store) == 1


@pytest.mark.parametrize("before", ["yesterday", "2026-01-31", "2026-01-31T18:00:00", "3w", "-1h"])
def test_a_time_that_may_be_misread_is_refused_with_an_example(
    store: str, capsys: pytest.CaptureFixture[str], before: str
) -> None:
    """Whose midnight? Nothing is ended."""
    with pytest.raises(SystemExit):
        main(["revoke-all", f"--before={before}", "--yes"])
    assert 'as in "2026-01-31T18:00:00Z"' in capsys.readouterr().err
    assert live(store) == 3
