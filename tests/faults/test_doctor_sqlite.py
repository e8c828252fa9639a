"""`coatcheck doctor` over a session file: rights, room, damage, and a key that is lost. It makes nothing."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from coatcheck import SessionManager
from coatcheck.cli import main
from coatcheck.stores import sqlite_health

Look = Callable[[], tuple[int, dict[str, str]]]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A session file with one live session."""
    for name in ("COATCHECK_SECRET", "COATCHECK_SECRET_FILE"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "sessions.db"
    with SessionManager(f"sqlite:///{path}") as manager:
        session = manager.load(None)
        session.login("ada")
        manager.commit(session)
    # What the disk has left must not decide.
    monkeypatch.setattr(sqlite_health, "_ROOM", 0)
    monkeypatch.setattr(sqlite_health, "_TIGHT", 0)
    return path


@pytest.fixture
def look(file: Path, capsys: pytest.CaptureFixture[str]) -> Look:
    """Runs the command: its exit code, and its lines by the name of the check."""

    def run() -> tuple[int, dict[str, str]]:
        code = main(["doctor", f"sqlite:///{file}"])
        out = capsys.readouterr().out
        return code, {line[6:18].strip(): line for line in out.splitlines()}

    return run


def test_a_file_as_it_should_be_gets_no_warning(look: Look) -> None:
    """Exit code 0."""
    code, lines = look()
    assert code == 0
    assert [*lines] == ["folder", "place", "disk", "key file", "file", "log", "journal", "writable", "whole"]


@pytest.mark.parametrize(("name", "suffix"), [("file", ""), ("key file", ".key")])
def test_a_file_that_others_may_read_is_named_with_the_command(file: Path, look: Look, name: str, suffix: str) -> None:
    """As after a copy by another user."""
    path = file.with_name(file.name + suffix)
    path.chmod(0o644)
    code, lines = look()
    assert code == 1
    assert f"chmod 600 {path}" in lines[name]


def test_a_lost_key_is_a_fault_unless_the_environment_has_one(
    file: Path, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not made anew: that would sign everybody out."""
    key = file.with_name(file.name + ".key")
    text = key.read_text()
    key.unlink()
    code, lines = look()
    assert (code, key.exists()) == (2, False)
    assert "Put it back" in lines["key file"]
    monkeypatch.setenv("COATCHECK_SECRET", text)
    assert look()[0] == 0


def test_damage_a_lock_and_a_long_log_are_found(file: Path, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in plain words."""
    monkeypatch.setattr(sqlite_health, "_WAIT", 0.01)
    monkeypatch.setattr(sqlite_health, "_LONG_LOG", -1)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        code, lines = look()
        assert code == 2
        assert "another process has locked it" in lines["writable"]
        assert "does not end" in lines["log"]
    file.write_bytes(b"this is no database. " * 500)
    assert "not a SQLite database" in look()[1]["writable"]


@pytest.mark.parametrize(("free", "code"), [(1 << 31, 0), (1 << 29, 1), (1 << 20, 2)])
def test_a_disk_that_fills_up_is_said_in_time(
    look: Look, monkeypatch: pytest.MonkeyPatch, free: int, code: int
) -> None:
    """First a warning, then a fault."""
    monkeypatch.setattr(sqlite_health, "_ROOM", 1 << 30)
    monkeypatch.setattr(sqlite_health, "_TIGHT", 64 << 20)

    def usage(path: Any) -> Any:
        return shutil._ntuple_diskusage(free, 0, free)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    assert look()[0] == code


def test_a_file_that_is_not_there_yet_is_not_made(
    tmp_path: Path, look: Look, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor its folder, whose absence is a fault."""
    assert main(["doctor", f"sqlite:///{tmp_path}/new.db"]) == 0
    assert not (tmp_path / "new.db").exists()
    assert main(["doctor", f"sqlite:///{tmp_path}/none/new.db"]) == 2
    assert "does not exist" in capsys.readouterr().out
