"""A Redis that is slow, down, full, old, strange or misconfigured: plain words, in time, and no harm done."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from redis.cache import CacheConfig

from coatcheck import SessionManager
from coatcheck.change import Change
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.record import Ended, Record
from coatcheck.stores import redis as redis_store
from coatcheck.stores.redis import RedisStore, open_async, open_sync
from coatcheck.stores.redis.hosts import Node
from coatcheck.stores.redis.plans import Plans
from coatcheck.stores.redis.talk import Talk
from coatcheck.stores.redis.url import parse
from coatcheck.token import new_handle
from tests.records import DAY, NOW, record
from tests.redis_tools import NAMES, SPACE, LossyProxy, connected, opened, signed_in
from tests.servers import RedisServer
from tests.stores.faulty import SECRET, Load, loading, told

IN_ALL = 2.0
"""Seconds that any call may take."""

pytestmark = pytest.mark.redis


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server of the test's own, to be paused, stopped or filled."""
    with RedisServer() as server:
        yield server


@pytest.fixture(params=["sync", "async"])
def load(request: pytest.FixtureRequest) -> Iterator[Load]:
    """Over either store."""
    with loading(request.param, redis_store, SPACE) as over:
        yield over


# -- slow, gone, back ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [False, True], ids=["first call", "later call"])
def test_a_paused_server_is_given_up_within_two_seconds(server: RedisServer, load: Load, known: bool) -> None:
    """It holds the connection and answers nothing; when it goes on, so do we."""
    read, handle = load(server.url), new_handle(None)
    if known:
        read(handle)
    server.pause()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="did not answer in time"):
        read(handle)
    assert time.monotonic() - began < IN_ALL
    server.resume()
    assert read(handle) is None


def test_every_caller_of_a_paused_server_hears_of_it_in_time(server: RedisServer) -> None:
    """Also those who queue behind the first, for a round trip or for their turn to write."""
    subject = record()
    waits: list[float] = []

    async def timed(work: Any) -> None:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await work
        waits.append(time.monotonic() - began)

    async def main() -> None:
        store = open_async(server.url, SPACE)
        await store.create(subject, NOW)
        server.pause()
        jobs = [timed(store.load(subject.handle)) for _ in range(600)]
        jobs += [timed(store.commit(subject.handle, Change(set={"n": n}), NOW)) for n in range(50)]
        await asyncio.gather(*jobs)
        await store.close()

    asyncio.run(main())
    assert len(waits) == 650
    assert max(waits) < IN_ALL


def test_a_server_that_was_restarted_is_used_again(server: RedisServer, load: Load) -> None:
    """Stale connections are noticed; nobody has to restart the application, and no request fails for it."""
    read, handle = load(server.url), new_handle(None)
    assert read(handle) is None
    server.restart()
    assert read(handle) is None
    server.kill()
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        read(handle)
    server.start()
    assert read(handle) is None


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_lost_reply_does_not_undo_or_double_a_write(server: RedisServer, mode: str) -> None:
    """The connection breaks when the server has done its work: the command is sent once more, and tells the truth."""
    first, second = record("ada"), record("ada")

    async def main(url: str) -> list[Any]:
        store: Any = open_async(url, SPACE) if mode == "async" else open_sync(url, SPACE)

        async def call(name: str, *arguments: Any) -> Any:
            proxy.lose_reply_to(b"EVALSHA")
            result = getattr(store, name)(*arguments)
            return await result if mode == "async" else result

        results = [
            await call("login", first, NOW, NOW, None, ""),
            await call("commit", first.handle, Change(set={"note": 1}), NOW),
            await call("redeem", first.handle, "jti", "nonce", "", NOW, NOW + 60),
            await call("replace", first.handle, Change(), second, NOW),
            await call("end", second.handle, "ada", "logout", NOW),
        ]
        closed = store.close()
        if mode == "async":
            await closed
        return results

    with opened(server.url) as other, LossyProxy(server.port) as proxy:
        other.load(first.handle)
        login, after, taken, replaced, ended = asyncio.run(main(proxy.url))
        # The first EVALSHA of each script meets a server that does not know it: its NOSCRIPT gets lost as well.
        assert proxy.lost == 5
        assert login.record == first
        assert isinstance(after, Record)
        assert after.fields == '{"cart":[1],"note":1}'
        assert taken.won
        assert replaced == after._replace(handle=second.handle)
        assert ended == replaced
        assert other.load(first.handle) == Ended("replaced", NOW, successor=second.handle)
        assert other.load(second.handle) == Ended("logout", NOW)


