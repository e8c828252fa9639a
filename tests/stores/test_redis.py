"""What is particular to the Redis store: compare and set, one user's atomic steps, and the values themselves."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
import redis

from coatcheck.change import Change
from coatcheck.errors import StoreUnavailable
from coatcheck.record import Ended, Record, Secret, held
from coatcheck.stores.redis import RedisStore, open_async
from coatcheck.stores.redis.steps import Contest, Pause
from coatcheck.token import new_handle
from tests.records import DAY, NOW, record
from tests.redis_tools import NAMES, SPACE, Steps, acquainted, connected, opened, signed_in, successor
from tests.servers import RedisServer

pytestmark = pytest.mark.usefixtures("unhurried")


# -- compare and set -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stores", [1, 8])
def test_two_hundred_writers_of_one_session_lose_nothing(redis_url: str, stores: int) -> None:
    """Each thread writes a field of its own, in one process and as in several: all are there, none failed."""
    many = [RedisStore(redis.Redis.from_url(redis_url, max_connections=1000), namespace=SPACE) for _ in range(stores)]
    subject = record()
    assert many[0].create(subject, NOW)
    faults: list[Exception] = []
    barrier = threading.Barrier(200)

    def write(number: int) -> None:
        barrier.wait()
        try:
            many[number % stores].commit(subject.handle, Change(set={f"field {number}": number}), NOW)
        except Exception as error:  # noqa: BLE001 (it is what the test looks for)
            faults.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = many[0].load(subject.handle)
    for one in many:
        one._way.client.close()
    assert faults == []
    assert isinstance(after, Record)
    assert json.loads(after.fields) == {"cart": [1]} | {f"field {number}": number for number in range(200)}


async def test_two_hundred_tasks_that_write_one_session_lose_nothing(redis_url: str) -> None:
    """The same on one event loop, where all of them share round trips."""
    store = open_async(redis_url, SPACE)
    subject = record()
    assert await store.create(subject, NOW)
    changes = [Change(set={f"field {number}": number}) for number in range(200)]
    done = await asyncio.gather(*(store.commit(subject.handle, change, NOW) for change in changes))
    after = await store.load(subject.handle)
    await store.close()
    assert all(isinstance(one, Record) for one in done)
    assert isinstance(after, Record)
    assert len(json.loads(after.fields)) == 201


def test_a_write_that_came_between_is_merged(store: RedisStore) -> None:
    """A commit that was overtaken between its read and its write applies itself to what is there then."""
    subject = record()
    store.create(subject, NOW)
    steps = Steps(store, store._plans.commit(subject.handle, Change(set={"mine": 1}), NOW))
    steps.step()
    store.commit(subject.handle, Change(set={"other": 2}), NOW)
    after = steps.finish()
    assert json.loads(after.fields) == {"cart": [1], "mine": 1, "other": 2}
    assert store.load(subject.handle) == after


def test_an_end_that_came_between_stops_the_write(store: RedisStore, client: redis.Redis) -> None:
    """A commit that had read a live session finds it ended at its write, and leaves it so."""
    subject = record()
    store.create(subject, NOW)
    steps = Steps(store, store._plans.commit(subject.handle, Change(set={"mine": 1}), NOW))
    steps.step()
    store.end(subject.handle, None, "logout", NOW)
    stone = client.get(NAMES.session(subject.handle))
    assert steps.finish() == Ended("logout", NOW)
    assert client.get(NAMES.session(subject.handle)) == stone


def test_a_replacement_takes_along_what_was_written_meanwhile(store: RedisStore, client: redis.Redis) -> None:
    """A parallel write between its read and its step comes along; the old handle leaves the user's list."""
    old = signed_in(store, "ada")
    steps = Steps(store, store._plans.replace(old.handle, Change(set={"mine": 1}), successor(old), NOW))
    steps.step()
    store.commit(old.handle, Change(set={"other": 2}), NOW)
    after = steps.finish()
    assert json.loads(after.fields) == {"cart": [1], "other": 2, "mine": 1}
    assert store.load(after.handle) == after
    assert client.hkeys(NAMES.user("ada")) == [f"m:{after.handle}".encode()]


