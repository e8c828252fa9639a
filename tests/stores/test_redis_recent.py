"""A write begins with what its process has read before: one round trip, and never a wrong write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from coatcheck.change import Change
from coatcheck.codec import MAX_BYTES
from coatcheck.errors import SessionDataError, SessionMoved
from coatcheck.record import Ended, Record
from coatcheck.stores.redis import RedisStore, open_async, recent
from coatcheck.stores.redis.recent import Recent
from coatcheck.token import new_handle
from tests.records import DAY, NOW, record
from tests.redis_tools import SPACE, acquainted, opened, signed_in

pytestmark = pytest.mark.usefixtures("unhurried")


@pytest.fixture
def other(redis_url: str) -> Iterator[RedisStore]:
    """Another process's store."""
    with opened(redis_url) as store:
        yield store


@pytest.fixture
def sent(client: redis.Redis) -> Iterator[Callable[[], list[str]]]:
    """What the server was sent since the last look: the names of the commands, by its own account."""
    with client.monitor() as monitor:  # type: ignore[no-untyped-call]

        def look() -> list[str]:
            client.echo("look")
            names: list[str] = []
            while True:
                seen: dict[str, Any] = monitor.next_command()
                if seen["client_type"] == "lua":
                    continue
                name, *rest = seen["command"].split(" ")
                if [name, *rest] == ["ECHO", "look"]:
                    return names
                names.append(name)

        yield look


def fields(value: Any) -> dict[str, Any]:
    """A live session's fields."""
    assert isinstance(value, Record)
    found: dict[str, Any] = json.loads(value.fields)
    return found


def test_a_write_after_a_read_is_one_round_trip(store: RedisStore, sent: Callable[[], list[str]]) -> None:
    """And so is the next one: a stream or a busy page reads nothing again."""
    acquainted(store)
    subject = signed_in(store, "ada")
    store.load(subject.handle)
    sent()
    store.commit(subject.handle, Change(set={"a": 1}), NOW)
    assert sent() == ["EVALSHA"]
    after = store.commit(subject.handle, Change(set={"b": 2}), NOW)
    assert sent() == ["EVALSHA"]
    assert store.load(subject.handle) == after
    assert fields(after) == {"cart": [1], "a": 1, "b": 2}


async def test_a_write_after_a_read_is_one_round_trip_for_tasks_too(
    redis_url: str, store: RedisStore, sent: Callable[[], list[str]]
) -> None:
    """The asynchronous store sends the same."""
    acquainted(store)
    subject = signed_in(store, "ada")
    work = open_async(redis_url, SPACE)
    await work.meet()
    await work.load(subject.handle)
    sent()
    after = await work.commit(subject.handle, Change(set={"a": 1}), NOW)
    assert sent() == ["EVALSHA"]
    await work.close()
    assert store.load(subject.handle) == after


def test_a_write_after_a_stale_read_undoes_nobody_elses_field(
    store: RedisStore, other: RedisStore, sent: Callable[[], list[str]]
) -> None:
    """Another process wrote since: the script says what is there, and the change is made on top of that."""
    acquainted(store)
    subject = signed_in(store, "ada")
    store.load(subject.handle)
    other.commit(subject.handle, Change(set={"theirs": 1}, delete=("cart",)), NOW)
    sent()
    after = store.commit(subject.handle, Change(set={"ours": 2}), NOW)
    assert sent() == ["EVALSHA", "EVALSHA"]
    assert fields(after) == fields(other.load(subject.handle)) == {"theirs": 1, "ours": 2}


@pytest.mark.parametrize("change", [Change(set={"late": 1}), Change(), Change(delete=("cart",))])
def test_a_write_after_a_stale_read_brings_nobody_back(store: RedisStore, other: RedisStore, change: Change) -> None:
    """It was ended elsewhere: whoever writes, or would change nothing, or would end it, hears of that."""
    subject = signed_in(store, "ada") if change.set else record()
    if not change.set:
        store.create(subject, NOW)
    store.load(subject.handle)
    other.end(subject.handle, subject.user_id, "logout", NOW)
    assert store.commit(subject.handle, change, NOW + 1) == Ended("logout", NOW)
    assert store.load(subject.handle) == Ended("logout", NOW)


