"""Feeds of real stores, and what a near cache over them serves: through cuts, pauses, restarts and forks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck.change import Change
from coatcheck.cli import main
from coatcheck.clock import elapsed
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.feed import Feed, Told
from coatcheck.near import BOUND
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.postgresql import PostgreSQLStore
from coatcheck.stores.redis import open_sync
from coatcheck.stores.redis.feed import RIGHTS
from coatcheck.stores.redis.scripts import NEEDS
from tests.faults.link import Link
from tests.records import NOW, record
from tests.servers import Bouncer, PostgresServer, RedisServer

SECRET = "one-that-guards-nothing-for-tests-alone"
PATIENCE = 10.0
"""Seconds that a test waits for what has no bound of its own on a busy machine."""


@pytest.fixture(params=["sqlite", "redis", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store that several processes can share and that tells what changes."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/sessions.db"
    if request.param == "redis":
        return str(request.getfixturevalue("redis_url"))
    url = str(request.getfixturevalue("postgres_url"))
    with closing(PostgreSQLStore(url)) as store:
        store.make_tables(feed=True)
    return url


@pytest.fixture
def near(url: str) -> Iterator[SessionManager]:
    """A process with a near cache."""
    with SessionManager(url, secret=SECRET, near_cache=True) as manager:
        yield manager


@pytest.fixture
def other(url: str) -> Iterator[SessionManager]:
    """Another process, without one."""
    with SessionManager(url, secret=SECRET) as manager:
        yield manager


def until(true: Callable[[], object], within: float = PATIENCE) -> float:
    """Wait for something; how many seconds it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + within
        time.sleep(0.002)
    return time.monotonic() - began


def signed_in(manager: SessionManager, user: str = "ada") -> str:
    """The token of a new session."""
    session = manager.load(None)
    session.login(user)
    return str(manager.commit(session).token)


def hits(manager: SessionManager) -> int:
    """How many reads the near cache has answered."""
    assert manager.hearing.near is not None
    return manager.hearing.near.hits


def warmed(manager: SessionManager, token: str) -> None:
    """Read it until the near cache answers."""
    before = hits(manager)
    until(lambda: (manager.load(token), hits(manager) > before)[1])


# -- what each store tells -----------------------------------------------------------------------------------


def told(feed: Feed, handle: str) -> bool:
    """Whether a feed has told of a session, or that anything may have changed."""
    news: Told = feed.prove()
    return news is None or handle in news


def test_what_was_acknowledged_before_the_question_is_told_before_the_answer(url: str, other: SessionManager) -> None:
    """The bound rests on it: a change, an end, a revocation of a user, an `update_user`, each by another connection."""
    store: Any = other.store
    with closing(store.feed()) as feed:
        for round_ in range(20):
            one, now = record("ada", at=NOW + 10 * round_), NOW + 10 * round_
            store.login(one, now, now, None, "")
            feed.prove()
            store.commit(one.handle, Change(seen_at=now + 1), now + 1)
            assert told(feed, one.handle)
            store.update_user("ada", {"role": "x"}, now + 1, now + 9)
            assert told(feed, one.handle)
            if round_ % 2:
                store.end(one.handle, "ada", "logout", now + 2)
            else:
                store.revoke_user("ada", None, "revoked", now + 2, now + 9)
            assert told(feed, one.handle)
            assert feed.prove() in ((), [])


def test_news_come_by_themselves(url: str, other: SessionManager) -> None:
    """Without a question, and a wait in which nothing happens ends."""
    store: Any = other.store
    one = record("ada")
    store.login(one, NOW, NOW, None, "")
    with closing(store.feed()) as feed:
        feed.prove()
        assert not feed.wait(0.05)
        store.end(one.handle, "ada", "logout", NOW)
        began = time.monotonic()
        while not (news := feed.wait(0.5)) and news is not None:
            assert time.monotonic() < began + PATIENCE
        assert news is None or one.handle in news