def test_a_replacement_cannot_overtake_an_end(store: RedisStore, client: redis.Redis) -> None:
    """A logout between its read and its step wins: nothing new is there."""
    old = signed_in(store, "ada")
    new = successor(old)
    steps = Steps(store, store._plans.replace(old.handle, Change(), new, NOW))
    steps.step()
    store.end(old.handle, "ada", "logout", NOW)
    assert steps.finish() == Ended("logout", NOW)
    assert store.load(new.handle) is None
    assert client.exists(NAMES.user("ada")) == 0


def test_a_loser_reads_again_and_makes_room() -> None:
    """The first loss is made up for at once, later ones after a pause that grows and is never long."""
    contest = Contest(NAMES)
    seen: dict[str, bytes | None] = {record().handle: b"value"}
    with pytest.raises(StopIteration):
        next(contest.again(seen))
    longest = 0.0
    for _ in range(20):
        pause = next(contest.again(seen))
        assert isinstance(pause, Pause)
        longest = max(longest, pause.seconds)
    assert 0.0 < longest <= 0.1


def test_a_change_that_changes_nothing_writes_nothing(store: RedisStore, client: redis.Redis) -> None:
    """What is stored already needs no second round trip and no new version."""
    subject = record()
    store.create(subject, NOW)
    before = client.get(NAMES.session(subject.handle))
    store.commit(subject.handle, Change(set={"cart": [1]}), NOW)
    assert client.get(NAMES.session(subject.handle)) == before


# -- one user's steps ------------------------------------------------------------------------------------------


def test_a_rotation_cannot_save_a_thief_from_a_revocation(store: RedisStore) -> None:
    """Between the two steps of `revoke_user` a doomed session refuses to be replaced, and then it ends."""
    old = signed_in(store, "ada")
    revocation = Steps(store, store._plans.revoke_user("ada", None, "revoked", NOW, NOW + DAY))
    revocation.step()
    assert store.replace(old.handle, Change(), successor(old), NOW) == Ended("revoked", NOW)
    assert revocation.finish() == [old.handle]
    assert store.load(old.handle) == Ended("revoked", NOW)
    assert store.sessions("ada", NOW, 10, None) == []


def test_a_revocation_that_crashed_is_made_good_by_the_next(store: RedisStore) -> None:
    """Whom the first step doomed and the second did not reach, a repetition ends; but it spares whom it is told to."""
    first, second = signed_in(store, "ada"), signed_in(store, "ada")
    Steps(store, store._plans.revoke_user("ada", None, "revoked", NOW, NOW + DAY)).step()
    assert store.revoke_user("ada", first.handle, "revoked", NOW, NOW + DAY) == [second.handle]
    after = store.replace(first.handle, Change(), successor(first), NOW)
    assert isinstance(after, Record)
    assert store.sessions("ada", NOW, 10, None) == [after]


def test_a_session_that_its_user_does_not_list_cannot_be_replaced(store: RedisStore, client: redis.Redis) -> None:
    """If the list of a user's sessions was lost, none of them gets a new handle that nobody could revoke."""
    old = signed_in(store, "ada")
    client.delete(NAMES.user("ada"))
    assert store.replace(old.handle, Change(), successor(old), NOW) == Ended("revoked", NOW)


def test_a_patch_follows_a_session_that_is_replaced_meanwhile(store: RedisStore) -> None:
    """A demotion between the two steps of which the session gets a new handle is not lost."""
    old = signed_in(store, "ada", fields='{"role":"admin"}')
    update = Steps(store, store._plans.update_user("ada", {"role": "reader"}, NOW, NOW + DAY))
    update.step()
    update.step()
    after = store.replace(old.handle, Change(), successor(old), NOW)
    update.finish()
    assert isinstance(after, Record)
    assert json.loads(after.fields) == {"role": "reader"}
    assert store.load(after.handle) == after


