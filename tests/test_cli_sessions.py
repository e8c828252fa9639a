"""`coatcheck list`, `show`, `revoke`, `revoke-user`, `purge`: what an operator types at night."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coatcheck import Client, SessionManager
from coatcheck.cli import main, output, stats
from coatcheck.cli.sessions import COMMANDS


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty store, as the environment has it."""
    url = f"sqlite:///{tmp_path}/sessions.db"
    monkeypatch.setenv("COATCHECK_STORE", url)
    with SessionManager(url) as manager:
        manager.stats()
    return url


def signed_in(store: str, user: str, user_agent: str = "Firefox") -> tuple[str, str]:
    """A new session of the user's: its handle and its token."""
    with SessionManager(store) as manager:
        session = manager.load(None, Client("192.0.2.1", user_agent))
        session.login(user, label="laptop")
        token = manager.commit(session).token
        assert token is not None
        assert session.handle is not None
        return session.handle, token


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed."""
    return capsys.readouterr().out


def test_a_users_sessions_are_listed_and_ended_in_two_commands(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And the next request is refused, with the words that were given."""
    (handle, token), (other, _) = signed_in(store, "ada"), signed_in(store, "eve")
    assert main(["list", "--user", "ada", "--json"]) == 0
    [one] = json.loads(told(capsys))
    assert (one["handle"], one["user_id"], one["ip"], one["label"]) == (handle, "ada", "192.0.2.1", "laptop")
    assert main(["revoke-user", "ada", "--reason", "phone lost"]) == 0
    assert told(capsys) == "1 session of 'ada' ended\n"
    with SessionManager(store) as manager:
        assert manager.load(token).ended_reason == "phone lost"
        assert manager.info(other) is not None
    assert main(["list", "--user", "ada"]) == 1


def test_sessions_are_ended_by_their_handles(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Several at once; one that was not live is told, and makes the exit code 1."""
    handles = [signed_in(store, "ada")[0] for _ in range(3)]
    assert main(["revoke", *handles[:2]]) == 0
    assert main(["revoke", handles[1], handles[2]]) == 1
    assert told(capsys).splitlines() == [
        f"{handles[0]}  ended",
        f"{handles[1]}  ended",
        f"{handles[1]}  was not live",
        f"{handles[2]}  ended",
    ]


def test_a_handle_that_begins_with_a_dash_is_no_option(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One of 64 does."""
    handle = "-" + "A" * 21
    assert main(["revoke", handle, "--json", "--store", store]) == 1
    assert json.loads(told(capsys)) == {handle: False}


def test_one_session_is_spared(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The one that the user sits at."""
    kept, _ = signed_in(store, "ada")
    signed_in(store, "ada")
    assert main(["revoke-user", "ada", f"--keep={kept}", "--json"]) == 0
    assert json.loads(told(capsys)) == {"user": "ada", "ended": 1}
    assert main(["show", kept]) == 0
    assert "laptop" in told(capsys)


def test_no_command_prints_a_credential_and_a_token_is_refused(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Who looks over a shoulder, or into a log of the terminal, gets nobody's session."""
    handle, token = signed_in(store, "ada")
    for command in (["list", "--user", "ada"], ["list", "--user", "ada", "--json"], ["show", handle], ["stats"]):
        assert main(command) == 0
    assert main(["show", token]) == 2
    assert main(["revoke", token]) == 2
    seen = capsys.readouterr()
    assert "this is a token, and its first part is the handle" in seen.err
    for part in token.split(".")[1:]:
        assert part not in seen.out + seen.err


def test_what_a_client_sent_moves_no_cursor_and_forges_no_line(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A user agent, a label, a user's id: a terminal shows them as text."""
    signed_in(store, "ada\x1b[2J\nroot", "\x1b]0;owned\x07[red]Firefox")
    assert main(["list", "--user", "ada\x1b[2J\nroot"]) == 0
    out = told(capsys)
    assert len(out.splitlines()) == 2
    assert all(char.isprintable() or char in "\t\n" for char in out)
    assert main(["revoke-user", "ada\x1b[2J\nroot"]) == 0
    assert "\x1b" not in told(capsys)


def test_a_purge_says_how_much_it_deleted(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a session that lives, nothing."""
    signed_in(store, "ada")
    assert main(["purge"]) == 0
    assert told(capsys) == "0 rows deleted\n"


@pytest.mark.parametrize("command", [one.name for one in (*COMMANDS, *stats.COMMANDS)])
def test_a_store_that_makes_no_sense_is_one_line_with_the_remedy(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback, exit code 2."""
    words = {"list": ["--user", "ada"], "show": ["A" * 22], "revoke": ["A" * 22], "revoke-user": ["ada"]}
    assert main([command, *words.get(command, []), "--store", "carrier-pigeon://coop"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"coatcheck {command}: no store is called 'carrier-pigeon'")


def test_times_are_told_in_one_unit() -> None:
    """As somebody says them."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    seen = [output.ago(now - timedelta(seconds=seconds), now) for seconds in (0, 5, 200, 7300, 200_000, -7300)]
    assert seen == ["now", "5 s ago", "3 min ago", "2 h ago", "2 d ago", "in 2 h"]


def test_a_terminal_gets_a_table(
    store: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With Rich; what a client sent is no markup in it."""
    signed_in(store, "ada", "[bold]Firefox")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["list", "--user", "ada"]) == 0
    assert "[bold]Firefox" in told(capsys)
