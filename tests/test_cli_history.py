"""`coatcheck history` and `watch`, and that what is done on the command line is in the trail."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from coatcheck import SessionManager
from coatcheck.cli import main
from tests.test_cli_sessions import told


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty store, as the environment has it."""
    url = f"sqlite:///{tmp_path}/sessions.db"
    monkeypatch.setenv("COATCHECK_STORE", url)
    return url


@pytest.fixture
def manager(store: str) -> Iterator[SessionManager]:
    """An application that keeps a trail."""
    with SessionManager(store, audit=timedelta(days=90)) as made:
        yield made


def sign_in(manager: SessionManager, user: str) -> str:
    """A new session's handle; it is in the trail."""
    session = manager.load(None)
    session.login(user)
    manager.commit(session)
    assert manager.audit is not None
    assert manager.audit.flush()
    return str(session.handle)


def test_history_tells_who_signed_in_and_what_ended_and_by_whom(
    manager: SessionManager, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an operator ends on the command line is there with the operator's name."""
    handle = sign_in(manager, "ada")
    sign_in(manager, "bob")
    assert main(["revoke", handle, "--reason", "phone lost"]) == 0
    assert main(["revoke-user", "bob"]) == 0
    assert main(["revoke-all", "--yes"]) == 0
    told(capsys)
    assert main(["history", "--json"]) == 0
    found = json.loads(told(capsys))
    assert [(one["name"], one["user_id"], one["reason"]) for one in found] == [
        ("ended", None, "revoked"),
        ("ended", "bob", "revoked"),
        ("ended", "ada", "phone lost"),
        ("authenticated", "bob", None),
        ("authenticated", "ada", None),
    ]
    assert all(one["detail"]["by"].endswith("command line") for one in found[:3])
    assert main(["history", "--user", "ada"]) == 0
    assert re.search(r"ended\tada\t\S{22}\tphone lost\tby: .*command line", told(capsys))
    assert main(["history", "--session", handle, "--limit", "1"]) == 0
    assert told(capsys).count(handle) == 1


def test_without_a_trail_it_says_how_to_have_one(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line; and what is done leaves none where the application keeps none."""
    with SessionManager(store) as manager:
        session = manager.load(None)
        session.login("ada")
        manager.commit(session)
    assert main(["revoke-user", "ada"]) == 0
    assert main(["history"]) == 1
    assert "give the application's manager audit=timedelta(days=90)" in capsys.readouterr().err


def test_a_hostile_reason_forges_no_line(manager: SessionManager, capsys: pytest.CaptureFixture[str]) -> None:
    """A user's id and a reason are shown without what moves a cursor."""
    sign_in(manager, "eve\n2030 ended\x1b[2J")
    assert main(["history"]) == 0
    assert len(told(capsys).splitlines()) == 2


def test_watch_tells_what_happens_until_it_is_stopped(manager: SessionManager, store: str) -> None:
    """Each event once, a line of JSON each; ctrl-C ends it well."""
    sign_in(manager, "before")
    command = [sys.executable, "-u", "-m", "coatcheck", "watch", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "COATCHECK_STORE": store}) as process:
        assert process.stdout is not None
        lines: list[bytes] = []
        while not lines:  # it may not have begun yet: what was there before is not told
            sign_in(manager, "ada")
            os.set_blocking(process.stdout.fileno(), False)
            lines = process.stdout.readlines()
        os.set_blocking(process.stdout.fileno(), True)
        for user in ("bob", "eve"):
            sign_in(manager, user)
            while f'"{user}"'.encode() not in b"".join(lines):
                lines.append(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        lines += process.stdout.readlines()
        assert process.wait(20) == 0
    users = [json.loads(line)["user_id"] for line in lines]
    assert "before" not in users
    assert users.count("bob") == 1
