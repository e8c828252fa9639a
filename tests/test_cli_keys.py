"""`coatcheck keys rotate`: a new key, in the order that signs nobody out, and no key in what is printed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from coatcheck import SessionManager, generate_secret
from coatcheck.cli import main, secret_file
from coatcheck.errors import ConfigurationError

SETTINGS = ("COATCHECK_SECRET", "COATCHECK_SECRET_FILE", "COATCHECK_STORE")


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A secret file with one key."""
    path = tmp_path / "secret"
    path.write_text(generate_secret() + "\n")
    return path


def rotate(*arguments: str) -> int:
    return main(["keys", "rotate", *arguments])


def test_no_step_signs_anybody_out_where_processes_restart_one_by_one(tmp_path: Path, file: Path) -> None:
    """Before, between and after each step a process that has restarted and one that has not accept each other's
    cookies; after the last one the old key is worth nothing."""
    url, first = f"sqlite:///{tmp_path}/s.db", file.read_text().split()
    states = [first]
    for step in ("accept", "sign", "retire"):
        assert rotate("--write", str(file), "--step", step) == 0
        states.append(file.read_text().split())
    assert [len(keys) for keys in states] == [1, 2, 2, 1]

    def sign(keys: list[str]) -> str:
        with SessionManager(url, secret=keys) as manager:
            session = manager.load(None)
            session.login("ada")
            return manager.commit(session).token or ""

    def accepts(keys: list[str], token: str) -> bool:
        with SessionManager(url, secret=keys) as manager:
            return manager.load(token).user_id == "ada"

    tokens = [sign(keys) for keys in states]
    for now, then in ((0, 1), (1, 2)):
        assert accepts(states[now], tokens[then])
        assert accepts(states[then], tokens[now])
    assert accepts(states[2], tokens[0])  # a cookie from before it all
    assert accepts(states[3], tokens[2])
    assert not accepts(states[3], tokens[0])


def test_a_new_key_in_front_is_one_step_for_one_machine(file: Path) -> None:
    """The new key signs, the old ones are accepted in their order."""
    before = file.read_text().split()
    assert rotate("--write", str(file)) == rotate("--write", str(file)) == 0
    keys = file.read_text().split()
    assert len(set(keys)) == 3
    assert keys[2:] == before


def test_the_key_file_of_a_sqlite_store_can_be_rotated(tmp_path: Path) -> None:
    """The store reads several keys from it; who was signed in before still is, and the new key signs."""
    url = f"sqlite:///{tmp_path}/s.db"
    with SessionManager(url) as manager:
        session = manager.load(None)
        session.login("ada")
        token = manager.commit(session).token
    key = tmp_path / "s.db.key"
    assert rotate("--write", str(key)) == 0
    with SessionManager(url) as manager:
        assert manager.load(token).user_id == "ada"
        session = manager.load(None)
        session.login("bob")
        fresh = manager.commit(session).token
    with SessionManager(url, secret=key.read_text().split()[0]) as manager:
        assert manager.load(fresh).user_id == "bob"


@pytest.mark.parametrize("source", ["COATCHECK_SECRET", "COATCHECK_SECRET_FILE", "store"])
def test_the_plan_names_the_source_and_no_key(
    source: str, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever the secret is; a file is named, so that its steps can be copied as they are. Nothing is changed."""
    keys = [*file.read_text().split(), generate_secret()]
    file.write_text(" ".join(keys))
    arguments: list[str] = []
    if source == "store":
        with SessionManager(f"sqlite:///{tmp_path}/s.db") as manager:
            session = manager.load(None)
            session["n"] = 1
            manager.commit(session)
        file.rename(tmp_path / "s.db.key")
        arguments = ["--store", f"sqlite:///{tmp_path}/s.db"]
    else:
        monkeypatch.setenv(source, " ".join(keys) if source == "COATCHECK_SECRET" else str(file))
    assert rotate(*arguments) == 0
    printed = capsys.readouterr().out
    assert "2 keys" in printed
    assert not any(key in printed for key in keys)
    order = ("accept", "sign", "retire") if source != "COATCHECK_SECRET" else ("OLD NEW", "NEW OLD", '"NEW"')
    assert sorted(order, key=printed.index) == list(order)
    assert ("--write" in printed) == (source != "COATCHECK_SECRET")


def test_the_old_key_goes_after_the_longest_lifetime(capsys: pytest.CaptureFixture[str]) -> None:
    """The default's, or the one that is given; without a secret the plan is there all the same."""
    assert rotate() == 0
    assert "30 days after step 2" in capsys.readouterr().out
    assert rotate("--lifetime", "400") == 0
    assert "400 days after step 2" in capsys.readouterr().out
    for wrong in ("0", "-1", "x", "99999999999", "٣"):
        with pytest.raises(SystemExit, match="2"):
            rotate("--lifetime", wrong)


@pytest.mark.parametrize("step", ["new", "accept", "sign", "retire"])
@pytest.mark.parametrize("content", [None, "", "short", "\x80", "one"])
def test_what_cannot_be_done_changes_nothing(
    step: str, content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file, no key in it, one that is too short, bytes that are no text: exit code 2, one line, no key in it."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes((generate_secret() if content == "one" else content).encode("latin-1"))
    before = file.read_bytes() if file.exists() else None
    code = rotate("--write", str(file), "--step", step)
    said = capsys.readouterr().err
    if content == "one" and step != "sign":
        assert code == 0
        return
    assert code == 2
    assert said.startswith("coatcheck keys rotate: ")
    assert "Traceback" not in said
    assert content != "one" or (before or b"").decode() not in said
    assert (file.read_bytes() if file.exists() else None) == before
    assert not (tmp_path / "secret.new").exists()


def test_nobody_else_reads_the_file_at_any_time(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mode is 0600 from its first byte, whatever the umask and its mode before; a link to it stays one."""
    file.chmod(0o644)
    link = file.with_name("link")
    link.symlink_to(file)
    modes: list[int] = []
    real = os.fsync

    def watched(number: int) -> None:
        modes.append(os.fstat(number).st_mode)
        real(number)

    monkeypatch.setattr(os, "fsync", watched)
    before = os.umask(0)
    try:
        assert rotate("--write", str(link)) == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(modes[0]) == stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_ISDIR(modes[1])  # the new name is on the disk too
    assert link.is_symlink()
    assert len(link.read_text().split()) == 2


def test_a_cut_in_the_middle_leaves_the_old_keys(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is put in place as a whole: until then the old one is there, unharmed."""
    before = file.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert rotate("--write", str(file)) == 2
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["secret"]


def test_of_two_at_once_none_loses_a_key(file: Path) -> None:
    """The second is refused while the first is at it: it would put back what it read before."""
    with pytest.raises(ConfigurationError, match="somebody else changes the keys"):
        secret_file.rewrite(file, lambda _: secret_file.rewrite(file, lambda keys: keys))
    assert rotate("--write", str(file)) == 0
