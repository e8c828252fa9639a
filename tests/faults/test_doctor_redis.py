"""`coatcheck doctor` over a real Redis: each fault that an operator can mend is named, with the remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from coatcheck.cli import main
from coatcheck.keyring import generate_secret
from tests.cluster import Cluster
from tests.faults.cast import SWIFT, in_step
from tests.faults.test_single import FAULTS
from tests.servers import RedisServer, free_port

pytestmark = pytest.mark.redis

Look = Callable[..., tuple[int, dict[str, str]]]

SAFE = ("--appendonly", "yes", "--appendfsync", "always", *SWIFT)
LEVELS = {"ok": 0, "warn": 1, "fail": 2}


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Look:
    """Runs the command: its exit code, and its lines by the name of the check."""
    monkeypatch.setenv("COATCHECK_SECRET", generate_secret())

    def run(*arguments: str) -> tuple[int, dict[str, str]]:
        code = main(["doctor", *arguments])
        out, error = capsys.readouterr()
        lines = {line.split()[1]: line for line in out.splitlines()}
        assert error == ""
        assert "pa55" not in out
        assert code == max(LEVELS[line.split()[0]] for line in lines.values())
        return code, lines

    return run


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server that is as it should be."""
    with RedisServer(*SAFE) as server:
        yield server


def test_a_redis_as_it_should_be_gets_no_warning(server: RedisServer, look: Look) -> None:
    """Exit code 0, and nothing stays behind in it."""
    code, lines = look(server.url)
    assert code == 0, lines
    assert [*lines] == [
        *("reachable", "version", "eviction", "memory", "persistence", "role", "clock", "write", "encryption"),
        *("feed", "secret"),
    ]
    assert server.cli("DBSIZE") == 0


@pytest.mark.parametrize(
    ("settings", "name", "level", "remedy"),
    [
        (("maxmemory-policy", "volatile-ttl"), "eviction", "fail", "maxmemory-policy noeviction"),
        (("appendonly", "no"), "persistence", "warn", "goes back to nothing. Set appendonly yes"),
        (("appendonly", "no", "save", "60 1"), "persistence", "warn", "whoever was revoked since then is signed in"),
        (("appendfsync", "everysec"), "persistence", "warn", "lose the last second"),
        (("appendfsync", "no"), "persistence", "warn", "lose half a minute"),
        (("maxmemory", "1"), "memory", "warn", "Raise maxmemory"),
        (("maxmemory", "1"), "write", "fail", "is full"),
        (("min-replicas-to-write", "1"), "write", "fail", "min-replicas-to-write"),
    ],
)
def test_a_setting_that_breaks_a_promise_is_named(
    server: RedisServer, look: Look, settings: tuple[str, ...], name: str, level: str, remedy: str
) -> None:
    """The line says which promise, and what to set."""
    server.cli("CONFIG", "SET", *settings)
    _, lines = look(server.url)
    assert lines[name].startswith(level)
    assert remedy in lines[name]


@pytest.mark.parametrize("name", ["stopped", "loading", "disk"])
def test_a_fault_is_said_with_its_remedy(look: Look, name: str) -> None:
    """Where the application answers 503, the doctor says 2."""
    make, options = FAULTS[name]
    words = {"stopped": "cannot be reached", "loading": "is still loading", "disk": "Free space"}[name]
    with RedisServer(*options) as server:
        # None of these needs the link.
        with make(server, None):
            code, lines = look(server.url, "--quiet")
        assert code == 2
        assert words in "".join(lines.values())


def test_what_replicas_cannot_promise_is_said(server: RedisServer, look: Look) -> None:
    """None to confirm, just one to confirm, nobody asked to confirm; a primary that may be cut off; a replica."""
    assert "wait=1 and 0 connected" in look(f"{server.url}?wait=1")[1]["wait"]
    with RedisServer(*SWIFT, "--replicaof", server.host, str(server.port)) as replica:
        in_step(server, 1)
        code, lines = look(server.url)
        assert code == 1
        assert "?wait=1" in lines["wait"]
        assert "Set 1, and min-replicas-max-lag" in lines["isolation"]
        assert "when one is lost" in look(f"{server.url}?wait=1")[1]["wait"]
        code, lines = look(replica.url)
        assert code == 2
        assert "point the store's URL at the primary" in lines["role"]
        assert "read-only replica" in lines["write"]
    server.cli("CONFIG", "SET", "min-replicas-to-write", "0")


