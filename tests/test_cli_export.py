"""`coatcheck export` and `import`: everybody stays signed in, and nobody who was signed out comes back."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from coatcheck import SessionManager
from coatcheck.cli import export, main
from coatcheck.errors import ReauthenticationRequired
from coatcheck.stores.postgresql import PostgreSQLStore

SECRET = "one-that-guards-nothing-for-tests-alone"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COATCHECK_SECRET", SECRET)


@pytest.fixture
def old(tmp_path: Path) -> str:
    """The URL of a store."""
    return f"sqlite:///{tmp_path}/old.db"


@pytest.fixture(params=["sqlite", "redis", "cluster", "postgresql"])
def new(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of another, which is empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new.db"
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        with closing(PostgreSQLStore(url)) as store:
            store.make_tables()
        return url
    found: str = request.getfixturevalue("redis_url" if request.param == "redis" else "cluster_url")
    return found


def sign_in(url: str, user: str | None, **fields: object) -> str:
    """A new session's token."""
    with SessionManager(url) as manager:
        session = manager.load(None)
        if user is not None:
            session.login(user)
        session.update(fields)
        return str(manager.commit(session).token)


def who(url: str, token: str) -> tuple[str | None, dict[str, object]]:
    """Who a token signs in, and with which data."""
    with SessionManager(url) as manager:
        session = manager.load(token)
        return session.user_id, dict(session)


def exported(url: str, tmp_path: Path, name: str = "backup.jsonl") -> str:
    """The file's name."""
    path = tmp_path / name
    assert main(["export", str(path), "--store", url]) == 0
    return str(path)