def test_a_store_in_memory_tells_that_it_changed_and_needs_no_near_cache() -> None:
    """For open connections; it is as near as a cache would be."""
    store = MemoryStore()
    with closing(store.feed()) as feed:
        assert feed.prove() == ()
        store.create(record(), NOW)
        assert feed.prove() is None
        assert feed.wait(0.01) == ()
    with SessionManager("memory://", near_cache=True, namespace="near") as manager:
        assert manager.hearing.near is None


# -- a near cache over it ------------------------------------------------------------------------------------


def test_a_read_is_answered_from_nearby_until_another_process_changes_the_session(
    near: SessionManager, other: SessionManager
) -> None:
    """Changed data, then an end: seen within the bound; refusals come from the store, with their reason."""
    token = signed_in(other)
    warmed(near, token)
    session = other.load(token)
    session["cart"] = [1]
    other.commit(session)
    until(lambda: near.load(token).get("cart") == [1], within=BOUND)
    warmed(near, token)
    assert other.revoke_user("ada", reason="stolen laptop") == 1
    until(lambda: not near.load(token).is_authenticated, within=BOUND)
    assert near.load(token).ended_reason == "stolen laptop"


async def test_asynchronous_code_has_the_same_cache(url: str, other: SessionManager) -> None:
    """One feed, one cache; only who waits differs."""
    token = signed_in(other)
    async with AsyncSessionManager(url, secret=SECRET, near_cache=True) as manager:
        cache = manager.hearing.near
        assert cache is not None
        began = time.monotonic()
        while not cache.hits:
            assert (await manager.load(token)).user_id == "ada"
            assert time.monotonic() < began + PATIENCE
        assert other.revoke_user("ada") == 1
        began = time.monotonic()
        while (await manager.load(token)).is_authenticated:
            assert time.monotonic() < began + BOUND
        # What it writes itself it reads at once.
        token = signed_in(other)
        for number in range(10):
            session = await manager.load(token)
            session["n"] = number
            await manager.commit(session)
            assert (await manager.load(token))["n"] == number


def test_this_process_sees_its_own_writes_at_once(near: SessionManager) -> None:
    """With a feed or without: a commit, a logout, an `update_user`, a revocation."""
    token = signed_in(near)
    for number in range(10):
        warmed(near, token)
        session = near.load(token)
        session["n"] = number
        near.commit(session)
        assert near.load(token)["n"] == number
    warmed(near, token)
    near.update_user("ada", {"role": "editor"})
    assert near.load(token)["role"] == "editor"
    warmed(near, token)
    session = near.load(token)
    session.logout()
    near.commit(session)
    assert near.load(token).ended_reason == "logout"


def test_a_request_that_may_write_is_not_answered_from_nearby(near: SessionManager, other: SessionManager) -> None:
    """`fresh`, as the integrations ask for every unsafe method: it starts from what is stored."""
    token = signed_in(near)
    warmed(near, token)
    before = hits(near)
    assert near.load(token, fresh=True).user_id == "ada"
    assert hits(near) == before


def test_an_old_entry_refuses_nobody(near: SessionManager, other: SessionManager) -> None:
    """It may only say yes: a token of which the cache does not know yet is the store's to judge."""
    token = signed_in(other)
    warmed(near, token)
    cache = near.hearing.near
    assert cache is not None
    handle = str(near.load(token).handle)
    kept = cache.get(handle)
    session = other.load(token)
    session.rotate()
    new = str(other.commit(session).token)
    until(lambda: cache.get(handle) is None)
    cache.keep(cache.reading(handle), handle, kept)  # as if the feed had not told yet
    assert near.load(new).user_id == "ada"
    assert near.load(token).is_authenticated, "this is what the bound allows"


