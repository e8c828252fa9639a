"""`coatcheck inspect`: what a token is, without harm to the session that it names."""

from __future__ import annotations

import io
import json
import time
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from coatcheck import Policy, SessionManager
from coatcheck.cli import main
from coatcheck.testing.clock import FakeClock


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty store, which makes its secret itself, as the environment has it."""
    url = f"sqlite:///{tmp_path}/sessions.db"
    monkeypatch.setenv("COATCHECK_STORE", url)
    return url


def signed_in(manager: SessionManager) -> str:
    """A new session's token."""
    session = manager.load(None)
    session.login("ada")
    return manager.commit(session).token or ""


def inspected(capsys: pytest.CaptureFixture[str], text: str, code: int = 0) -> dict[str, str]:
    """What it says of a text."""
    assert main(["inspect", text, "--json"]) == code
    seen = capsys.readouterr()
    assert seen.err == ""
    found: dict[str, str] = json.loads(seen.out)
    return found


@pytest.mark.parametrize("token_format", ["signed", "jwt"])
def test_a_token_is_told_with_its_session_and_without_its_secret(
    store: str, capsys: pytest.CaptureFixture[str], token_format: str
) -> None:
    """Who it is of, whether it counts, and by which key."""
    with SessionManager(store, token_format=token_format) as manager:  # type: ignore[arg-type]
        token = signed_in(manager)
        handle = manager.load(token).handle
    found = inspected(capsys, token, 0 if token_format == "signed" else 1)
    assert found["handle"] == handle
    if token_format == "signed":
        assert (found["user_id"], found["valid"], found["key"]) == ("ada", "yes", "the newest")
    assert not any(part in json.dumps(found) for part in token.split(".")[1:])


def test_a_token_comes_by_standard_input(
    store: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it stays out of the shell's history."""
    with SessionManager(store) as manager:
        token = signed_in(manager)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{token}\n"))
    assert main(["inspect"]) == 0
    assert "a session's token: it signs its owner in" in capsys.readouterr().out


def test_why_a_token_does_not_count(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Ended, with the words that were given; altered; not known."""
    with SessionManager(store) as manager:
        token = signed_in(manager)
        manager.revoke_user("ada", reason="phone lost")
    assert inspected(capsys, token, 1)["valid"] == "no: ended, phone lost"
    forged = token[:-1] + ("0" if token[-1] != "0" else "1")
    assert inspected(capsys, forged, 1)["valid"] == "no: not signed with this secret, or altered"


def test_looking_at_an_old_secret_ends_nothing(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a thief's mark in a request. An operator finds it in a log, and looks."""
    clock = FakeClock(time.time() - 3600)  # the command has no clock but the real one
    policy = Policy(rotation_interval=timedelta(minutes=1))
    with SessionManager(store, clock=clock, policy=policy) as manager:
        first = token = signed_in(manager)
        for _ in range(4):
            clock.advance(120)
            token = manager.commit(manager.load(token)).token or token
        assert token != first
    assert inspected(capsys, first, 1)["valid"] == "no: its secret is long past; who shows it may be a thief"
    with SessionManager(store, clock=clock, policy=policy) as manager:
        assert manager.load(token).user_id == "ada"
        assert manager.load(first).ended_reason == "stolen"


def test_a_ticket_is_looked_at_and_not_used(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Valid until it is used; then when that was."""
    with SessionManager(store) as manager:
        token = signed_in(manager)
        ticket = manager.tickets.issue("download", {"file": "a.pdf"}, session=manager.load(token))
        for _ in range(2):
            found = inspected(capsys, ticket)
            assert (found["purpose"], found["user_id"], found["valid"]) == ("download", "ada", "yes")
        manager.tickets.redeem(ticket, "download", session=manager.load(token))
    assert inspected(capsys, ticket, 1)["valid"].startswith("no: this ticket was used before, at ")


def test_without_a_store_it_says_what_it_is(
    store: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is needed to say more."""
    with SessionManager(store) as manager:
        token = signed_in(manager)
    monkeypatch.delenv("COATCHECK_STORE")
    assert inspected(capsys, token, 1)["valid"].startswith("not known: name its store")


def test_a_strangers_jwt_is_named_as_one(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its claims by their names, and not their values."""
    theirs = jwt.encode({"sub": "ada", "ssn": "123-45-6789"}, "k" * 32)
    found = inspected(capsys, theirs)
    assert (found["what"], found["claims"]) == ("a JWT that is none of ours", "ssn, sub")
    assert "123-45" not in json.dumps(found)


@pytest.mark.parametrize("text", ["", "what is this", "a.b.c", "[" * 9000, "e30.e30", "bnVsbA.bnVsbA.x", "\x1b[2J"])
def test_nonsense_is_one_line(store: str, capsys: pytest.CaptureFixture[str], text: str) -> None:
    """In bounded time, and the text does not come back."""
    assert main(["inspect", text]) == 2
    seen = capsys.readouterr()
    assert seen.out == ""
    assert len(seen.err.splitlines()) == 1
    assert "\x1b" not in seen.err