@pytest.mark.parametrize("forbidden", ["hset", "rename", "evalsha", "scan", "wait"])
def test_a_command_that_is_not_allowed_is_found_before_a_visitor_finds_it(
    server: RedisServer, look: Look, forbidden: str
) -> None:
    """Inside of the scripts and outside; the line holds what the ACL has to allow."""
    server.cli("ACL", "SETUSER", "default", f"-{forbidden}")
    code, lines = look(server.url)
    assert code == 2
    assert f"+{forbidden}" in lines["write"]


def test_a_host_that_hides_its_settings_is_examined_as_far_as_it_goes(server: RedisServer, look: Look) -> None:
    """Without INFO and CONFIG there is a warning, and the rest."""
    server.cli("ACL", "SETUSER", "default", "-info", "-config")
    code, lines = look(server.url)
    assert code == 1
    assert lines["settings"].startswith("warn")
    assert lines["write"].startswith("ok")


def test_a_namespace_that_the_user_may_not_touch_is_found(server: RedisServer, look: Look) -> None:
    """The keys that it tries are the application's own."""
    server.cli("ACL", "SETUSER", "shop", "on", ">right-pa55", "~shop:*", "+@all")
    url = server.url.replace("://", "://shop:right-pa55@")
    assert look(url, "--namespace", "shop")[0] == 0
    code, lines = look(url)
    assert code == 2
    assert "~<namespace>:*" in lines["write"]


def test_every_primary_of_a_cluster_is_examined(look: Look) -> None:
    """One of three that may evict is found; so is a slot that nobody serves."""
    with Cluster(*SAFE) as cluster:
        code, lines = look(cluster.url + "?wait=1")
        assert LEVELS[lines["eviction"].split()[0]] == 0
        assert "3 primaries, every slot is served" in lines["cluster"]
        assert "every command" in lines["write"]
        last = max(cluster.primaries(), key=lambda node: node.port)
        last.cli("CONFIG SET", "maxmemory-policy", "allkeys-lru")
        code, lines = look(cluster.url)
        assert (code, lines["eviction"].split()[0]) == (2, "fail")
        cluster.nodes[0].cli("CLUSTER DELSLOTS", 0)
        cluster.nodes[1].cli("CLUSTER DELSLOTS", 0)
        first = cluster.url.partition(",")[0]
        _, lines = look(first)
        assert "1 of its slots have no primary" in lines["cluster"]


def test_a_node_of_a_cluster_is_known_by_what_it_says(look: Look) -> None:
    """`redis://` for one that is in a cluster, `redis+cluster://` for one that is not."""
    with Cluster() as cluster, RedisServer(*SAFE) as alone:
        _, lines = look(f"redis://{cluster.nodes[0].host}:{cluster.nodes[0].port}")
        assert "redis+cluster://" in lines["write"]
        code, lines = look(f"redis+cluster://{alone.host}:{alone.port}")
        assert code == 2
        assert "Write redis:// instead" in lines["reachable"]


def test_no_password_is_printed(server: RedisServer, look: Look) -> None:
    """Not a wrong one, not one that cannot be read, and not one on a port where nobody listens."""
    server.cli("ACL", "SETUSER", "default", "resetpass", ">right-pa55")
    for url in (
        server.url.replace("://", "://:wrong-pa55@"),
        f"redis://:wrong-pa55@127.0.0.1:{free_port()}/0",
        "redis://:wrong-pa55@127.0.0.1/zero",
    ):
        assert look(url)[0] == 2


def test_the_store_and_the_secret_of_the_environment_are_examined(
    server: RedisServer, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COATCHECK_STORE where no URL is given; a missing secret is a fault of a shared store."""
    monkeypatch.delenv("COATCHECK_STORE", raising=False)
    assert "COATCHECK_STORE" in look()[1]["setting"]
    monkeypatch.setenv("COATCHECK_STORE", server.url)
    assert look()[0] == 0
    monkeypatch.delenv("COATCHECK_SECRET")
    code, lines = look()
    assert code == 2
    assert "coatcheck keygen" in lines["secret"]