def test_sessions_that_move_are_told_of_by_both_stores(tmp_path: Path, redis_url: str) -> None:
    """Before, during and after `coatcheck move`, over one cache: nothing that ended is answered beyond the bound."""
    old = f"sqlite:///{tmp_path}/sessions.db"
    both = f"{old} -> {redis_url}"
    with (
        SessionManager(both, secret=SECRET, near_cache=True) as near,
        SessionManager(both, secret=SECRET) as other,
    ):
        before, after = signed_in(other, "ada"), signed_in(other, "bob")
        warmed(near, before)
        assert other.revoke_user("ada") == 1
        until(lambda: not near.load(before).is_authenticated, within=BOUND)
        warmed(near, after)
        assert main(["move", old, redis_url]) in (0, 1)
        warmed(near, after)
        session = other.load(after)
        session["cart"] = [1]
        other.commit(session)
        until(lambda: near.load(after).get("cart") == [1], within=BOUND)
        warmed(near, after)
        assert other.revoke_user("bob") == 1
        until(lambda: not near.load(after).is_authenticated, within=BOUND)


def test_a_child_of_fork_hears_for_itself(near: SessionManager, other: SessionManager) -> None:
    """It begins with an empty cache and a feed of its own, and its parent's goes on."""
    token = signed_in(other)
    warmed(near, token)
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            cache = near.hearing.near
            assert cache is not None
            assert len(cache) == 0
            warmed(near, token)
            os.write(ready[1], b"1")
            os.read(go[0], 1)
            until(lambda: not near.load(token).is_authenticated, within=BOUND)
            near.close()
            status = 0
        finally:
            os._exit(status)
    assert os.read(ready[0], 1) == b"1"
    warmed(near, token)
    assert other.revoke_user("ada") == 1
    os.write(go[1], b"1")
    until(lambda: not near.load(token).is_authenticated, within=BOUND)
    assert os.waitpid(pid, 0)[1] == 0
    token = signed_in(other)
    warmed(near, token)


# -- faults of the feed --------------------------------------------------------------------------------------


@pytest.fixture
def link(redis_url: str) -> Iterator[Link]:
    """A way to the Redis on which bytes can be held back."""
    with Link(int(redis_url.rpartition(":")[2].partition("/")[0])) as link:
        yield link


def served_until(manager: SessionManager, token: str) -> float:
    """Seconds from now for which the near cache still answers; the store does not."""
    began, last = elapsed(), 0.0
    while elapsed() < began + 2 * BOUND:
        before = hits(manager)
        with suppress(StoreUnavailable):
            manager.load(token)
        if hits(manager) == before:
            break
        last = elapsed() - began
        time.sleep(0.01)
    return last


@pytest.mark.parametrize("fault", ["held", "parted", "lost"])
def test_a_feed_that_is_cut_serves_what_it_has_no_longer_than_the_bound(
    link: Link, other_redis: SessionManager, fault: str
) -> None:
    """Its answers are held back, it is silent in both directions, its connections are lost: an end that the store
    acknowledged meanwhile binds here after one second at most. And it recovers."""
    with SessionManager(link.url, secret=SECRET, near_cache=True) as near:
        token = signed_in(other_redis)
        warmed(near, token)
        {"held": link.hold, "parted": link.part, "lost": link.lose}[fault]()
        assert other_redis.revoke_user("ada") == 1
        assert served_until(near, token) < BOUND
        link.release()
        until(lambda: _answers(near))
        assert not near.load(token).is_authenticated
        token = signed_in(other_redis)
        warmed(near, token)


def _answers(manager: SessionManager) -> bool:
    try:
        manager.info("_" * 22)
    except StoreUnavailable:
        return False
    return True


@pytest.fixture
def other_redis(redis_url: str) -> Iterator[SessionManager]:
    """Another process, with a way of its own."""
    with SessionManager(redis_url, secret=SECRET) as manager:
        yield manager


