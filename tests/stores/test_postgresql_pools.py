"""PostgreSQL's connections: behind pgbouncer, after a fork, over several event loops, and an application's own."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import psycopg_pool
import pytest
from psycopg.rows import dict_row

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck.change import Change
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.stores.postgresql import AsyncPostgreSQLStore, PostgreSQLStore, open_sync
from coatcheck.testing.kit import KEY
from tests.records import DAY, NOW, record
from tests.servers import Bouncer, PostgresServer
from tests.stores.faulty import told

pytestmark = pytest.mark.postgresql


@pytest.fixture
def bouncer(postgres_server: PostgresServer, postgres_url: str) -> Iterator[Bouncer]:
    """Two connections for all, in transaction mode."""
    open_sync(postgres_url, "coatcheck").meet()
    with Bouncer(postgres_server) as made:
        yield made


@pytest.mark.pgbouncer
def test_each_transaction_may_meet_another_connection(bouncer: Bouncer) -> None:
    """Pgbouncer in transaction mode: nothing of ours lasts longer than a transaction, with many threads over two
    connections."""
    with SessionManager(bouncer.url, secret=KEY) as manager:
        session = manager.load(None)
        session.login("ada")
        token = manager.commit(session).token

        def work(number: int) -> None:
            mine = manager.load(token)
            mine[f"field-{number}"] = number
            manager.commit(mine)
            other = manager.load(None)
            other.login("ada")
            manager.commit(other)

        with ThreadPoolExecutor(20) as threads:
            list(threads.map(work, range(60)))
        assert len(manager.load(token)) == 60
        assert manager.update_user("ada", {"role": "editor"}) == 61
        assert manager.load(token)["role"] == "editor"
        assert manager.revoke_user("ada") == 61


@pytest.mark.pgbouncer
def test_an_asynchronous_application_behind_it(bouncer: Bouncer) -> None:
    """The same, awaited."""

    async def main() -> int:
        async with AsyncSessionManager(bouncer.url, secret=KEY) as manager:

            async def one() -> None:
                session = await manager.load(None)
                session.login("bob")
                await manager.commit(session)

            await asyncio.gather(*(one() for _ in range(50)))
            return await manager.revoke_user("bob")

    assert asyncio.run(main()) == 50


def _in_a_child(store: PostgreSQLStore, handle: str, results: Any) -> None:
    results.put((os.getpid(), store.load(handle) is not None))


def test_a_child_of_fork_opens_connections_of_its_own(postgres_url: str) -> None:
    """And leaves its parent's alone: both go on."""
    store, subject = open_sync(postgres_url, "coatcheck"), record("ada")
    store.login(subject, NOW, NOW, None, "")
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    children = [context.Process(target=_in_a_child, args=(store, subject.handle, results)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(20)
    assert {results.get()[1] for _ in children} == {True}
    assert store.load(subject.handle) == subject
    store.close()


def test_each_event_loop_has_connections_of_its_own(postgres_url: str) -> None:
    """A connection belongs to the loop that opened it."""
    store, subject = AsyncPostgreSQLStore(postgres_url), record("ada")

    async def main(first: bool) -> Any:
        if first:
            await store.login(subject, NOW, NOW, None, "")
        found = await asyncio.gather(*(store.load(subject.handle) for _ in range(30)))
        await store.close()
        return found

    assert asyncio.run(main(True)) == asyncio.run(main(False)) == [subject] * 30


def test_a_request_that_is_cancelled_leaves_its_connection_fit(postgres_url: str) -> None:
    """Between two statements of a transaction: it is rolled back, holds no lock, and its connection serves on."""
    store = AsyncPostgreSQLStore(f"{postgres_url}&pool_size=1")
    subject = record("ada")

    async def main() -> None:
        await store.login(subject, NOW, NOW, None, "")
        for turn in range(40):
            task = asyncio.create_task(store.login(record("ada"), NOW, NOW, None, ""))
            for _ in range(turn):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        after = await store.commit(subject.handle, Change(set={"n": 1}), NOW)
        assert after is not None
        await store.revoke_user("ada", None, "revoked", NOW + 1, NOW + DAY)
        assert await store.sessions("ada", NOW + 1, 100, None) == []
        await store.close()

    asyncio.run(main())


def test_the_applications_own_pool_is_left_as_it_was(postgres_url: str, postgres_server: PostgresServer) -> None:
    """Its connections are not in autocommit, and are not when we have used them; it is not closed."""
    open_sync(postgres_url, "coatcheck").meet()
    with psycopg_pool.ConnectionPool(postgres_server.url, min_size=1, max_size=2, open=True) as pool:
        store, subject = PostgreSQLStore(pool), record("ada")
        assert store.login(subject, NOW, NOW, None, "").record == subject
        with pool.connection() as connection:
            assert not connection.autocommit
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        # What the application rolls back is not ours.
        with pool.connection() as connection:
            connection.execute("CREATE TABLE shop (n int)")
            assert store.end(subject.handle, "ada", "logout", NOW) == subject
            connection.rollback()
        assert store.load(subject.handle) != subject
        store.close()
        with pool.connection() as connection:
            assert connection.execute("SELECT to_regclass('shop')").fetchone() == (None,)


def test_a_pool_whose_rows_are_dicts_does_as_well(postgres_url: str, postgres_server: PostgresServer) -> None:
    """What the application wants rows to be is its own affair."""
    open_sync(postgres_url, "coatcheck").meet()
    with psycopg_pool.ConnectionPool(postgres_server.url, kwargs={"row_factory": dict_row}, open=True) as pool:
        store, subject = PostgreSQLStore(pool), record("ada")
        assert store.login(subject, NOW, NOW, None, "").record == subject
        assert store.load(subject.handle) == subject
        assert store.revoke_all(NOW, "all", NOW + 1) == 1
        with pool.connection() as connection:
            mine: object = connection.execute("SELECT 1 AS one").fetchone()
            assert mine == {"one": 1}


def test_an_applications_pool_keeps_our_time_limit_and_not_its_connections(
    postgres_url: str, postgres_server: PostgresServer
) -> None:
    """Two seconds in all, whatever its connections may take; the application waits for them as long as it likes."""
    open_sync(postgres_url, "coatcheck").meet()
    with psycopg_pool.ConnectionPool(postgres_server.url, min_size=1, max_size=1, open=True) as pool:
        store, subject = PostgreSQLStore(pool), record("ada")
        assert store.create(subject, NOW)
        with psycopg.connect(postgres_server.url) as operator:
            operator.execute("SELECT 1 FROM coatcheck_sessions FOR UPDATE")
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="did not answer in time"):
                store.end(subject.handle, None, "logout", NOW)
            assert time.monotonic() - began < 2.2
        assert store.load(subject.handle) is not None
        with pool.connection() as connection:
            assert not {"wait", "deadline"} & set(vars(connection))


@pytest.mark.parametrize("parts", ["conninfo", "kwargs", "functions"])
def test_messages_know_where_a_pool_leads(parts: str) -> None:
    """However it was told; and never its password."""
    known = {"host": "127.0.0.1", "port": 1, "password": "s3cret-pa55"}
    ways: dict[str, dict[str, Any]] = {
        "conninfo": {"conninfo": "host=127.0.0.1 port=1 password=s3cret-pa55"},
        "kwargs": {"kwargs": known | {"prepare_threshold": 3, "autocommit": True}},
        "functions": {"kwargs": lambda: known},
    }
    with psycopg_pool.ConnectionPool(**ways[parts], min_size=0, max_size=1, open=False) as pool:
        store = PostgreSQLStore(pool)
        with pytest.raises(StoreUnavailable) as refused:
            store.load(record("ada").handle)
        where = "a server that the application names" if parts == "functions" else "127.0.0.1:1"
        assert f"PostgreSQL at {where} " in str(refused.value)
        assert "pa55" not in repr(store) + told(refused.value)


def test_a_pool_for_the_other_kind_of_caller_is_refused() -> None:
    """In words that name the one that does."""
    with pytest.raises(ConfigurationError, match=r"psycopg_pool\.AsyncConnectionPool .* no ConnectionPool"):
        AsyncPostgreSQLStore(psycopg_pool.ConnectionPool(open=False))  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"psycopg_pool\.ConnectionPool .* no AsyncConnectionPool"):
        PostgreSQLStore(psycopg_pool.AsyncConnectionPool(open=False))  # type: ignore[arg-type]