def test_a_session_that_is_over_by_what_was_read_lives_if_it_was_touched_elsewhere(
    store: RedisStore, other: RedisStore
) -> None:
    """What was read says that its time is over; nothing is decided by that."""
    subject = signed_in(store, "ada")
    store.load(subject.handle)
    later = NOW + 10 * DAY
    other.commit(subject.handle, Change(seen_at=later), later)
    after = store.commit(subject.handle, Change(set={"late": 1}), NOW + 20 * DAY)
    assert fields(after) == {"cart": [1], "late": 1}


def test_a_change_is_too_large_for_what_is_there_not_for_what_was_read(
    store: RedisStore, other: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process has made room since; and where none has, the refusal is the same as ever."""
    monkeypatch.setattr(recent, "LARGEST", 2 * MAX_BYTES)
    subject = record(fields=json.dumps({"big": "x" * (MAX_BYTES - 100)}))
    store.create(subject, NOW)
    change = Change(set={"more": "y" * 200})
    store.load(subject.handle)
    with pytest.raises(SessionDataError):
        store.commit(subject.handle, change, NOW)
    store.load(subject.handle)
    other.commit(subject.handle, Change(delete=("big",), set={"small": 1}), NOW)
    assert fields(store.commit(subject.handle, change, NOW)) == {"small": 1, "more": "y" * 200}


def test_a_session_that_departed_since_it_was_read_takes_no_write(store: RedisStore, other: RedisStore) -> None:
    """A move has frozen it: the write goes where it lives now."""
    subject = signed_in(store, "ada")
    store.load(subject.handle)
    other.depart([subject.handle], NOW)
    with pytest.raises(SessionMoved):
        store.commit(subject.handle, Change(set={"late": 1}), NOW)
    assert other.depart([subject.handle], None)[subject.handle].record == subject


def test_a_value_that_came_back_under_another_version_is_read_anew(
    store: RedisStore, client: redis.Redis, redis_url: str
) -> None:
    """As after a restore, or an emptied server: what this process has seen is not brought back by its write."""
    subject = signed_in(store, "ada")
    store.load(subject.handle)
    client.flushdb()
    assert store.commit(subject.handle, Change(set={"late": 1}), NOW) is None
    assert client.dbsize() == 0


def test_what_was_read_is_kept_within_bounds() -> None:
    """However many sessions a process serves; and what is large is not kept at all."""
    kept = Recent()
    handles = [new_handle(None) for _ in range(2 * recent.PLACES)]
    for handle in handles:
        kept.keep(handle, b"x" * recent.LARGEST)
    kept.keep(handles[0], b"x" * (recent.LARGEST + 1))
    found = [raw for handle in handles if (raw := kept.take(handle)) is not None]
    assert 0 < len(found) <= recent.PLACES
    assert {*map(len, found)} == {recent.LARGEST}


def test_what_was_read_is_given_once_and_only_to_its_own_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions that share a place never get each other's data."""
    monkeypatch.setattr(recent, "PLACES", 1)
    kept = Recent()
    kept.keep("one", b"1")
    assert kept.take("two") is None
    assert kept.take("one") == b"1"
    assert kept.take("one") is None
    kept.keep("one", b"1")
    kept.keep("two", b"2")
    assert kept.take("one") is None
    assert kept.take("two") == b"2"


def test_an_ended_session_is_not_kept_in_memory(store: RedisStore) -> None:
    """Its data leaves this process with its end."""
    subject = signed_in(store, "ada")
    store.load(subject.handle)
    store.end(subject.handle, "ada", "logout", NOW)
    assert store._plans.recent.take(subject.handle) is None
