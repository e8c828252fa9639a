"""`coatcheck migrate` and `coatcheck doctor` on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from coatcheck import SessionManager
from coatcheck.cli import main
from tests.servers import PostgresServer

pytestmark = pytest.mark.postgresql


@pytest.fixture
def url(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty database."""
    postgres_server.empty()
    monkeypatch.setenv("COATCHECK_STORE", postgres_server.url)
    monkeypatch.setenv("COATCHECK_SECRET", "one-that-guards-nothing-for-tests-alone")
    yield postgres_server.url
    postgres_server.sql("ALTER DATABASE postgres RESET synchronous_commit")


def test_migrate_makes_the_tables_once(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The second time it says that they are there; then a manager works."""
    assert (main(["migrate"]), main(["migrate"])) == (0, 0)
    assert capsys.readouterr().out == "the tables were made\nthe tables are there already\n"
    with SessionManager(url) as manager:
        session = manager.load(None)
        session.login("ada")
        assert manager.load(manager.commit(session).token).user_id == "ada"


def test_what_migrate_prints_makes_the_same_tables(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """For a team's own migrations; it connects to nothing."""
    assert main(["migrate", "--print", "--namespace", "shop"]) == 0
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(capsys.readouterr().out.encode())
    with SessionManager(url, namespace="shop") as manager:
        assert manager.stats().sessions == 0


def test_migrate_has_the_server_tell_what_changes(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On tables that are there, and as SQL for new ones; doctor says which it is."""
    main(["migrate"])
    main(["doctor"])
    assert "feed         none, so no near cache" in capsys.readouterr().out
    assert main(["migrate", "--feed"]) == 0
    main(["doctor"])
    assert "feed         it tells what changes" in capsys.readouterr().out
    assert main(["migrate", "--print", "--feed", "--namespace", "shop"]) == 0
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(capsys.readouterr().out.encode())
    main(["doctor", "--namespace", "shop"])
    assert "feed         it tells what changes" in capsys.readouterr().out


def test_migrate_says_what_is_in_its_way(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, and exit code 2; a store without tables is no fault."""
    monkeypatch.setenv("COATCHECK_SECRET", "one-that-guards-nothing-for-tests-alone")
    assert main(["migrate", "postgresql://postgres:pa55@127.0.0.1:1/x"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("coatcheck migrate: PostgreSQL at 127.0.0.1:1 cannot be reached")
    assert "pa55" not in told
    assert main(["migrate", "memory://"]) == 0
    assert "needs no tables" in capsys.readouterr().out


@pytest.mark.usefixtures("url")
def test_doctor_names_missing_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """With the command that makes them, for that namespace."""
    assert main(["doctor"]) == 2
    assert "`coatcheck migrate`" in capsys.readouterr().out
    assert main(["doctor", "--namespace", "basket"]) == 2
    assert "`coatcheck migrate --namespace basket`" in capsys.readouterr().out


@pytest.mark.usefixtures("url")
def test_doctor_finds_what_may_lose_a_revocation(
    postgres_server: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unlogged tables, and commits that nobody waits for; the tests' own server syncs nothing, and it says so."""
    main(["migrate"])
    assert main(["doctor"]) == 1
    assert "fsync or full_page_writes is off" in capsys.readouterr().out
    postgres_server.sql("ALTER DATABASE postgres SET synchronous_commit = off")
    assert main(["doctor"]) == 1
    assert "synchronous_commit is off" in capsys.readouterr().out
    postgres_server.empty()
    main(["migrate", "--unlogged"])
    assert main(["doctor"]) == 1
    assert "UNLOGGED" in capsys.readouterr().out
