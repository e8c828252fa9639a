"""An audit trail in every store: kept in order, listed newest first, forgotten when its time is over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis

from coatcheck.connect import open_store
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.postgresql import PostgreSQLStore
from coatcheck.token import new_handle
from coatcheck.trail import AuditEntry, Trails

NOW = 1_900_000_000.0
WEEK = 7 * 86_400.0


@pytest.fixture(params=["memory", "sqlite", "redis", "cluster", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """An empty store that keeps a trail."""
    if request.param == "memory":
        url = "memory://"
    elif request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/sessions.db"
    elif request.param == "redis":
        url = request.getfixturevalue("redis_url")
    elif request.param == "cluster":
        url = request.getfixturevalue("cluster_url")
    else:
        url = request.getfixturevalue("postgres_url")
        with closing(PostgreSQLStore(url)) as made:
            made.make_tables()
    opened = open_store(url, f"trail{new_handle(None)[2:8]}".replace("-", "x"), "open_sync")
    if request.param == "postgresql":
        opened.make_tables()
    yield opened
    opened.close()


def entry(n: int, user: str | None = "ada", handle: str | None = None, **more: Any) -> AuditEntry:
    """The n-th, a second after the one before."""
    return AuditEntry(NOW + n, "ended", user, handle, f"reason {n}", **more)


def reasons(found: list[AuditEntry]) -> list[str]:
    """What a list says, by number."""
    return [str(one.reason).removeprefix("reason ") for one in found]


def test_what_was_appended_is_listed_newest_first(store: Any) -> None:
    """Each as it was, in one append or in several."""
    assert isinstance(store, Trails)
    odd = entry(0, "ädä\n\x00", new_handle("x"), detail={"by": "eve", "from": "…"})
    store.append([odd], WEEK)
    store.append([entry(1), entry(2, None)], None)
    found = store.entries(None, None, None, 10)
    assert reasons(found) == ["2", "1", "0"]
    assert found[2]._replace(place="") == odd
    assert found[1].detail == {}


def test_a_list_is_of_one_user_of_one_session_or_of_everybody(store: Any) -> None:
    """And of a session of a user."""
    mine, other = new_handle("ada"), new_handle("ada")
    store.append([entry(0, "ada", mine), entry(1, "bob", new_handle("bob")), entry(2, "ada", other)], WEEK)
    assert reasons(store.entries("ada", None, None, 10)) == ["2", "0"]
    assert reasons(store.entries("ada", mine, None, 10)) == ["0"]
    assert reasons(store.entries(None, mine, None, 10)) == ["0"]
    assert store.entries("eve", None, None, 10) == []
    assert store.entries("bob", mine, None, 10) == []


def test_a_long_list_is_read_page_by_page(store: Any) -> None:
    """Nothing twice, nothing left out, whatever is appended meanwhile."""
    store.append([entry(n) for n in range(25)], WEEK)
    for user in ("ada", None):
        read: list[AuditEntry] = []
        while page := store.entries(user, None, read[-1].place if read else None, 7):
            read += page
            store.append([entry(99, "bob")], WEEK)
        assert [text for text in reasons(read) if text != "99"] == [str(n) for n in reversed(range(25))]


def test_an_entry_that_redis_is_told_again_is_kept_once(redis_url: str) -> None:
    """As after an answer that was lost, or where the second of its two streams was not to be reached."""
    with closing(open_store(redis_url, "again", "open_sync")) as store:
        for n in (1, 1, 2, 2, 1):
            store.append([entry(n)], WEEK)
        assert reasons(store.entries(None, None, None, 9)) == reasons(store.entries("ada", None, None, 9)) == [*"121"]


def test_what_happened_long_ago_is_forgotten(store: Any) -> None:
    """What came after stays."""
    if type(store).__name__ == "RedisStore":
        pytest.skip("it counts by its own clock, from when it was told: see the next test")
    store.append([entry(n) for n in range(1200)], WEEK)
    store.forget(WEEK, NOW + WEEK + 1198)
    assert reasons(store.entries(None, None, None, 10)) == ["1199", "1198"]


def test_redis_forgets_whole_blocks_by_its_own_clock(redis_url: str) -> None:
    """A stream is trimmed cheaply, by blocks of a hundred; a user's goes by itself when nothing is added to it."""
    with closing(open_store(redis_url, "trail", "open_sync")) as store, redis.Redis.from_url(redis_url) as client:
        store.append([entry(n) for n in range(1000)], WEEK)
        store.forget(WEEK, NOW)
        assert len(store.entries(None, None, None, 2000)) == len(store.entries("ada", None, None, 2000)) == 1000
        (mine,) = client.keys("trail:audit:*")
        assert WEEK - 60 < client.ttl(mine) <= WEEK
        assert client.ttl("trail:audit") == -1
        time.sleep(0.002)  # the server's clock, which nobody can turn
        store.forget(0.001, NOW)
        assert len(store.entries(None, None, None, 2000)) < 200
        store.append([entry(1)], 0.001)
        assert len(store.entries("ada", None, None, 2000)) < 200


@pytest.mark.parametrize(
    "place", ["", "x", "-1", "0", "9" * 18 + "-" + "9" * 18, "9" * 30, "9" * 5000, "'; DROP TABLE x; --", "1-0\n"]
)
def test_a_place_that_nobody_gave_out_does_no_harm(store: Any, place: str) -> None:
    """It comes from a page's address: it begins somewhere, or is refused; it is never part of a command."""
    store.append([entry(0)], WEEK)
    try:
        assert reasons(store.entries("ada", None, place, 10)) in ([], ["0"])
    except StoreUnavailable:
        pytest.fail("a wrong place is not a store that is down")
    assert reasons(store.entries("ada", None, None, 10)) == ["0"]


def test_the_trail_is_no_part_of_the_sessions(store: Any) -> None:
    """No count of sessions and no revocation of all meets it."""
    store.append([entry(0)], WEEK)
    assert store.stats(NOW).sessions == 0
    assert store.revoke_all(NOW, "revoked", NOW) == 0
    assert reasons(store.entries("ada", None, None, 10)) == ["0"]
