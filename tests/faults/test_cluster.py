"""A cluster that moves its slots and loses its primaries while it serves: nothing that was acknowledged is untrue."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis.crc import key_slot

from coatcheck import SessionManager
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.redis import RedisStore, open_sync, sweep
from coatcheck.stores.redis.values import Names
from tests.cluster import Cluster
from tests.faults.cast import follows, in_step, until
from tests.faults.conftest import Opener
from tests.faults.shop import IN_ALL, SLACK
from tests.faults.visitors import CLIENTS, Crowd
from tests.integrations.front import KEY
from tests.records import NOW, record
from tests.redis_tools import NAMES, SCRIPTS, SPACE, Steps, between, signed_in
from tests.servers import RedisServer

pytestmark = pytest.mark.redis


@pytest.fixture
def fragile() -> Iterator[Cluster]:
    """A cluster of this test alone, that it may break."""
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def store(cluster_url: str) -> Iterator[RedisStore]:
    """A store over the cluster that many tests share."""
    store = open_sync(cluster_url, SPACE)
    yield store
    store.close()


class Move:
    """The slot of a key, on its way to another primary, and back at the end."""

    def __init__(self, cluster: Cluster, key: str) -> None:
        self.cluster, self.slot = cluster, key_slot(key.encode())
        self.source = cluster.owner(key)
        self.target = next(node for node in cluster.primaries() if node is not self.source)
        self.under_way = self.done = False

    def begin(self) -> None:
        self.cluster.begin(self.slot, self.source, self.target)
        self.under_way = True

    def carry(self, most: int = 100) -> int:
        return self.cluster.carry(self.slot, self.source, self.target, most)

    def end(self) -> None:
        while self.carry():
            pass
        self.cluster.end(self.slot, self.source, self.target)
        self.under_way, self.done = False, True

    def back(self) -> None:
        if self.under_way:
            self.end()
        if self.done:
            self.cluster.move(self.slot, self.target, self.source)


@pytest.fixture
def move(redis_cluster: Cluster) -> Iterator[Callable[[str], Move]]:
    """Makes moves, and undoes them at the end."""
    moves: list[Move] = []

    def made(key: str) -> Move:
        moves.append(Move(redis_cluster, key))
        return moves[-1]

    yield made
    for one in moves:
        one.back()


Mover = Callable[[str], Move]


# -- keys that move ----------------------------------------------------------------------------------------------


def test_every_step_of_a_move_serves_what_is_there(store: RedisStore, move: Mover) -> None:
    """A session and its user: before it, half way, when the keys are gone and the slot is not, and after it."""
    subject = signed_in(store, "ada")
    moving = move(NAMES.user("ada"))
    for step in (moving.begin, lambda: moving.carry(1), moving.carry, moving.end):
        step()
        assert store.load(subject.handle) == subject
    assert [one.handle for one in store.sessions("ada", NOW, 10, None)] == [subject.handle]
    assert store.revoke_user("ada", None, "revoked", NOW + 1, NOW + 60) == [subject.handle]
    assert store.end(subject.handle, "ada", "logout", NOW + 2).reason == "revoked"  # type: ignore[union-attr]


def test_a_login_waits_until_its_user_has_moved(store: RedisStore, move: Mover) -> None:
    """It needs the user, who is here, and a new key, which is nowhere: neither node can do both."""
    first = signed_in(store, "ada")
    moving = move(NAMES.user("ada"))
    moving.begin()
    sent: list[Any] = []

    def moved_meanwhile(step: Any) -> None:
        sent.append(step)
        if len(sent) == 4:
            moving.end()

    between(store, moved_meanwhile)
    second = store.login(record("ada"), NOW, NOW, None, "").record
    assert second is not None
    assert len(sent) > 4
    assert {one.handle for one in store.sessions("ada", NOW, 10, None)} == {first.handle, second.handle}


def test_a_move_that_never_ends_is_a_503_in_time(store: RedisStore, move: Mover) -> None:
    """A login into a slot that stays half way: in words, within two seconds, and nobody is half signed in."""
    subject = signed_in(store, "ada")
    move(NAMES.user("ada")).begin()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="moves these keys"):
        store.login(record("ada"), NOW, NOW, None, "")
    assert time.monotonic() - began < IN_ALL + SLACK
    assert [one.handle for one in store.sessions("ada", NOW, 10, None)] == [subject.handle]


def test_wait_counts_the_replicas_of_who_has_written(redis_cluster: Cluster, cluster_url: str, move: Mover) -> None:
    """The old owner's connection has written nothing, so its replica confirms at once: that does not count."""
    with SessionManager(f"{cluster_url}?wait=1", secret=KEY, namespace=SPACE) as manager:
        session = manager.load(None)
        session.login("ada")
        token = manager.commit(session).token
        moving = move(NAMES.user("ada"))
        moving.begin()
        moving.end()
        (replica,) = [node for node in redis_cluster.nodes if follows(node) == moving.target.port]
        replica.pause()
        try:
            with pytest.raises(StoreUnavailable, match="of 1 replicas 0 confirmed"):
                manager.revoke_user("ada")
        finally:
            replica.resume()
        until(lambda: _acknowledged(manager))
        assert manager.load(token).ended_reason == "revoked"