def test_a_connection_is_lost_once_not_for_ever(server: RedisServer) -> None:
    """The second loss in one call is a fault, not a third try."""
    with opened(server.url) as store:
        store.load(new_handle(None))
        sent = 0

        def broken(step: Any) -> Any:
            nonlocal sent
            sent += 1
            raise redis.ConnectionError("gone")

        store._send = broken  # type: ignore[method-assign]
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            store.end(new_handle(None), None, "logout", NOW)
        assert sent == 2


# -- full ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unhurried")
def test_a_full_server_can_still_revoke_and_end(server: RedisServer) -> None:
    """Whoever fills the memory cannot keep a thief logged in; what needs memory says that it is full."""
    with opened(server.url) as store:
        users = [signed_in(store, "ada") for _ in range(3)]
        other, anonymous = signed_in(store, "bob"), record(fields=f'{{"note":"{SECRET}"}}')
        store.create(anonymous, NOW)
        server.cli("CONFIG", "SET", "maxmemory", "1")
        for attempt in (
            lambda: store.create(record(), NOW),
            lambda: store.login(record("bob"), NOW, NOW, None, ""),
            lambda: store.commit(anonymous.handle, Change(set={"note": SECRET + "!"}), NOW),
            lambda: store.redeem(other.handle, "jti", "nonce", "", NOW, NOW + 60),
        ):
            with pytest.raises(StoreUnavailable, match="is full") as full:
                attempt()
            assert SECRET not in told(full.value)
        assert len(store.revoke_user("ada", None, "revoked", NOW + 1, NOW + DAY)) == 3
        assert [store.load(one.handle) for one in users] == [Ended("revoked", NOW + 1)] * 3
        assert store.revoke_user("nobody", None, "revoked", NOW + 1, NOW + DAY) == []
        assert store.end(other.handle, "bob", "logout", NOW) == other
        emptied = store.commit(anonymous.handle, Change(delete=("note",)), NOW)
        assert emptied == Ended("logout", NOW, by_this=True)
        assert store.revoke_all(NOW, "revoked", NOW) == 0
        server.cli("CONFIG", "SET", "maxmemory", "0")
        assert store.login(record("ada"), NOW, NOW + 2, None, "").record is None
        assert store.login(record("nobody"), NOW, NOW + 2, None, "").record is None


# -- not fit ---------------------------------------------------------------------------------------------------


def test_a_server_that_evicts_is_refused(server: RedisServer, load: Load) -> None:
    """It could forget a session, or who was revoked. Once it is set right, the same store serves."""
    server.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    read, handle = load(server.url), new_handle(None)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="maxmemory-policy noeviction"):
            read(handle)
    server.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert read(handle) is None


def test_a_server_that_is_too_old_is_refused() -> None:
    """Its version is in the refusal."""
    talk = Talk("cache:6379/0", 0)
    speech: Any = talk.carry(Plans(NAMES).load(new_handle(None)))
    assert next(speech) == [("INFO", "server"), ("INFO", "memory")]
    with pytest.raises(ConfigurationError, match=r"version 6\.0\.16; sessions need 6\.2"):
        speech.send([{"redis_version": "6.0.16"}, {"maxmemory_policy": "noeviction"}])