def test_of_two_patches_at_once_neither_is_lost(store: RedisStore) -> None:
    """The second comes between the first's read and its step: they get numbers of their own, and both bind a login."""
    subject = signed_in(store, "ada")
    first = Steps(store, store._plans.update_user("ada", {"role": "reader"}, NOW, NOW + DAY))
    first.step()
    store.update_user("ada", {"team": "red"}, NOW, NOW + DAY)
    first.finish()
    after = store.load(subject.handle)
    assert isinstance(after, Record)
    assert json.loads(after.fields) == {"cart": [1], "team": "red", "role": "reader"}
    assert after.patched == {"team": int(NOW * 1000), "role": int(NOW * 1000) + 1}
    late = signed_in(store, "ada", fields='{"role":"admin"}')
    assert json.loads(late.fields) == {"role": "reader", "team": "red"}


def test_revoke_all_does_not_miss_a_session_that_is_replaced_again_and_again(store: RedisStore) -> None:
    """It gets a new key before each step of the walk, which may have passed there already; it ends all the same."""
    for number in range(50):
        signed_in(store, f"user {number}")
    thief = [signed_in(store, "ada")]
    walk = Steps(store, store._sweep.revoke_all(NOW, "revoked", NOW))
    while not walk.done:
        after = store.replace(thief[-1].handle, Change(), successor(thief[-1]), NOW)
        if isinstance(after, Record):
            thief.append(after)
        walk.step()
    assert len(thief) > 1
    assert not any(isinstance(held(store.load(one.handle), NOW), Record) for one in thief)
    assert walk.result == 51


def test_revoke_all_misses_nobody_when_the_server_is_restarted_under_it() -> None:
    """Another process walks its keys in another order, and its cursor means something else: it begins again."""
    with RedisServer("--appendonly", "yes", "--appendfsync", "always") as server, opened(server.url) as store:
        visitors = [record() for _ in range(2000)]
        assert all(store.create(visitor, NOW) for visitor in visitors)
        walk = Steps(store, store._sweep.revoke_all(NOW, "revoked", NOW))
        for _ in range(20):
            walk.step()
        server.restart()
        acquainted(store)
        assert walk.finish() == 2000
        assert not any(isinstance(store.load(visitor.handle), Record) for visitor in visitors)


def test_the_limit_counts_the_living(store: RedisStore) -> None:
    """A session that has gone idle takes no place: the login ends nobody for its sake."""
    other = signed_in(store, "ada", at=NOW)
    signed_in(store, "ada", at=NOW + 1, idle=60.0)
    done = store.login(record("ada", at=NOW + 120), NOW + 120, NOW + 120, 2, "too many sessions")
    assert done.over_limit == ()
    assert store.load(other.handle) == other


def test_the_list_of_a_user_lives_as_long_as_its_longest_session(store: RedisStore, client: redis.Redis) -> None:
    """Short sessions and revocations never shorten it; long ones and longer deadlines lengthen it."""

    def left() -> float:
        return float(client.pttl(NAMES.user("ada"))) / 1000

    signed_in(store, "ada", expires_at=NOW + 10 * DAY)
    assert 11 * DAY - 60 < left() <= 11 * DAY
    subject = signed_in(store, "ada", expires_at=NOW + DAY)
    store.revoke_user("ada", subject.handle, "revoked", NOW, NOW + DAY)
    assert left() > 11 * DAY - 60
    store.commit(subject.handle, Change(expires_at=NOW + 20 * DAY), NOW)
    assert 21 * DAY - 60 < left() <= 21 * DAY
    store.revoke_user("ada", None, "revoked", NOW, NOW + 30 * DAY)
    assert 30 * DAY - 60 < left() <= 30 * DAY
    store.update_user("ada", {"role": "x"}, NOW, NOW + DAY)
    assert left() > 30 * DAY - 60