def test_revoke_all_misses_nobody_who_moves_behind_it(redis_cluster: Cluster, store: RedisStore, move: Mover) -> None:
    """A key that goes from a node that it has still to visit to one that it has left is met nowhere: it looks again."""
    first, *_, last = sorted(redis_cluster.primaries(), key=lambda node: node.port)
    visitors = (record() for _ in range(1000))
    subject = next(one for one in visitors if redis_cluster.owner(NAMES.session(one.handle)) is last)
    assert store.create(subject, NOW)
    moving = move(NAMES.session(subject.handle))
    moving.target = first
    walk = Steps(store, store._sweep.revoke_all(NOW, "all", NOW + 1))
    while not walk.done:
        if not moving.done and _leaves(walk, first):
            moving.begin()
            moving.end()
        walk.step()
    assert moving.done
    assert walk.result == 1
    assert store.load(subject.handle) != subject


def test_revoke_all_says_that_it_cannot_be_sure(
    redis_cluster: Cluster, store: RedisStore, move: Mover, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a slot is half way for longer than it can wait: in words, and not as if all were done."""
    monkeypatch.setattr(sweep, "_WALKS", 2)
    moving = move(NAMES.session(record().handle))
    moving.begin()
    with pytest.raises(StoreUnavailable, match="some may be left"):
        store.revoke_all(NOW, "all", NOW + 1)
    moving.end()
    assert store.revoke_all(NOW, "all", NOW + 1) == 0


def _leaves(walk: Steps, node: RedisServer) -> bool:
    """Whether the next step looks at a later node for sessions."""
    step = walk._next
    return isinstance(step, dict) and any(
        trip[0][:1] == ("SCAN",) and ":s:" in trip[0][3] and one.port != node.port for one, trip in step.items()
    )


# -- under load --------------------------------------------------------------------------------------------------


async def test_a_resharding_under_load_loses_nothing(shop: Opener, fragile: Cluster) -> None:
    """The slots of all visitors go once round all primaries while they sign in, write and sign out."""
    one = shop(f"{fragile.url}?wait=1")
    one.in_all = 2 * IN_ALL  # its load may wait at a slot that is half way, and then its commit at another
    crowd, names = Crowd(one), Names(one.front.aside.namespace)

    def reshard() -> None:
        for _ in range(3):
            for visitor in crowd.visitors:
                key = names.user(visitor.name)
                source = fragile.owner(key)
                target = fragile.nodes[(fragile.nodes.index(source) + 1) % 3]
                fragile.move(key_slot(key.encode()), source, target)

    await crowd.go_on(reshard)
    await crowd.settle()
    assert crowd.wrong == []
    assert crowd.over > CLIENTS
    assert crowd.redeemed > CLIENTS


@pytest.mark.parametrize("fault", ["killed", "paused"])
async def test_a_primary_that_is_lost_under_load_breaks_no_promise(shop: Opener, fragile: Cluster, fault: str) -> None:
    """With wait=1: a third of all sessions are a 503 until its replica takes over; what was acknowledged is true."""
    crowd = Crowd(shop(f"{fragile.url}?wait=1"))
    lost = fragile.nodes[0]

    def fail() -> None:
        lost.kill() if fault == "killed" else lost.pause()
        until(lambda: fragile.nodes[3].cli("ROLE")[0] == "master", 60)

    await crowd.go_on(fail)
    await crowd.settle()
    assert crowd.wrong == []
    assert crowd.refused > 0
    assert crowd.over > CLIENTS
    assert crowd.redeemed > CLIENTS


def test_a_synchronous_store_follows_the_cluster_in_bounded_time(fragile: Cluster) -> None:
    """The first node of its URL is the one that is paused: each call is over in time, and in the end all are served."""
    with SessionManager(fragile.url, secret=KEY) as manager:
        tokens = []
        for number in range(30):
            session = manager.load(None)
            session.login(f"u{number}")
            tokens.append(manager.commit(session).token)
        # The one that comes first, wherever nodes are in order.
        min(fragile.nodes[:3], key=lambda node: node.port).pause()
        slowest, served = 0.0, set()

        def ask() -> bool:
            nonlocal slowest
            for token in tokens:
                began = time.monotonic()
                try:
                    if manager.load(token).user_id is not None:
                        served.add(token)
                except StoreUnavailable:
                    pass
                slowest = max(slowest, time.monotonic() - began)
            return len(served) == len(tokens)

        until(ask, 60)
        assert slowest < IN_ALL + SLACK


@pytest.mark.parametrize("wait", [0, 1])
def test_a_failover_loses_what_was_acknowledged_without_wait_alone(fragile: Cluster, wait: int) -> None:
    """The replica hears nothing of five revocations, and the primary is gone. Without `wait` all five were acknowledged
    and all live again, for replication is asynchronous; with `wait=1` none was acknowledged."""
    primary, replica = fragile.nodes[0], fragile.nodes[3]
    names = (f"u{number}" for number in range(60))
    users = [name for name in names if fragile.owner(NAMES.user(name)) is primary][:5]
    with SessionManager(f"{fragile.url}?wait={wait}", secret=KEY, namespace=SPACE) as manager:
        tokens = []
        for user in users:
            session = manager.load(None)
            session.login(user)
            tokens.append(manager.commit(session).token)
        in_step(primary, 1)
        # It is refused from now on: the primary asks for no password, and takes none.
        replica.cli("CONFIG SET", "masterauth", "wrong")
        primary.cli("CLIENT KILL TYPE", "replica")
        acknowledged = [user for user in users if _acknowledged(manager, user)]
        primary.kill()
        until(lambda: replica.cli("ROLE")[0] == "master", 60)
        until(lambda: _served(manager, tokens[0]), 60)
        living = [user for user, token in zip(users, tokens, strict=True) if manager.load(token).user_id]
        assert (len(acknowledged), len(living)) == ((0, 5) if wait else (5, 5))


def _served(manager: SessionManager, token: str | None) -> bool:
    try:
        manager.load(token)
    except StoreUnavailable:
        return False
    return True


def test_an_old_primary_that_is_a_replica_now_confirms_nothing(fragile: Cluster) -> None:
    """It sends the change on to its successor, and what it says to WAIT is no answer to it."""
    primary, replica = fragile.nodes[0], fragile.nodes[3]
    names = (f"u{number}" for number in range(1000))
    with SessionManager(f"{fragile.url}?wait=1", secret=KEY, namespace=SPACE) as manager:
        user = next(name for name in names if fragile.owner(NAMES.user(name)) is primary)
        session = manager.load(None)
        session.login(user)
        token = manager.commit(session).token
        for text in SCRIPTS:
            replica.cli("SCRIPT LOAD", text)
        replica.cli("CLUSTER FAILOVER")
        until(lambda: follows(primary) == replica.port and fragile.well())
        assert manager.revoke_user(user) == 1
        assert manager.load(token).ended_reason == "revoked"


def _acknowledged(manager: SessionManager, user: str = "ada") -> bool:
    try:
        manager.revoke_user(user)
    except StoreUnavailable:
        return False
    return True
