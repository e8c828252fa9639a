"""A quick count over Redis: what was met, scaled up without bias, whoever shares the database."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from redis.crc import key_slot

from coatcheck.record import Ended
from coatcheck.store import Stats
from coatcheck.stores.redis import RedisStore, census
from coatcheck.stores.redis.census import Census, passed
from coatcheck.stores.redis.cluster import Cursor
from coatcheck.stores.redis.hosts import Node
from coatcheck.stores.redis.values import dump, new_nonce
from tests.records import NOW, record
from tests.redis_tools import NAMES, opened, signed_in

pytestmark = pytest.mark.usefixtures("unhurried")

USERS, EACH = 600, 5
DAYS_31 = 31 * 86_400_000


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by one each time a count looks at it: `within` is a number of batches, about."""
    counter = itertools.count()
    monkeypatch.setattr(census, "time", SimpleNamespace(monotonic=lambda: next(counter)))


def stocked(client: Any) -> None:
    """Three thousand sessions of six hundred users, as many tombstones, and twice as many keys of somebody else."""
    pipe = client.pipeline(transaction=False)
    for number in range(USERS):
        user = f"user-{number}"
        for _ in range(EACH):
            one = record(user, user_agent="Firefox/1" if number % 2 else None)
            pipe.set(NAMES.session(one.handle), dump(one, new_nonce()), px=DAYS_31)
            pipe.hset(NAMES.user(user), f"m:{one.handle}", repr(one.created_at))
            pipe.set(NAMES.session(record().handle), dump(Ended("logout", NOW), new_nonce()), px=DAYS_31)
    for number in range(2 * USERS * EACH):
        pipe.set(f"cache:{number}", "x" * 50)
    pipe.execute()


def check_estimate(found: Stats) -> None:
    """Of a third of the keys at least: off by a tenth is three standard deviations at most, by a quarter never."""
    sessions = USERS * EACH
    assert not found.exact
    assert 0 < found.sampled < sessions
    assert found.sessions == pytest.approx(sessions, rel=0.25)
    assert found.tombstones == pytest.approx(sessions, rel=0.25)
    assert found.users == pytest.approx(USERS, rel=0.3)
    assert found.authenticated == found.sessions
    assert found.ages is not None
    assert found.clients is not None
    assert sum(found.ages) == sum(found.clients.values()) == found.sessions
    assert found.clients["Firefox"] == pytest.approx(sessions / 2, rel=0.35)


@pytest.mark.usefixtures("batches")
def test_a_quick_count_is_near_the_truth_whoever_shares_the_database(store: RedisStore, client: redis.Redis) -> None:
    """Scaled by the share of all keys that was passed: not by keys of ours among keys of everybody."""
    stocked(client)
    check_estimate(store.stats(NOW, 25))
    assert store.stats(NOW)._replace(clients=None, ages=None) == Stats(
        USERS * EACH, USERS * EACH, USERS, USERS * EACH, 0, sampled=USERS * EACH
    )


@pytest.mark.usefixtures("batches")
def test_each_primary_of_a_cluster_is_scaled_by_itself(cluster_url: str) -> None:
    """And has its share of the time."""
    with redis.RedisCluster.from_url(cluster_url.replace("redis+cluster", "redis").split(",")[0]) as client:
        stocked(client)
    with opened(cluster_url) as store:
        check_estimate(store.stats(NOW, 36))
        assert store.stats(NOW).users == USERS


def test_few_sessions_are_counted_exactly_however_short_the_time(store: RedisStore) -> None:
    """What was gone through to its end is no estimate."""
    for user in ("ada", "ada", "bob"):
        signed_in(store, user)
    found = store.stats(NOW, 0.0)
    assert (found.sessions, found.users, found.exact, found.sampled) == (3, 2, True, 3)
    assert found == store.stats(NOW)


@pytest.mark.usefixtures("batches")
def test_users_without_any_live_session_are_no_users(store: RedisStore, client: redis.Redis) -> None:
    """A user's key outlives the sessions: gone, ended, over, or doomed by a revocation that is under way."""
    stocked(client)
    pipe = client.pipeline(transaction=False)
    for number in range(USERS):
        for kind in range(4):
            user = f"former-{kind}-{number}"
            one = record(user, at=NOW - 100 * 86_400 if kind == 2 else NOW)
            value = dump(Ended("logout", NOW) if kind == 1 else one, new_nonce())
            if kind in (1, 2):
                pipe.set(NAMES.session(one.handle), value, px=DAYS_31)
            since = f"D{one.created_at!r}" if kind == 3 else repr(one.created_at)
            pipe.hset(NAMES.user(user), f"m:{one.handle}", since)
    pipe.execute()
    found = store.stats(NOW, 30)
    assert not found.exact
    assert found.users == pytest.approx(USERS, rel=0.4)


@pytest.mark.parametrize("size", [2**4, 2**20])
def test_a_cursor_says_how_much_was_passed_in_a_table_of_any_size(size: int) -> None:
    """As the server counts: with the bits of the bucket's number reversed."""
    bits = size.bit_length() - 1
    visited = [int(f"{number:0{bits}b}"[::-1], 2) for number in (1, size // 4, size // 2, size - 1)]
    assert [passed(cursor) for cursor in visited] == [1 / size, 0.25, 0.5, (size - 1) / size]


def test_a_cursor_of_a_node_with_a_table_for_each_slot_names_the_slot() -> None:
    """The lower 14 bits of it; the others are as ever, within that slot's table."""
    slots = (10, 11, 500, 16_383)
    assert passed(10, slots) == 0.0
    assert passed(500, slots) == 0.5
    assert passed((8 << 14) | 500, slots) == 0.5 + 1 / 16 / 4
    assert passed((1 << 14) | 16_383, slots) == 0.75 + 1 / 2 / 4


@pytest.mark.parametrize("by_slot", [True, False])
@pytest.mark.usefixtures("batches")
def test_how_a_node_counts_is_seen_from_the_order_of_its_keys(by_slot: bool) -> None:
    """Newer servers go through a cluster's keys slot by slot, older ones as they lie: the same cursor means another
    share."""
    ours = [record(f"user-{number}") for number in range(400)]
    values = {NAMES.session(one.handle).encode(): dump(one, new_nonce()) for one in ours}
    keys = sorted(values, key=key_slot) if by_slot else sorted(values)
    # A quarter of the keys is shown; then the time is up.
    shown, owned = keys[:100], tuple(range(16_384))
    position = key_slot(keys[100]) if by_slot else 2
    plan = Census(NAMES).stats(NOW, 0)
    scan: Any = next(plan)
    assert scan[0][0] == "SCAN"
    reads: Any = plan.send([(Cursor(Node("one", 1), position, (), owned), shown)])
    assert plan.send([values[key] for _, key, *_ in reads]) is None
    with pytest.raises(StopIteration) as done:
        plan.send(None)
    found: Stats = done.value.value
    assert found.sampled == 100
    assert found.sessions == pytest.approx(400, rel=0.3)
