"""Wrong words on the command line: one line, that says what to type. It is night, and something has leaked."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from coatcheck import SessionManager
from coatcheck.cli import main

HANDLE = "MbNLJfxLb6qW6GjqVnEvDQ"
ON_A_STORE = (
    "list --user ada",
    f"show {HANDLE}",
    f"revoke {HANDLE}",
    "revoke-user ada",
    "revoke-all --yes",
    "stats",
    "purge",
    f"inspect {HANDLE}",
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one, where the commands run, and an environment that names no store."""
    monkeypatch.chdir(tmp_path)
    for name in ("COATCHECK_STORE", "COATCHECK_SECRET", "COATCHECK_SECRET_FILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def refused(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command prints, which ends with exit code 2."""
    try:
        code: int | str | None = main(shlex.split(command))
    except SystemExit as ended:
        code = ended.code
    printed = capsys.readouterr()
    assert code == 2, printed
    [line] = (printed.out + printed.err).splitlines()
    return line


@pytest.mark.parametrize("command", [*ON_A_STORE[:-1], "migrate", "doctor"])
def test_without_a_store_it_says_how_to_name_one(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Not how a program would: whoever types this has no Python at hand. `inspect` says what it can without one."""
    line = refused(command, capsys)
    assert "--store sqlite:///sessions.db" in line
    assert "COATCHECK_STORE" in line
    assert "SessionManager" not in line


@pytest.mark.parametrize("command", [*ON_A_STORE, "keys rotate"])
def test_a_file_that_is_not_there_is_never_made(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A typing error made an empty store before, where `revoke-all` had "0 ended", and a thief stayed signed in."""
    line = refused(f"{command} --store sqlite:///sesions.db", capsys)
    assert f"there is no session file {folder}/sesions.db" in line
    assert "--store sqlite:////srv/app/sessions.db" in line
    assert not list(folder.iterdir())


@pytest.mark.parametrize("command", ON_A_STORE)
def test_another_processs_memory_is_not_taken_for_an_empty_store(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """memory:// here is a new one."""
    assert "sqlite:///sessions.db" in refused(f"{command} --store memory://", capsys)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("", "required: COMMAND. Type: coatcheck"),
        ("lst", "'revoke-user'"),
        ("list ada", "Type: coatcheck list --user USER"),
        ("list --user ada --limit 0", "--limit: a number from 1 on"),
        ("list --user ada --limit x", "--limit: a number from 1 on"),
        ("keygen 64", "unrecognized arguments: 64. Type: coatcheck"),
        ("revoke-user", "Type: coatcheck revoke-user [--reason REASON]"),
        ("revoke-all --before yesterday", '"2026-01-31T18:00:00Z"'),
        ("keys rotate --step last", "'accept', 'sign', 'retire'"),
        ("doctor --preset strict", "'nist-aal2'"),
        ("completion csh", "'zsh', 'fish'"),
        ("move sqlite:///old.db", "coatcheck move sqlite:///sessions.db redis://cache:6379/0"),
        ("move", "coatcheck move sqlite:///sessions.db redis://cache:6379/0"),
        ("keys rotate --write keys", "coatcheck keygen > "),
        ("keys rotate --write no/keys", "coatcheck keygen > "),
        ("doctor --app os:app", "the module has no app. Name what its server is given"),
        ("doctor --site http://127.0.0.1:1", "Is it running, and are host and port right?"),
    ],
)
def test_a_wrong_word_gets_one_line_that_says_what_to_type(
    command: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By itself argparse prints three lines, the usage first."""
    assert words in refused(command, capsys)


def test_what_was_typed_draws_nothing_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A user's id may come from a report that an attacker wrote."""
    assert "\x1b" not in refused("stats '\x1b[2Jdone'", capsys)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("revoke-user ''", "the id that the application gives to login()"),
        ("list --user ''", "the id that the application gives to login()"),
        ("revoke-user ada --keep laptop", "22 characters"),
        ("revoke ada", "`coatcheck revoke-user USER`"),
        ("show ada", "`coatcheck list --user USER`"),
    ],
)
def test_what_cannot_be_a_user_or_a_handle_is_no_traceback(
    command: str, words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And is not taken for somebody who has no session."""
    SessionManager("sqlite:///sessions.db").stats()
    assert words in refused(f"{command} --store sqlite:///sessions.db", capsys)


@pytest.mark.parametrize("command", ["list --user ada", "revoke-user ada"])
def test_a_user_without_sessions_may_be_called_otherwise(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In Django `ada` is 1; with another namespace it is somebody else's store."""
    SessionManager("sqlite:///sessions.db").stats()
    assert main([*command.split(), "--store", "sqlite:///sessions.db"]) == 1
    told = capsys.readouterr().err
    assert "the namespace coatcheck" in told
    assert "in Django the primary key" in told


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to be somebody else")
@pytest.mark.parametrize("command", ["stats", "revoke-user ada", f"inspect {HANDLE}"])
def test_who_may_not_write_the_file_is_told_whose_it_is(command: str) -> None:
    """The application runs as a user of its own, and the operator as themselves."""
    said = (
        "import os, sys, coatcheck.stores.sqlite; from coatcheck.cli import main; "
        "os.setgroups([]); os.setuid(65534); sys.exit(main())"
    )
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        url = f"sqlite:///{folder}/sessions.db"
        SessionManager(url).stats()
        done = subprocess.run(
            [sys.executable, "-c", said, *command.split(), "--store", url], check=False, capture_output=True, text=True
        )
    assert done.returncode == 2
    [line] = (done.stdout + done.stderr).splitlines()
    assert re.search(r"this user may not write .*sudo -u root coatcheck", line)


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/shop", "redis+sentinel://127.0.0.1:1/shop"])
def test_a_server_that_is_not_there_takes_one_line(url: str) -> None:
    """The pool of psycopg logs as well, before ours, and redis-py shows its objects."""
    done = subprocess.run(
        [sys.executable, "-m", "coatcheck", "stats", "--store", url],
        check=False,
        capture_output=True,
        text=True,
    )
    [line] = (done.stdout + done.stderr).splitlines()
    assert "Is it running" in line
    assert "<" not in line


def test_a_reader_that_has_enough_gets_no_traceback() -> None:
    """As in `coatcheck doctor | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "coatcheck", "doctor", "sqlite:///sessions.db"],
            check=False,
            stdout=pipe,
            stderr=subprocess.PIPE,
        )
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("command", ["doctor", "migrate"])
def test_every_command_takes_the_store_by_the_same_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also those that take it by its place."""
    assert main([command, "--store", "sqlite:///sessions.db"]) == 0
    assert capsys.readouterr().out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever reports a fault is asked for it."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"coatcheck \d\S*\n", capsys.readouterr().out)
