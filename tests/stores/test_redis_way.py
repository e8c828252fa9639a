"""The synchronous store's own connections: each reply reaches who asked, and a broken one is not used again."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from coatcheck.change import Change
from coatcheck.record import Record
from coatcheck.stores.redis import RedisStore, talk
from coatcheck.stores.redis.way import Way
from tests.records import NOW, record
from tests.redis_tools import SPACE, opened

pytestmark = pytest.mark.usefixtures("unhurried")

GET = [("GET", "x")]


def crowded(way: Way) -> None:
    """Leave three connections that rest."""
    links = [way._connected() for _ in range(3)]
    way._resting.extend(links)


def cut(client: redis.Redis) -> None:
    """Close all connections but the test's own, as a restart does."""
    mine = client.client_id()
    for one in client.client_list():
        if int(one["id"]) != mine:
            client.client_kill_filter(_id=one["id"])


def test_a_connection_that_was_closed_while_it_rested_costs_no_attempt(
    store: RedisStore, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restart: a call that is no more allowed a second attempt is answered all the same."""
    monkeypatch.setattr(talk, "AGAIN", -1.0)
    subject = record()
    store.create(subject, NOW)
    crowded(store._way)
    cut(client)
    assert isinstance(store.commit(subject.handle, Change(set={"a": 1}), NOW), Record)


def test_one_that_breaks_takes_those_with_it_that_rest(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second attempt, which is the last, must not find another dead one."""
    subject = record()
    store.create(subject, NOW)
    crowded(store._way)
    link = store._way._resting[-1]

    def broken() -> Any:
        monkeypatch.undo()
        raise redis.ConnectionError

    monkeypatch.setattr(link, "read_response", broken)
    assert store.load(subject.handle) == subject
    assert len(store._way._resting) == 1


def test_a_call_that_was_broken_off_leaves_its_reply_to_nobody(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt, or a greenlet's time-out, between question and reply: the next would read another's session."""
    one, other = record(), record()
    store.create(one, NOW)
    store.create(other, NOW)
    [link] = store._way._resting

    def interrupted() -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(link, "read_response", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.load(one.handle)
    assert store._way._resting == []
    assert store.load(other.handle) == other


def test_connections_that_break_do_not_use_up_the_pools_limit(redis_url: str, client: redis.Redis) -> None:
    """A pool counts what it makes, so what broke is connected anew."""
    with opened(f"{redis_url}?max_connections=2") as store:
        subject = record()
        store.create(subject, NOW)
        for _ in range(5):
            cut(client)
            assert store.load(subject.handle) == subject


def test_an_applications_own_client_is_used_as_it_is(redis_url: str) -> None:
    """Its connections, its limits and its instruments see every command."""
    seen: list[Any] = []

    class Own(redis.Redis):
        def execute_command(self, *args: Any, **options: Any) -> Any:
            seen.append(args[0])
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    with Own.from_url(redis_url, max_connections=1) as client:
        store = RedisStore(client, namespace=SPACE)
        subject = record()
        store.create(subject, NOW)
        assert store.load(subject.handle) == subject
        assert isinstance(store.commit(subject.handle, Change(set={"a": 1}), NOW), Record)
        assert seen.count("GET") == 1
        assert "EVALSHA" in seen
        store.close()
        assert client.ping()