@pytest.mark.redis
def test_a_server_that_is_paused_or_restarted_is_heard_again() -> None:
    """While it is paused nothing is served beyond the bound; after a restart the feed is a new one."""
    with (
        RedisServer() as server,
        SessionManager(server.url, secret=SECRET, near_cache=True) as near,
        SessionManager(server.url, secret=SECRET) as other,
    ):
        token = signed_in(other)
        warmed(near, token)
        server.pause()
        try:
            assert served_until(near, token) < BOUND
        finally:
            server.resume()
        until(lambda: _answers(other) and _answers(near))
        warmed(near, token)
        server.kill()
        server.start()
        until(lambda: _answers(other) and _answers(near))
        assert not near.load(token).is_authenticated, "this Redis keeps nothing on disk"
        token = signed_in(other)
        warmed(near, token)
        other.revoke_user("ada")
        until(lambda: not near.load(token).is_authenticated, within=BOUND)


@pytest.mark.redis
def test_whoever_asked_for_the_news_is_lost_and_the_feed_notices(redis_url: str) -> None:
    """Redis tells as long as that connection stands: a feed that went on without it would hear nothing more."""
    with closing(open_sync(redis_url, "coatcheck")) as store:
        feed: Any = store.feed()
        feed.prove()
        asker = feed._ask(feed._asker, "CLIENT", "ID")
        store.meet()
        store._way.client.execute_command("CLIENT", "KILL", "ID", asker)
        with pytest.raises(StoreUnavailable):
            feed.prove()


@pytest.mark.redis
def test_a_user_with_the_documented_rights_hears_and_one_without_is_told_so(redis_server: RedisServer) -> None:
    """docs/near-cache.md; nothing else is allowed to that user."""
    store_rights = ["on", ">pa55", "~coatcheck:*", "resetchannels", "-@all", *(f"+{name.lower()}" for name in NEEDS)]
    url = redis_server.url.replace("redis://", "redis://listener:pa55@")
    page = Path(__file__).parents[2].joinpath("docs", "near-cache.md").read_text().replace("\\|", "|")
    assert f"`{' '.join(RIGHTS)}`" in page
    with redis.Redis(port=redis_server.port) as client, closing(open_sync(url, "coatcheck")) as store:
        client.execute_command("ACL", "SETUSER", "listener", "reset", *store_rights)
        with pytest.raises(ConfigurationError, match="tracking"):
            store.feed()
        client.execute_command("ACL", "SETUSER", "listener", *RIGHTS)
        with closing(store.feed()) as feed:
            store.create(one := record(), NOW)
            assert told(feed, one.handle)


@pytest.mark.redis
def test_an_emptied_database_empties_the_cache(redis_url: str, other_redis: SessionManager) -> None:
    """FLUSHDB names no keys."""
    with SessionManager(redis_url, secret=SECRET, near_cache=True) as near:
        token = signed_in(other_redis)
        warmed(near, token)
        store: Any = other_redis.store
        store._way.client.flushdb()
        until(lambda: not near.load(token).is_authenticated, within=BOUND)


@pytest.mark.redis
def test_another_application_on_the_same_redis_is_not_listened_to(redis_url: str) -> None:
    """Only keys of this namespace are told of, also where the other's name is as long or begins with ours."""
    with closing(open_sync(redis_url, "coatcheck")) as store, closing(store.feed()) as feed:
        feed.prove()
        for name in ("coatcheck2", "coatchecX"):
            with closing(open_sync(redis_url, name)) as stranger:
                stranger.create(record(), NOW)
        assert feed.prove() == []
        store.create(one := record(), NOW)
        assert feed.prove() == [one.handle]


def test_postgresql_without_the_trigger_is_named_with_the_remedy(postgres_url: str) -> None:
    """And `coatcheck migrate --feed` mends it, on tables that are there; twice does no harm."""
    with closing(PostgreSQLStore(postgres_url)) as store:
        store.meet()
        with pytest.raises(ConfigurationError, match="coatcheck migrate --feed"):
            store.feed()
        assert store.make_tables(feed=True)
        assert not store.make_tables(feed=True)
        store.feed().close()


