"""The commands that the Redis store sends: their slots, their age, what an ACL has to allow, what they leave behind."""

from __future__ import annotations

import re
from typing import Any

import pytest
import redis
from redis.crc import key_slot

from coatcheck.change import Change
from coatcheck.errors import StoreUnavailable
from coatcheck.moves import Departed
from coatcheck.record import Record
from coatcheck.stores.redis import RedisStore, scripts
from coatcheck.token import new_handle
from coatcheck.trail import AuditEntry
from tests.records import DAY, NOW, record
from tests.redis_tools import NAMES, SPACE, between, opened, signed_in, successor

pytestmark = pytest.mark.usefixtures("unhurried")


def _everything(store: RedisStore) -> None:
    """Every operation of the store, with what happens seldom."""
    anonymous = record()
    store.create(anonymous, NOW)
    store.commit(anonymous.handle, Change(set={"note": 1}), NOW)
    store.commit(anonymous.handle, Change(delete=("cart", "note")), NOW)
    passing = record()
    store.create(passing, NOW)
    store.replace(passing.handle, Change(), successor(passing), NOW)
    for number in range(20):
        signed_in(store, "ada", at=NOW + number)
    store.update_user("ada", {"role": "x"}, NOW + 20, NOW + DAY)
    subject = store.login(record("ada", at=NOW + 20), NOW + 20, NOW + 20, 10, "too many sessions").record
    assert subject is not None
    store.commit(subject.handle, Change(expires_at=NOW + 40 * DAY, seen_at=NOW + 21), NOW + 21)
    after = store.replace(subject.handle, Change(), successor(subject), NOW + 22)
    assert isinstance(after, Record)
    store.redeem(after.handle, "jti", "nonce", "note", NOW + 22, NOW + 60)
    store.taken(after.handle, "jti", NOW + 22)
    store.sessions("ada", NOW + 22, 100, None)
    store.end(after.handle, "ada", "logout", NOW + 23)
    store.revoke_user("ada", None, "revoked", NOW + 24, NOW + DAY)
    signed_in(store, "bob", at=NOW + 25)
    store.create(record(), NOW)
    _moves(store)
    store.stats(NOW + 25)
    store.revoke_all(NOW + 30, "revoked", NOW + 30)


def _moves(store: RedisStore) -> None:
    """And every step of a move, to a store and away."""
    subjects = [signed_in(store, "eve", at=NOW + 25) for _ in range(2)]
    handles = [one.handle for one in subjects]
    store.depart(handles, NOW + 26)
    store.close_departed(handles[:1], NOW + 26)
    store.arrive([Departed(NOW + 27, 0.0, subjects[0])], NOW + 27)
    store.bar(new_handle(None), NOW + 27, NOW + DAY)
    gate, until = store.gate("eve", NOW + 27)
    store.join("eve", gate.closed(NOW), until, NOW + 27)
    store.spent(handles[0], "jti", "nonce")
    assert {*store.members("eve")} == {*handles}
    assert {*store.roll(None, 1000).items} >= {*handles}
    assert store.gates(None, 1000).items == []
    assert len(store.unbar(None, 1000).items) == 1


def _trail(store: RedisStore) -> None:
    """What an audit trail sends."""
    store.append([AuditEntry(NOW, "ended", "ada", reason="logout")], 60.0)
    assert [entry.reason for entry in store.entries("ada", None, None, 10)] == ["logout"]
    store.forget(60.0, NOW)


def test_all_keys_of_a_command_share_a_slot(store: RedisStore) -> None:
    """So each atomic step stays one on a Cluster."""
    checked = 0

    def check(wire: list[tuple[Any, ...]]) -> None:
        nonlocal checked
        for name, *rest in wire:
            keys = rest[2 : 2 + rest[1]] if name in {"EVAL", "EVALSHA"} else rest if name == "MGET" else rest[:1]
            if name not in {"SCAN", "INFO", "TIME"}:
                assert len({key_slot(key.encode() if isinstance(key, str) else key) for key in keys}) == 1
                checked += len(keys) > 1

    between(store, check)
    _everything(store)
    assert checked > 20


def test_scripts_touch_no_key_that_they_were_not_given() -> None:
    """Redis Cluster cannot know of others: every key in a script is one of KEYS, or a name for one."""
    for script in (value for value in vars(scripts).values() if isinstance(value, scripts.Script)):
        keys = re.findall(r"call\('[A-Z]+', ([^,)]+)", script.text)
        assert set(keys) <= {"KEY[1]", "KEY[2]", "KEY[3]", "KEY[i]", "user", "key"}
        named = re.findall(r"local user[^=\n]*= ([^,\n]+)", script.text)
        assert set(named) <= {"KEY[1]", "KEY[2]", "KEY[3]", "KEY[count + 1]"}


def test_it_needs_nothing_newer_than_redis_6_2(store: RedisStore, client: Any) -> None:
    """The server itself says since when each command is there; and the list for an ACL is complete, and no longer."""
    sent: set[str] = set()
    between(store, lambda wire: sent.update(command[0] for command in wire))
    _everything(store)
    _trail(store)
    client.script_flush()
    store.create(record(), NOW)
    for script in (value for value in vars(scripts).values() if isinstance(value, scripts.Script)):
        sent.update(re.findall(r"call\('([A-Z]+)'", script.text))
    needs = {*scripts.NEEDS, *scripts.TRAIL_NEEDS}
    assert sent == needs - {"WAIT"}
    docs = client.execute_command("COMMAND DOCS", *needs)
    since = [tuple(map(int, facts[b"since"].split(b"."))) for facts in docs.values()]
    assert len(since) == len(needs)
    assert max(since) <= (6, 2, 0)


def test_a_user_with_just_the_listed_commands_can_do_everything(redis_url: str, client: Any) -> None:
    """The remedy that a refusal names is enough; an audit trail needs three more, as its page says."""
    allowed = [f"+{name.lower()}" for name in scripts.NEEDS]
    client.execute_command("ACL", "SETUSER", "app", "on", ">pw", f"~{SPACE}:*", *allowed)
    try:
        with opened(redis_url.replace("redis://", "redis://app:pw@")) as store:
            _everything(store)
            with pytest.raises(StoreUnavailable):
                _trail(store)
            client.execute_command("ACL", "SETUSER", "app", *(f"+{name.lower()}" for name in scripts.TRAIL_NEEDS))
            _trail(store)
    finally:
        client.execute_command("ACL", "DELUSER", "app")


@pytest.mark.parametrize("pipelined", [False, True])
def test_a_server_that_forgot_the_scripts_is_told_again(
    store: RedisStore, client: redis.Redis, pipelined: bool
) -> None:
    """SCRIPT FLUSH, a restart or a failover between two calls goes unnoticed."""
    subjects = [signed_in(store, "ada") for _ in range(3)]
    client.script_flush()
    if pipelined:
        assert store.update_user("ada", {"role": "x"}, NOW, NOW + DAY) == 3
    else:
        assert isinstance(store.commit(subjects[0].handle, Change(set={"note": 1}), NOW), Record)


def test_nothing_is_kept_for_ever(store: RedisStore, client: redis.Redis) -> None:
    """Every key has a time to live: a session a day more than its own, a tombstone a day, remains three seconds."""
    _everything(store)
    left: dict[str, list[int]] = {}
    for key in client.scan_iter():
        left.setdefault(NAMES.parse(key)[0], []).append(client.pttl(key))
    assert set(left) == {"s", "t", "u", "x"}
    assert all(one > 0 for some in left.values() for one in some)
    assert max(left["x"]) <= 3000
    assert max(left["s"]) <= 15 * DAY * 1000