def test_a_server_that_hides_its_settings_is_used_with_one_warning(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """An ACL without INFO, as hosts have it: what to make sure of is said once."""
    server.cli("ACL", "SETUSER", "default", "-info")
    with caplog.at_level(logging.WARNING), opened(server.url) as store:
        for _ in range(3):
            assert store.load(new_handle(None)) is None
    assert [one.message for one in caplog.records if "noeviction" in one.message] == [
        f"Redis at 127.0.0.1:{server.port}/0 does not let us read INFO: make sure that its version is 6.2 or newer "
        "and its maxmemory-policy is noeviction"
    ]


def test_a_command_that_is_not_allowed_is_named_with_the_remedy(server: RedisServer) -> None:
    """Inside of a script as well; and what was to be stored is not in the error."""
    subject = record(fields=f'{{"note":"{SECRET}"}}')
    with opened(server.url) as store:
        store.create(subject, NOW)
        for forbidden in ("-evalsha", "-set"):
            server.cli("ACL", "SETUSER", "default", "+@all", forbidden)
            with pytest.raises(StoreUnavailable, match=r"\+evalsha") as refused:
                store.commit(subject.handle, Change(set={"note": SECRET + "!"}), NOW)
            assert SECRET not in told(refused.value)


@pytest.mark.parametrize("credentials", ["", ":wrong-pa55@", "somebody:wrong-pa55@"])
def test_a_wrong_password_is_said_without_the_password(server: RedisServer, load: Load, credentials: str) -> None:
    """None, the wrong one, or a user that is not there; with the right one it works."""
    server.cli("ACL", "SETUSER", "default", "resetpass", ">right-pa55")
    address = f"127.0.0.1:{server.port}/0"
    with pytest.raises(StoreUnavailable, match="refused the user or the password") as refused:
        load(f"redis://{credentials}{address}")(new_handle(None))
    assert "pa55" not in told(refused.value)
    assert load(f"redis://:right-pa55@{address}")(new_handle(None)) is None


@pytest.mark.usefixtures("unhurried")
def test_a_replica_takes_no_writes_and_a_write_may_wait_for_one(server: RedisServer) -> None:
    """A URL that points at the replica is named as the fault; `?wait=1` says when there is none to confirm."""
    server.cli("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    with opened(f"{server.url}?wait=1") as store:
        with pytest.raises(StoreUnavailable, match="of 1 replicas 0 confirmed"):
            store.create(record(), NOW)
        with RedisServer("--replicaof", server.host, str(server.port)) as replica:
            # A new replica confirms nothing until it has loaded what it was sent.
            with connected(server.url, single_connection_client=True) as client:
                deadline = time.monotonic() + 20
                while client.set("probe", 1) and client.wait(1, 100) < 1:
                    assert time.monotonic() < deadline
            subject = signed_in(store, "ada")
            assert store.load(subject.handle) == subject
            assert store.update_user("ada", {"role": "x"}, NOW, NOW + DAY) == 1
            with opened(replica.url) as other, pytest.raises(StoreUnavailable, match="read-only replica"):
                other.create(record(), NOW)


def test_a_value_of_another_kind_is_a_fault_without_its_contents(redis_url: str) -> None:
    """Somebody else's keys under our names."""
    handle = new_handle(None)
    with opened(redis_url) as store, connected(redis_url) as client:
        client.lpush(store._plans.names.session(handle), SECRET)
        with pytest.raises(StoreUnavailable, match="namespace or a database of its own") as fault:
            store.load(handle)
        assert SECRET not in told(fault.value)


# -- settings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "redis://:s3cret-pa55@cache:port/0",
        "redis://:s3cret-pa55@cache/not-a-number",
        "redis://:s3cret-pa55@cache/0?wait=many",
        "redis://:s3cret-pa55@cache/0?sokcet_timeout=3",
        "redis://:s3cret/pa55@cache/0",
        "redis://:s3cret-pa55@[cache/0",
        "redis://:1#s3cret-pa55@cache/0",
        "redis://:1?s3cret-pa55@cache/0",
        "redis+sentinel://:s3cret-pa55@one,two",
        "redis+sentinel://:s3cret-pa55@one:port/primary",
        "redis+sentinel://:s3cret-pa55@one,/primary",
        "redis+cluster://:s3cret-pa55@one,two/1",
        "redis+cluster://:s3cret-pa55@one,",
        "redis+cluster://:s3cret-pa55@one:99999",
        "redis+cluster://:s3cret-pa55@one:-5",
        "redis+cluster://:s3cret-pa55@::1",
        "redis+cluster://:s3cret-pa55@[::1",
        "redis+cluster://:s3cret-pa55@one?db=3",
        "unix+cluster://:s3cret-pa55@/run/redis.sock",
        "redis+cluster://u:s3cret-pa55@one,u:s3cret-pa55@two",
        "redis+sentinel://u:s3cret-pa55@one,u:s3cret-pa55@two/primary",
        "redis://:s3cret-pa55@cache/0?wait=",
        "redis://:s3cret-pa55@cache/0?wait=1&wait=0",
        "redis+sentinel://:s3cret-pa55@one/primary/not-a-number",
        "redis+sentinel://:s3cret-pa55@one/primary?sokcet_timeout=3",
    ],
)
@pytest.mark.parametrize("opener", [open_sync, open_async])
def test_a_url_that_makes_no_sense_is_refused_without_its_password(opener: Callable[..., Any], url: str) -> None:
    """At once, not at the first request; redis-py would quietly take database 0."""
    with pytest.raises(ConfigurationError, match="percent-encoded") as refused:
        opener(url, SPACE)
    assert "pa55" not in told(refused.value)
    assert "s3cret" not in told(refused.value)