def test_the_list_of_a_user_forgets_sessions_that_are_gone(store: RedisStore, client: redis.Redis) -> None:
    """Whoever signs in for years and never out does not pile up what expired long ago."""
    for number in range(100):
        client.delete(NAMES.session(signed_in(store, "ada", at=NOW + number).handle))
    assert client.hlen(NAMES.user("ada")) <= 17


# -- values ----------------------------------------------------------------------------------------------------


def test_a_tombstone_is_small(store: RedisStore, client: redis.Redis) -> None:
    """Under 100 bytes with the longest reason, and it says when, exactly."""
    subject = signed_in(store, "ada")
    store.end(subject.handle, "ada", "x" * 60, NOW + 0.123456)
    assert client.strlen(NAMES.session(subject.handle)) < 100
    assert store.load(subject.handle) == Ended("x" * 60, NOW + 0.123456)


@pytest.mark.parametrize(
    "raw", [b"Mmoving elsewhere", b"", b"L12345678", b"Lnoncenon1900000000000[1,2]\n{}", b"Enoncenonnever x"]
)
def test_a_value_that_nobody_understands_is_a_fault(store: RedisStore, client: redis.Redis, raw: bytes) -> None:
    """What a newer version wrote, or another program, is never taken for an anonymous request."""
    handle = new_handle(None)
    client.set(NAMES.session(handle), raw)
    with pytest.raises(StoreUnavailable, match="namespace of its own"):
        store.load(handle)


def test_a_value_that_nobody_understands_stops_no_revocation(store: RedisStore, client: redis.Redis) -> None:
    """`revoke_all` and `stats` go past it."""
    client.set(NAMES.session(new_handle(None)), b"?")
    store.create(record(), NOW)
    assert store.stats(NOW).sessions == 1
    assert store.revoke_all(NOW, "revoked", NOW) == 1


def test_a_deadline_of_thousands_of_years_is_no_fault(store: RedisStore) -> None:
    """A policy without any real limit works."""
    subject = record(expires_at=NOW + 5000 * 365 * DAY, idle=None)
    assert store.create(subject, NOW)
    assert isinstance(store.commit(subject.handle, Change(set={"a": 1}), NOW), Record)
    assert isinstance(store.end(subject.handle, None, "logout", NOW), Record)


def test_a_session_in_its_last_millisecond_is_not_said_to_be_ended_by_a_logout(store: RedisStore) -> None:
    """Lua counts in milliseconds and Python does not: what a script refuses is over for both."""
    subject = record(idle=None, expires_at=NOW + 0.0009)
    store.create(subject, NOW - 10)
    assert store.end(subject.handle, None, "logout", NOW + 0.0005) == Ended("absolute", NOW)


def test_text_that_is_not_quite_unicode_survives(redis_url: str) -> None:
    """A lone surrogate in a field, a user's id and a note, also through a client that decodes replies."""
    odd = "\ud800"
    with connected(redis_url, decode_responses=True) as client:
        store = RedisStore(client, namespace=SPACE)
        subject = signed_in(store, f"ada{odd}", fields=json.dumps({"name": odd}, ensure_ascii=False))
        assert store.load(subject.handle) == subject
        assert store.sessions(f"ada{odd}", NOW, 10, None) == [subject]
        store.redeem(subject.handle, "jti", "nonce", odd, NOW, NOW + 60)
        assert store.taken(subject.handle, "jti", NOW).note == odd
        assert store.update_user(f"ada{odd}", {"role": odd}, NOW, NOW + DAY) == 1
        assert store.stats(NOW).users == 1


def test_a_user_session_is_not_created_without_its_user(store: RedisStore) -> None:
    """What no list knows, no revocation finds."""
    with pytest.raises(ValueError, match="login"):
        store.create(record("ada"), NOW)


def test_two_names_for_secret_steps_stay(store: RedisStore) -> None:
    """The secrets of a session that is replaced are the new ones alone."""
    old = signed_in(store, "ada")
    new = successor(old)._replace(secrets=(Secret(0, "y" * 43, NOW),))
    after = store.replace(old.handle, Change(), new, NOW)
    assert isinstance(after, Record)
    assert after.secrets == new.secrets
