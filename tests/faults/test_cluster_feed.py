"""What a cluster tells of its changes, while it moves slots and loses primaries: a near cache, and open connections."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial

import pytest
from redis.crc import key_slot

from coatcheck import SessionManager
from coatcheck.change import Change
from coatcheck.clock import elapsed
from coatcheck.errors import StoreUnavailable
from coatcheck.near import BOUND
from coatcheck.stores.redis import open_sync
from coatcheck.stores.redis.values import Names
from tests.cluster import Cluster
from tests.faults.cast import until
from tests.integrations.front import KEY
from tests.records import NOW, record

pytestmark = pytest.mark.redis

KEYS = Names("coatcheck")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One for these tests, which leave it well."""
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def near(cluster: Cluster) -> Iterator[SessionManager]:
    """A process with a near cache."""
    cluster.empty()
    with SessionManager(cluster.url, secret=KEY, near_cache=True) as manager:
        yield manager


@pytest.fixture
def other(cluster: Cluster) -> Iterator[SessionManager]:
    """Another one, without."""
    with SessionManager(cluster.url, secret=KEY) as manager:
        yield manager


def signed_in(manager: SessionManager, user: str) -> str:
    """The token of a new session."""
    session = manager.load(None)
    session.login(user)
    return str(manager.commit(session).token)


def answered_nearby(manager: SessionManager, token: str) -> bool:
    """Whether the near cache answers for it."""
    assert manager.hearing.near is not None
    before = manager.hearing.near.hits
    with suppress(StoreUnavailable):
        manager.load(token)
    return manager.hearing.near.hits > before


def signed_out(manager: SessionManager, token: str) -> bool:
    """Whether nobody is signed in by it."""
    with suppress(StoreUnavailable):
        return not manager.load(token).is_authenticated
    return False


def test_every_primary_tells(cluster: Cluster) -> None:
    """Sessions of all slots, through one feed."""
    with closing(open_sync(cluster.url, "coatcheck")) as store, closing(store.feed()) as feed:
        subjects = [record() for _ in range(60)]
        for one in subjects:
            store.create(one, NOW)
        assert {*(feed.prove() or ())} == {one.handle for one in subjects}
        one = subjects[0]
        store.commit(one.handle, Change(seen_at=NOW + 9), NOW + 9)
        news: list[str] = []
        while not news:
            news += feed.wait(0.5) or ()
        assert news == [one.handle]


def test_reads_are_answered_nearby_and_revocations_bind_within_the_bound(
    near: SessionManager, other: SessionManager
) -> None:
    """Users of every primary."""
    tokens = {f"u{number}": signed_in(other, f"u{number}") for number in range(12)}
    for user, token in tokens.items():
        until(partial(answered_nearby, near, token))
        assert other.revoke_user(user) == 1
        until(partial(signed_out, near, token), within=BOUND)


def test_what_is_read_where_nobody_listens_is_not_kept(
    cluster: Cluster, near: SessionManager, other: SessionManager
) -> None:
    """Keys on their way to a primary that has no feed yet: what changes there would be told to nobody."""
    token = signed_in(other, "ada")
    until(lambda: answered_nearby(near, token))
    slot = key_slot(KEYS.session(token[:22]).encode())
    source = cluster.owner(KEYS.session(token[:22]))
    target = next(node for node in cluster.primaries() if node is not source)
    routes = near.store._talk.routes  # type: ignore[attr-defined]
    cluster.begin(slot, source, target)
    while cluster.carry(slot, source, target):
        pass
    try:
        # The way by ASK: served, and never from nearby.
        until(lambda: not answered_nearby(near, token))
        strays = routes.strays
        for _ in range(5):
            assert near.load(token).user_id == "ada"
            assert not answered_nearby(near, token)
        assert routes.strays > strays
    finally:
        cluster.end(slot, source, target)
    until(lambda: answered_nearby(near, token))
    assert other.revoke_user("ada") == 1
    until(lambda: signed_out(near, token), within=BOUND)
    cluster.move(slot, target, source)


@pytest.mark.parametrize("fault", ["paused", "killed"])
def test_a_primary_that_is_lost_is_listened_to_no_more(fault: str) -> None:
    """Nothing of it is served beyond the bound, and its replica is listened to once it has taken over: what it then
    ends binds, and an open connection hears of it."""
    with (
        Cluster() as cluster,
        SessionManager(f"{cluster.url}?wait=1", secret=KEY) as other,
        SessionManager(cluster.url, secret=KEY, near_cache=True) as near,
    ):
        token = signed_in(other, "ada")
        until(lambda: answered_nearby(near, token))
        owner = cluster.owner(KEYS.session(token[:22]))
        owner.pause() if fault == "paused" else owner.kill()
        began = last = elapsed()
        while elapsed() < began + 1.5 * BOUND:
            if answered_nearby(near, token):
                last = elapsed()
            time.sleep(0.01)
        assert last - began < BOUND
        until(lambda: answered_nearby(near, token), within=60)
        with near.watch(token[:22]) as watched:
            assert watched.ended() is None

            def ended() -> bool:
                with suppress(StoreUnavailable):
                    # The one left has no replica to confirm with: it is done all the same.
                    other.revoke_user("ada")
                return watched.ended() == "revoked"

            until(ended, within=10)
            assert signed_out(near, token)