def test_a_store_does_not_show_its_password() -> None:
    """Nor does a manager that holds it."""
    manager = SessionManager(
        "valkey://app:s3cret-pa55@cache:6380/3", secret="a key that guards nothing, for tests only"
    )
    assert repr(manager.store) == "<RedisStore cache:6380/3>"
    assert "pa55" not in repr(manager)
    assert repr(open_sync("unix:///run/redis.sock?db=2", SPACE)) == "<RedisStore /run/redis.sock (database 2)>"


def test_a_client_that_would_serve_ended_sessions_is_refused(redis_url: str) -> None:
    """A client-side cache learns of an end late; the wrong kind of client is named; a namespace is checked."""
    caching = connected(redis_url, protocol=3, cache_config=CacheConfig())
    with caching as client, pytest.raises(ConfigurationError, match="client-side cache"):
        RedisStore(client)
    with pytest.raises(ConfigurationError, match=r"takes a redis\.Redis"):
        RedisStore(redis.asyncio.Redis())  # type: ignore[arg-type]
    with connected(redis_url) as client, pytest.raises(ConfigurationError, match="namespace"):
        RedisStore(client, namespace="{all}:*")


def test_a_clusters_url_says_all_that_a_client_needs() -> None:
    """Several hosts, one of them by an IPv6 address, a login and TLS: each node is reached with all of it."""
    target = parse("rediss+cluster://ada:pa55-1@one,[::1]:5000?wait=1&ssl_cert_reqs=none")
    assert (target.wait, target.nodes) == (1, (Node("one", 6379), Node("::1", 5000)))
    pool = target.client(redis, target.nodes[1]).connection_pool
    known = pool.connection_kwargs
    assert (known["host"], known["port"], known["username"], known["password"]) == ("::1", 5000, "ada", "pa55-1")
    assert pool.connection_class is redis.SSLConnection
    assert "pa55" not in target.where + repr(target)


def test_a_url_that_asks_for_text_gets_bytes_all_the_same(redis_url: str) -> None:
    """`decode_responses` is a habit; records are no text."""
    with opened(f"{redis_url}?decode_responses=true") as store:
        store.create(one := record(), NOW)
        assert store.load(one.handle) == one


def test_a_sentinel_url_says_all_that_a_client_needs() -> None:
    """Several hosts with and without a port, two logins, a database, TLS; no password in a message or a repr."""
    store: Any = open_sync(
        "rediss+sentinel://ada:pa55-1@one,[::1]:5000,two:6000/shop/3?sentinel_password=pa55-2&wait=1&ssl_cert_reqs=none",
        SPACE,
    )
    manager = store._way.client.connection_pool.sentinel_manager
    asked = [one.connection_pool.connection_kwargs for one in manager.sentinels]
    assert [(one["host"], one["port"]) for one in asked] == [("one", 26_379), ("::1", 5000), ("two", 6000)]
    assert {one["password"] for one in asked} == {"pa55-2"}
    known = store._way.client.connection_pool.connection_kwargs
    assert (known["username"], known["password"], known["db"], known["ssl_cert_reqs"]) == ("ada", "pa55-1", 3, "none")
    assert "SSL" in store._way.client.connection_pool.connection_class.__name__
    assert "SSL" in manager.sentinels[0].connection_pool.connection_class.__name__
    assert repr(store) == "<RedisStore the primary that Sentinel calls shop>"
    store.close()