WAYS = {
    "row deleted": "DELETE FROM coatcheck_sessions",
    "table emptied": "TRUNCATE coatcheck_sessions",
    "triggers disabled": "ALTER TABLE coatcheck_sessions DISABLE TRIGGER ALL; DELETE FROM coatcheck_sessions",
    "a replica's role": "SET session_replication_role = replica; DELETE FROM coatcheck_sessions",
    "table replaced": "ALTER TABLE coatcheck_sessions RENAME TO old; CREATE TABLE coatcheck_sessions (LIKE old "
    "INCLUDING ALL); COMMENT ON TABLE coatcheck_sessions IS 'coatcheck 1'",
}
"""How an operator, or a restore, ends sessions past our writes."""


@pytest.mark.parametrize("how", WAYS)
def test_postgresql_tells_or_is_found_deaf_whatever_ends_a_session(
    postgres_server: PostgresServer, postgres_url: str, how: str
) -> None:
    """The proof asks for the trigger itself, on the table that is there."""
    with closing(PostgreSQLStore(postgres_url)) as store:
        store.make_tables(feed=True)
    with SessionManager(postgres_url, secret=SECRET, near_cache=True) as near:
        token = signed_in(near)
        warmed(near, token)
        postgres_server.sql(WAYS[how])
        until(lambda: not near.load(token).is_authenticated, within=BOUND + 1)


@pytest.mark.pgbouncer
def test_a_pooler_before_postgresql_is_named(postgres_server: PostgresServer, postgres_url: str) -> None:
    """It lends the server's session for a transaction: what that is told afterwards reaches nobody."""
    with closing(PostgreSQLStore(postgres_url)) as store:
        store.make_tables(feed=True)
    with (
        Bouncer(postgres_server) as bouncer,
        closing(PostgreSQLStore(bouncer.url)) as store,
        pytest.raises(ConfigurationError, match="pooler"),
    ):
        store.feed()


@pytest.mark.postgresql
def test_a_postgresql_that_is_paused_is_noticed_within_two_seconds() -> None:
    """A silent server must not hold the listening thread for ever."""
    with PostgresServer() as server, closing(PostgreSQLStore(server.url)) as store:
        store.make_tables(feed=True)
        with closing(store.feed()) as feed:
            feed.prove()
            server.pause()
            began = time.monotonic()
            try:
                with pytest.raises(StoreUnavailable, match="in time"):
                    feed.prove()
            finally:
                server.resume()
            assert time.monotonic() < began + 3


@pytest.mark.redis
def test_a_primary_that_became_a_replica_is_not_listened_to(redis_server: RedisServer) -> None:
    """Its link may be broken: then it hears of no end, and answers every PING."""
    with RedisServer() as server, closing(open_sync(server.url, "coatcheck")) as store, closing(store.feed()) as feed:
        feed.prove()
        server.cli("REPLICAOF", redis_server.host, redis_server.port)
        with pytest.raises(StoreUnavailable, match="replica"):
            feed.prove()
        with pytest.raises(StoreUnavailable, match="replica"):
            store.feed()


def test_a_file_is_closed_under_a_listener_without_harm(tmp_path: Path) -> None:
    """The listening thread asks twenty times a second: closed under its question, the process fell."""
    for _ in range(300):
        with SessionManager(f"sqlite:///{tmp_path}/sessions.db", secret=SECRET) as manager:
            store: Any = manager.store
            with closing(store.feed()) as feed:
                asking = threading.Thread(target=lambda feed=feed: [feed.prove() for _ in range(50)])
                asking.start()
                store.close()
                asking.join()


def test_no_thread_is_left_when_a_manager_is_closed(url: str) -> None:
    """Nor a connection."""
    before = set(threading.enumerate())
    with SessionManager(url, secret=SECRET, near_cache=True) as manager:
        warmed(manager, signed_in(manager))
        (thread,) = [one for one in set(threading.enumerate()) - before if one.name == "coatcheck-feed"]
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_store_that_tells_nothing_has_no_near_cache() -> None:
    """A third party's, for example: said when the manager is made."""

    class Silent:
        offset = 0.0
        load = MemoryStore().load

    with pytest.raises(ConfigurationError, match="does not tell what changes"):
        SessionManager(Silent(), near_cache=True)  # type: ignore[arg-type]