def test_everybody_stays_signed_in_in_another_store(
    old: str, new: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With their data, also visitors; a second import stores nothing twice."""
    ada, visitor = sign_in(old, "ada", cart=[1, "ä"]), sign_in(old, None, seen=True)
    many = [sign_in(old, f"user {number}") for number in range(45)]
    file = exported(old, tmp_path)
    assert main(["import", file, "--store", new, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"stored": 47, "left_out": 0}
    assert who(new, ada) == ("ada", {"cart": [1, "ä"]})
    assert who(new, visitor) == (None, {"seen": True})
    assert [who(new, token)[0] for token in many] == [f"user {number}" for number in range(45)]
    with SessionManager(new) as manager:
        assert manager.revoke_user("ada") == 1
    assert main(["import", file, "--store", new, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"stored": 0, "left_out": 47}
    assert who(new, ada)[0] is None


def test_who_was_signed_out_since_stays_signed_out(
    old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the store of the export: one by one, and all of a user's, also where a session is not known any more."""
    ada, bob, eve = (sign_in(old, user) for user in ("ada", "bob", "eve"))
    file = exported(old, tmp_path)
    with SessionManager(old) as manager:
        manager.revoke(ada[:22])
        manager.revoke_user("bob")
    capsys.readouterr()
    assert main(["import", file, "--store", old, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"stored": 0, "left_out": 3}
    assert [who(old, token)[0] for token in (ada, bob, eve)] == [None, None, "eve"]


def test_a_user_who_was_revoked_elsewhere_since_does_not_come_back(old: str, tmp_path: Path) -> None:
    """The other store has never heard of the session, and knows of the revocation."""
    token, file = sign_in(old, "ada"), exported(old, tmp_path)
    new = f"sqlite:///{tmp_path}/new.db"
    with SessionManager(new) as manager:
        manager.revoke_user("ada")
    assert main(["import", file, "--store", new]) == 0
    assert who(new, token)[0] is None


def test_a_session_that_a_revocation_spared_comes_along(old: str, tmp_path: Path) -> None:
    """`keep=`: it is older than the user's gate, and lives."""
    sign_in(old, "ada")
    kept = sign_in(old, "ada")
    with SessionManager(old) as manager:
        assert manager.revoke_user("ada", keep=kept[:22]) == 1
    new, file = f"sqlite:///{tmp_path}/new.db", Path(exported(old, tmp_path))
    gates = tmp_path / "gates.jsonl"
    gates.write_text("\n".join(line for line in file.read_text().splitlines() if '"session"' not in line))
    assert main(["import", str(gates), "--store", new]) == 0  # as one that was stopped halfway
    assert main(["import", str(file), "--store", new]) == 0
    assert who(new, kept)[0] == "ada"


def test_a_login_that_a_revocation_overtook_is_refused_in_the_other_store_too(old: str, tmp_path: Path) -> None:
    """What is kept of a user comes along."""
    sign_in(old, "ada")
    new = f"sqlite:///{tmp_path}/new.db"
    with SessionManager(new) as there, SessionManager(old) as here:
        session = there.load(None)
        session.login("ada")
        here.revoke_user("ada")
        assert main(["import", exported(old, tmp_path), "--store", new]) == 0
        with pytest.raises(ReauthenticationRequired):
            there.commit(session)


def test_an_old_export_has_to_be_asked_for(old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A store remembers an end for a day: later, what was ended since would live again."""
    token = sign_in(old, "ada")
    first, *rest = Path(exported(old, tmp_path)).read_text().splitlines()
    stale = tmp_path / "stale.jsonl"
    stale.write_text("\n".join([json.dumps({**json.loads(first), "at": json.loads(first)["at"] - 86_500}), *rest]))
    new = f"sqlite:///{tmp_path}/new.db"
    assert main(["import", str(stale), "--store", new]) == 2
    assert "add --old" in capsys.readouterr().err
    assert who(new, token)[0] is None
    assert main(["import", str(stale), "--store", new, "--old"]) == 0
    assert who(new, token)[0] == "ada"


def test_an_export_is_its_owners_alone_and_whole(old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """0600, never over another file; where it fails in the middle nothing is left that looks like a backup."""
    token = sign_in(old, "ada")
    file = Path(exported(old, tmp_path))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert token.split(".")[1] not in file.read_text()
    before = file.read_text()
    assert main(["export", str(file), "--store", old]) == 2
    assert file.read_text() == before

    def breaks(*_: object) -> object:
        raise OSError("the disk is full")

    monkeypatch.setattr(export, "_lines", lambda *_: map(breaks, [1]))
    with pytest.raises(OSError, match="full"):
        main(["export", str(tmp_path / "second.jsonl"), "--store", old])
    assert not (tmp_path / "second.jsonl").exists()


def test_pipes_work_and_a_terminal_is_spared(
    old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`export - | import -`; people's data is not printed to a terminal."""
    token = sign_in(old, "ada")
    assert main(["export", "-", "--store", old]) == 0
    told = capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.StringIO(told))
    new = f"sqlite:///{tmp_path}/new.db"
    assert main(["import", "-", "--store", new]) == 0
    assert who(new, token)[0] == "ada"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["export", "-", "--store", old]) == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: ["{}"],
        lambda lines: [],
        lambda lines: ["not json", *lines],
        lambda lines: [lines[0], "[1]"],
        lambda lines: [lines[0], '{"session":"x","record":"y"}'],
        lambda lines: [lines[0], lines[-1].replace('"session":"', '"session":"AAAA')],
        lambda lines: [lines[0], json.dumps({**json.loads(lines[-1]), "session": "AAAAAAAAAAAAAAAAAAAAAA"})],
        lambda lines: [lines[0], json.dumps({"user": "ada", "not_before": "x", "seq": 1, "patches": "[]", "until": 1})],
        lambda lines: [lines[0], '{"user":"' + "x" * 1_100_000 + '"}'],
    ],
    ids=["no format", "empty", "no json", "a list", "no record", "a long handle", "another's handle", "a gate", "long"],
)
def test_what_is_no_export_is_refused_with_its_line(
    old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[list[str]], list[str]]
) -> None:
    """One line that says which, in bounded memory."""
    sign_in(old, "ada")
    lines = Path(exported(old, tmp_path)).read_text().splitlines()
    (tmp_path / "spoiled").write_text("\n".join(spoil(lines)))
    capsys.readouterr()
    assert main(["import", str(tmp_path / "spoiled"), "--store", f"sqlite:///{tmp_path}/new.db"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "line " in told or "is empty" in told
