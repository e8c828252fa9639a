"""`coatcheck doctor` over a store: what can be read on the way, its clock, and network file systems."""

from __future__ import annotations

import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from coatcheck import health
from coatcheck.cli import main
from coatcheck.health import Check
from coatcheck.stores import sqlite_health
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.postgresql import health as postgresql_health
from coatcheck.stores.redis import health as redis_health
from tests import certificates
from tests.doctor.shop import KEY
from tests.doctor.stage import Ask
from tests.faults.cast import SWIFT, in_step
from tests.servers import PostgresServer, RedisServer, free_port


@pytest.fixture(autouse=True)
def settled(doctor: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret, and a host of another machine, by its name: it leads to this one."""
    monkeypatch.setenv("COATCHECK_SECRET", KEY)
    lookup = socket.getaddrinfo

    def found(host: Any, *arguments: Any, **settings: Any) -> Any:
        return lookup("127.0.0.1" if host == "cache.example" else host, *arguments, **settings)

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis with a password that also speaks TLS, on the port `tls`."""
    port = free_port()
    files = certificates.make(tmp_path_factory.mktemp("certificates"), "cache.example")
    options = ["--tls-port", str(port), *files.of_server, "--user", "shop", "on", ">pa55", "~*", "&*", "+@all"]
    with RedisServer(*options) as server:
        server.tls = port  # type: ignore[attr-defined]
        server.files = files  # type: ignore[attr-defined]
        yield server


@pytest.mark.redis
def test_a_password_that_can_be_read_on_the_way_is_told(server: Any, doctor: Ask) -> None:
    """redis:// to another host, with a password or without; on this machine, and over TLS, it is well. ASVS 12.3.1."""
    plain = f"cache.example:{server.port}/0"
    told = doctor(f"redis://shop:pa55@{plain}")
    assert told.level("encryption") == "warn"
    assert "the password" in told.text("encryption")
    assert "rediss://" in told.text("encryption")
    told = doctor(f"redis://{plain}")
    assert told.level("encryption") == "warn"
    assert "the password" not in told.text("encryption")
    for here in (f"redis://shop:pa55@127.0.0.1:{server.port}/0", f"redis://shop:pa55@localhost:{server.port}/0"):
        assert doctor(here).level("encryption") == "ok"
    secure = f"rediss://shop:pa55@cache.example:{server.tls}/0?{server.files.of_client}"
    told = doctor(secure)
    assert (told.level("reachable"), told.level("encryption")) == ("ok", "ok")
    told = doctor(f"{secure}&ssl_cert_reqs=none")
    assert told.level("encryption") == "warn"
    assert "may be the server" in told.text("encryption")
    assert "pa55" not in told.out


@pytest.mark.redis
def test_replicas_that_fence_their_primary_are_well(doctor: Ask) -> None:
    """The other outcome of `isolation`, as test_doctor_redis has the bad one."""
    with (
        RedisServer("--min-replicas-to-write", "1", *SWIFT) as primary,
        RedisServer("--replicaof", primary.host, str(primary.port)),
    ):
        in_step(primary, 1)
        assert doctor(primary.url).level("isolation") == "ok"


@pytest.mark.postgresql
def test_postgresqls_connection_and_clock_are_looked_at(
    postgres_server: PostgresServer, doctor: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine without TLS, and a clock an hour behind ours; on this machine, and in step."""
    postgres_server.empty()
    url = f"{postgres_server.url}?create=1"
    assert doctor(postgres_server.url).level("server") == "fail"
    told = doctor(url)
    assert [told.level(name) for name in ("server", "encryption", "clock")] == ["ok"] * 3
    assert told.level("durability") == "warn"  # the tests' server syncs nothing
    away = url.replace(f"@{postgres_server.host}:", "@cache.example:") + f"&hostaddr={postgres_server.host}"
    assert "sslmode=verify-full" in doctor(away).text("encryption")
    monkeypatch.setattr(postgresql_health, "time", later(3600))
    told = doctor(url)
    assert told.level("clock") == "warn"
    assert "-3600" in told.text("clock")


@pytest.mark.redis
def test_a_redis_whose_clock_is_off_is_told(
    redis_server: RedisServer, doctor: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour ahead of ours."""
    assert doctor(redis_server.url).level("clock") == "ok"
    monkeypatch.setattr(redis_health, "time", later(-3600))
    told = doctor(redis_server.url)
    assert told.level("clock") == "warn"
    assert "+3600" in told.text("clock")


def test_what_no_server_of_the_tests_is_has_both_outcomes_too() -> None:
    """An old Redis, enough replicas to lose one, a PostgreSQL that syncs; and their opposites."""
    assert [one.level for one in redis_health._version({"redis_version": "6.0.16"})] == ["fail"]
    assert [one.level for one in redis_health._version({"redis_version": "6.2.0"})] == ["ok"]
    facts = {"connected_slaves": 2, "role": "master"}
    for wait, level in ((0, "warn"), (1, "ok"), (2, "warn"), (3, "fail")):
        found = {one.name: one.level for one in redis_health._replicas(facts, wait, lambda *_: None)}
        assert found == {"role": "ok", "wait": level}
    synced = {"synchronous_commit": "on", "fsync": "on", "full_page_writes": "on"}
    for settings, level in ((synced, "ok"), (synced | {"fsync": "off"}, "warn")):
        assert [one.level for one in postgresql_health._durability(settings, unlogged=False)] == [level]


def test_a_session_file_that_is_damaged_or_has_no_wal_is_told(doctor: Ask, tmp_path: Path) -> None:
    """Damage in the middle, which opening it does not show."""
    path = tmp_path / "sessions.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT UNIQUE)")
        db.executemany("INSERT INTO t (x) VALUES (?)", [(f"{n:0>100}",) for n in range(1000)])
    path.chmod(0o600)
    told = doctor(f"sqlite:///{path}")
    assert (told.level("journal"), told.level("whole")) == ("warn", "ok")
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 't'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    data = bytearray(path.read_bytes())
    data[(root - 1) * size + 8 : (root - 1) * size + 40] = b"\xff" * 32
    path.write_bytes(data)
    told = doctor(f"sqlite:///{path}")
    assert (told.level("journal"), told.level("whole")) == ("ok", "fail")
    assert "Restore it" in told.text("whole")


def later(seconds: float) -> Any:
    """The module `time` of a machine whose clock is ahead by so much."""
    return SimpleNamespace(time=lambda: time.time() + seconds, monotonic=time.monotonic)


def test_a_store_of_somebody_elses_may_have_checks_of_its_own(
    doctor: Ask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They have no row, and are printed, as text only."""

    def checks(_: object) -> Iterator[Check]:
        yield Check("warn", "colour", "it is \x1b[31mred", "Paint it")

    monkeypatch.setattr(MemoryStore, "checks", checks, raising=False)
    assert doctor("memory://").text("colour") == "it is \N{REPLACEMENT CHARACTER}[31mred. Paint it"
    assert main(["doctor", "memory://"]) == 1
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("there", "grain", "off"),
    [(99.0, 0.0, -1.0), (100.5, 0.0, 0.0), (102.0, 0.0, 1.0), (99.5, 1.0, 0.0), (98.5, 1.0, -0.5)],
)
def test_what_a_round_trip_may_explain_is_no_skew(there: float, grain: float, off: float) -> None:
    """Asked at 100, answered at 101: in between it was any of those."""
    assert health.skew(there, 100.0, 101.0, grain) == off


@pytest.mark.parametrize(
    ("kind", "level"),
    [("ext4", "ok"), ("overlay", "ok"), ("tmpfs", "ok"), ("nfs4", "fail"), ("cifs", "fail"), ("fuse.sshfs", "fail")],
)
def test_a_session_file_on_a_network_file_system_is_a_fault(
    doctor: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, level: str
) -> None:
    """By what the kernel says of the mount that it lies on, the nearest one, also with a space in its path."""
    mounts, folder = tmp_path / "mounts", tmp_path / "a share"
    (folder / "deep").mkdir(parents=True)
    spelt = str(folder).replace(" ", r"\040")
    mounts.write_text(f"root / ext3 rw 0 0\nhost:/share {spelt} {kind} rw,vers=4 0 0\n")
    monkeypatch.setattr(sqlite_health, "_MOUNTS", mounts)
    told = doctor(f"sqlite:///{folder}/deep/sessions.db")
    assert told.level("place") == level
    assert kind in told.text("place")
    assert "ext3" in doctor(f"sqlite:///{tmp_path}/sessions.db").text("place")
    mounts.unlink()
    assert doctor(f"sqlite:///{tmp_path}/sessions.db").level("place") == ""
