"""An engine of SQLAlchemy that the application has, as the PostgreSQL store's pool."""

from __future__ import annotations

import asyncio
import multiprocessing
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AssertionPool, NullPool, SingletonThreadPool, StaticPool

from coatcheck.change import Change
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.record import Ended
from coatcheck.stores.postgresql import AsyncPostgreSQLStore, PostgreSQLStore, schema
from coatcheck.token import new_handle
from tests.faults.cast import until
from tests.records import DAY, NOW, record
from tests.servers import PostgresServer
from tests.stores.faulty import told

pytestmark = pytest.mark.postgresql

IN_ALL = 2.2
"""Seconds that any call may take, with a little for a busy machine."""


def url_of(server: PostgresServer) -> str:
    return server.url.replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture
def url(postgres_server: PostgresServer, postgres_url: str) -> str:
    """As SQLAlchemy writes it, of a database with our tables."""
    postgres_server.sql(schema())
    return url_of(postgres_server)


@contextmanager
def engine(url: str, **options: Any) -> Iterator[Engine]:
    """One that is disposed of."""
    made = create_engine(url, **options)
    try:
        yield made
    finally:
        made.dispose()


class Over:
    """A store over an engine, and what both kinds of caller do with it."""

    def __init__(self, mode: str, url: str, **options: Any) -> None:
        self.runner = asyncio.Runner()
        self.store: Any
        if mode == "sync":
            self.engine = create_engine(url, **options)
            self.store = PostgreSQLStore(self.engine)
        else:
            self.outer = create_async_engine(url, **options)
            self.engine = self.outer.sync_engine
            self.store = AsyncPostgreSQLStore(self.outer)
        self.mode = mode

    def call(self, method: str, *arguments: Any) -> Any:
        done = getattr(self.store, method)(*arguments)
        return done if self.mode == "sync" else self.runner.run(done)

    def load(self, handle: str) -> Any:
        return self.call("load", handle)

    @contextmanager
    def busy(self) -> Iterator[Any]:
        """The application has a connection, in a transaction."""
        if self.mode == "sync":
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
                yield connection
        else:
            held = self.runner.run(self._begun())
            yield held.sync_connection
            self.runner.run(held.close())

    async def _begun(self) -> Any:
        connection = await self.outer.connect()
        await connection.execute(text("SELECT 1"))
        return connection

    def ask(self, statement: str) -> Any:
        """The application's own query."""
        if self.mode == "sync":
            with self.engine.connect() as connection:
                return connection.scalar(text(statement))

        async def asked() -> Any:
            async with self.outer.connect() as connection:
                return await connection.scalar(text(statement))

        return self.runner.run(asked())

    def free(self) -> bool:
        """Whether no connection is away."""
        if self.mode == "async":
            self.runner.run(asyncio.sleep(0.01))
        return bool(self.engine.pool.checkedout() == 0)  # type: ignore[attr-defined]

    def close(self) -> None:
        if self.mode == "sync":
            self.engine.dispose()
        else:
            self.runner.run(self.outer.dispose())
        self.runner.close()


MakeOver = Callable[..., Over]


@pytest.fixture(params=["sync", "async"])
def over(request: pytest.FixtureRequest) -> Iterator[MakeOver]:
    """Makes a store over an engine of either kind."""
    made: list[Over] = []

    def make(url: str, **options: Any) -> Over:
        made.append(Over(request.param, url, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


# -- the application's own -------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"isolation_level": "AUTOCOMMIT"}], ids=["plain", "autocommit"])
def test_connections_are_given_back_as_they_were_found(url: str, over: MakeOver, options: dict[str, Any]) -> None:
    """Autocommit, waits without our limit, and no transaction; and the store's end is not the engine's."""
    ours, subject = over(url, pool_size=1, max_overflow=0, **options), record("ada")
    found = ours.ask("SELECT pg_backend_pid()")
    assert ours.call("login", subject, NOW, NOW, None, "").record == subject
    assert ours.load(subject.handle) == subject
    ours.call("close")
    assert ours.free()
    assert ours.ask("SELECT pg_backend_pid()") == found
    lent: list[Any] = []
    event.listen(ours.engine, "checkout", lambda connection, record, _: lent.append(record.driver_connection))
    assert ours.ask("SELECT 1") == 1
    assert lent[0].autocommit is bool(options)
    assert not {"wait", "deadline"} & set(vars(lent[0]))


def test_a_rollback_of_the_applications_does_not_undo_a_logout(url: str, over: MakeOver) -> None:
    """A call has a connection of its own, also while the application is in a transaction."""
    ours, subject = over(url), record("ada")
    ours.call("login", subject, NOW, NOW, None, "")
    with ours.busy():
        assert ours.call("end", subject.handle, "ada", "logout", NOW) == subject
    assert ours.load(subject.handle) == Ended("logout", NOW)
    assert ours.call("commit", subject.handle, Change(set={"n": 1}), NOW) == Ended("logout", NOW)


def test_what_the_applications_engine_makes_cursors_of_is_its_own_affair(url: str, over: MakeOver) -> None:
    """A client-side cursor, as Django's, does no binary answers."""
    ours, subject = over(url), record("ada")
    own: Any = psycopg.ClientCursor if ours.mode == "sync" else psycopg.AsyncClientCursor
    event.listen(ours.engine, "checkout", lambda _, lent, __: setattr(lent.driver_connection, "cursor_factory", own))
    ours.call("login", subject, NOW, NOW, None, "")
    assert ours.load(subject.handle) == subject


_tenant: ContextVar[str] = ContextVar("_tenant")


def test_the_pools_events_see_the_request_that_asks(url: str, over: MakeOver) -> None:
    """Its context, as of Flask's `g`: an event that looks for it there would fail on a thread of ours."""
    ours, seen = over(url), list[str]()
    event.listen(ours.engine, "checkout", lambda *_: seen.append(_tenant.get()))
    set_to = _tenant.set("acme")
    ours.load(new_handle(None))
    _tenant.reset(set_to)
    assert seen == ["acme"]


def test_an_engine_without_a_pool_does_as_well(url: str, over: MakeOver) -> None:
    """Each call connects anew, and hangs up."""
    ours, subject = over(url, poolclass=NullPool), record("ada")
    ours.call("login", subject, NOW, NOW, None, "")
    assert ours.load(subject.handle) == subject


# -- time ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patience", [30, 0.1])
def test_an_exhausted_pool_is_given_up_in_time(url: str, over: MakeOver, patience: float) -> None:
    """SQLAlchemy's own patience is 30 seconds; and a connection that comes too late goes straight back."""
    ours, handle = over(url, pool_size=1, max_overflow=0, pool_timeout=patience), new_handle(None)
    kept: list[Any] = []
    assert ours.load(handle) is None
    # Else SQLAlchemy would take back what nobody holds any more.
    event.listen(ours.engine, "checkout", lambda *given: kept.append(given))
    with ours.busy():
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="no connection free"):
            ours.load(handle)
        assert time.monotonic() - began < IN_ALL
    late = ours.mode == "sync" and patience > 1  # a task is cancelled, a thread goes on waiting
    until(lambda: len(kept) == 1 + late and ours.free())
    assert ours.load(handle) is None


def test_many_who_wait_for_an_exhausted_pool_all_hear_in_time(url: str) -> None:
    """Also those for whom there is no thread to wait on; when it is free again, all is well, at once."""
    before = {*threading.enumerate()}  # another test's may be on its way out
    with engine(url, pool_size=1, max_overflow=0) as made:
        store, waits = PostgreSQLStore(made), list[float]()

        def work(_: int) -> None:
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                store.load(new_handle(None))
            waits.append(time.monotonic() - began)

        with made.connect(), ThreadPoolExecutor(40) as threads:
            list(threads.map(work, range(40)))
        assert max(waits) < IN_ALL
        assert store.load(new_handle(None)) is None
        until(lambda: made.pool.checkedout() == 0)  # type: ignore[attr-defined]
        ours = {one for one in threading.enumerate() if one.name.startswith("coatcheck-engine")}
        assert len(ours - before) <= 10


@pytest.fixture(scope="module")
def own() -> Iterator[PostgresServer]:
    """A server of this module's own, to be paused and stopped."""
    with PostgresServer() as server:
        server.sql(schema())
        yield server


@pytest.mark.parametrize("options", [{}, {"pool_pre_ping": True}, {"pool_size": 1}], ids=["plain", "ping", "connects"])
def test_a_paused_server_is_given_up_within_two_seconds(
    own: PostgresServer, over: MakeOver, options: dict[str, Any]
) -> None:
    """While it answers a query, a ping of SQLAlchemy's, or a new connection; when it goes on, so do we."""
    ours, handle = over(url_of(own), **options), new_handle(None)
    if "pool_size" not in options:
        assert ours.load(handle) is None
    own.pause()
    try:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"did not answer in time|no connection"):
            ours.load(handle)
        assert time.monotonic() - began < IN_ALL
    finally:
        own.resume()
    until(ours.free)
    assert ours.load(handle) is None


def test_a_wait_for_a_connection_is_a_part_of_the_two_seconds(own: PostgresServer, over: MakeOver) -> None:
    """A connection that comes late leaves less time to the query."""
    ours, subject = over(url_of(own)), record()
    ours.call("create", subject, NOW)

    @event.listens_for(ours.engine, "checkout")
    def slow(*_: Any) -> None:
        time.sleep(0.5)

    with psycopg.connect(own.url) as operator:
        operator.execute("SELECT 1 FROM coatcheck_sessions FOR UPDATE")
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="did not answer in time"):
            ours.call("end", subject.handle, None, "logout", NOW)
        assert time.monotonic() - began < IN_ALL


# -- what breaks -----------------------------------------------------------------------------------------------


def test_a_server_that_was_restarted_fails_no_request(own: PostgresServer, over: MakeOver) -> None:
    """All idle connections of the pool are dead: each is noticed before anything is sent, and invalidated."""
    ours, handle = over(url_of(own), pool_size=3), new_handle(None)
    with ours.busy(), ours.busy():
        assert ours.load(handle) is None
    own.stop()
    own.start()
    assert ours.load(handle) is None
    own.kill()
    with pytest.raises(StoreUnavailable, match=r"cannot be reached|is shutting down or starting"):
        ours.load(handle)
    own.start()
    assert ours.load(handle) is None
    assert ours.free()


def test_a_connection_that_breaks_in_a_call_is_not_given_back(own: PostgresServer, over: MakeOver) -> None:
    """The application's next query has one that works: of those that were cut, and of those that did not answer. Also
    where SQLAlchemy does not look at what comes back."""
    ours, subject = over(url_of(own), pool_size=1, max_overflow=0, pool_reset_on_return=None), record()
    ours.call("create", subject, NOW)
    first = ours.ask("SELECT pg_backend_pid()")
    with psycopg.connect(own.url) as operator:
        operator.execute("SELECT 1 FROM coatcheck_sessions FOR UPDATE")
        with pytest.raises(StoreUnavailable, match="did not answer in time"):
            ours.call("end", subject.handle, None, "logout", NOW)
        assert ours.free()
        second = ours.ask("SELECT pg_backend_pid()")
        assert second != first
        cut = threading.Timer(0.3, own.sql, ("SELECT pg_terminate_backend(%s)", second))
        cut.start()
        with pytest.raises(StoreUnavailable):
            ours.call("end", subject.handle, None, "logout", NOW)
        cut.join()
    assert ours.free()
    assert ours.ask("SELECT 1") == 1


def test_a_replica_is_never_read(own: PostgresServer, over: MakeOver) -> None:
    """Neither after a failover, when the engine's new connections lead to one: it may not know who was ended."""
    ours, handle = over(url_of(own)), new_handle(None)
    assert ours.load(handle) is None
    signal = own.folder / "data" / "standby.signal"
    own.stop()
    signal.touch()
    own.start()
    try:
        with pytest.raises(StoreUnavailable, match="replica"):
            ours.load(handle)
    finally:
        own.stop()
        signal.unlink()
        own.start()
    assert ours.load(handle) is None


def test_a_request_that_is_cancelled_gives_the_connection_back(url: str) -> None:
    """Wherever it is: before it has one, between two statements, at the end. It is fit, and nothing is locked."""

    async def main() -> None:
        made = create_async_engine(url, pool_size=1, max_overflow=0)
        store, subject = AsyncPostgreSQLStore(made), record("ada")
        await store.login(subject, NOW, NOW, None, "")
        for turn in range(60):
            task: asyncio.Task[Any] = asyncio.create_task(store.login(record("ada"), NOW, NOW, None, ""))
            for _ in range(turn):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        # Also of those that wait.
        async with made.connect():
            waiting = [asyncio.create_task(store.load(subject.handle)) for _ in range(5)]
            await asyncio.sleep(0.05)
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        assert await store.commit(subject.handle, Change(set={"n": 1}), NOW)
        await store.revoke_user("ada", None, "revoked", NOW + 1, NOW + DAY)
        assert await store.sessions("ada", NOW + 1, 100, None) == []
        assert made.pool.checkedout() == 0  # type: ignore[attr-defined]
        await made.dispose()

    asyncio.run(main())


def _in_a_child(store: Any, handle: str, results: Any) -> None:
    results.put((store.load(handle) is not None, store._drive(_pid())))


def _pid() -> Any:
    from coatcheck.stores.postgresql.plans import Ask

    rows = yield Ask("SELECT pg_backend_pid()")
    return rows[0][0]


def test_a_child_of_fork_has_connections_of_its_own(url: str) -> None:
    """As `engine.dispose(close=False)` has it, which SQLAlchemy asks of each child, and nobody can forget."""
    with engine(url) as made:
        store, subject = PostgreSQLStore(made), record("ada")
        store.login(subject, NOW, NOW, None, "")
        before = store._drive(_pid())
        context = multiprocessing.get_context("fork")
        results = context.SimpleQueue()
        for _ in range(2):
            child = context.Process(target=_in_a_child, args=(store, subject.handle, results))
            child.start()
            child.join(20)
            there, inside = results.get()
            assert there
            assert inside != before
        # It is neither closed nor talked to.
        assert store._drive(_pid()) == before
        assert store.load(subject.handle) == subject


# -- refused ---------------------------------------------------------------------------------------------------


class _Dialect:
    """As of a driver that is not installed here."""

    def __init__(self, name: str, driver: str) -> None:
        self.name, self.driver, self.is_async = name, driver, False


@pytest.mark.parametrize(
    ("name", "driver"), [("postgresql", "psycopg2"), ("postgresql", "asyncpg"), ("cockroachdb", "psycopg")]
)
def test_a_driver_that_is_not_psycopg_3_is_refused_with_the_remedy(name: str, driver: str) -> None:
    """When the store is made, not at the first request."""
    made = create_engine("postgresql+psycopg://u:s3cret@db/x")
    made.dialect = _Dialect(name, driver)  # type: ignore[assignment]
    with pytest.raises(ConfigurationError, match=r"postgresql\+psycopg://") as refused:
        PostgreSQLStore(made)
    assert "s3cret" not in told(refused.value)


def test_a_database_of_another_kind_is_refused_with_the_remedy() -> None:
    """SQLite, of either kind."""
    with pytest.raises(ConfigurationError, match=r"sqlite\+pysqlite.* create_engine\(\"postgresql\+psycopg://"):
        PostgreSQLStore(create_engine("sqlite://"))


def test_an_engine_for_the_other_kind_of_caller_is_refused() -> None:
    """Each in words that name the one that does."""
    blocking = create_engine("postgresql+psycopg://u:s3cret@db/x")
    awaited = create_async_engine("postgresql+psycopg://u:s3cret@db/x")
    with pytest.raises(ConfigurationError, match="an AsyncEngine of SQLAlchemy, and no Engine"):
        AsyncPostgreSQLStore(blocking)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="an Engine of SQLAlchemy, and no AsyncEngine"):
        PostgreSQLStore(awaited)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"psycopg for asyncio, .* create_engine\("):
        PostgreSQLStore(awaited.sync_engine)


@pytest.mark.parametrize("pool", [StaticPool, SingletonThreadPool, AssertionPool])
def test_a_pool_that_lends_what_is_in_use_is_refused(pool: Any) -> None:
    """Its connection may be in the application's transaction: a rollback there would undo a logout."""
    with pytest.raises(ConfigurationError, match=f"{pool.__name__}.*poolclass="):
        PostgreSQLStore(create_engine("postgresql+psycopg://u:s3cret@db/x", poolclass=pool))


def test_a_single_connection_is_refused(postgres_server: PostgresServer) -> None:
    """The driver's, and SQLAlchemy's: it is in the application's transaction."""
    with engine(url_of(postgres_server)) as made, made.connect() as connection:
        driver = connection.connection.driver_connection
        for one in (connection, driver):
            with pytest.raises(ConfigurationError, match="transaction"):
                PostgreSQLStore(one)  # type: ignore[arg-type]


def test_an_event_that_leaves_a_transaction_open_is_refused_by_name(url: str, over: MakeOver) -> None:
    """What it began is not ours to end, and nothing of ours may be in it."""
    ours = over(url)

    @event.listens_for(ours.engine, "checkout")
    def begin(connection: Any, *_: Any) -> None:
        connection.cursor().execute("SET search_path = public")

    with pytest.raises(ConfigurationError, match="in a transaction"):
        ours.load(new_handle(None))
    assert ours.free()


def test_an_event_that_has_no_connection_to_give_is_an_outage(url: str, over: MakeOver) -> None:
    """SQLAlchemy's own errors are no surprise: a request gets a 503."""
    ours = over(url)

    @event.listens_for(ours.engine, "checkout")
    def refuse(*_: Any) -> None:
        raise DisconnectionError

    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        ours.load(new_handle(None))
    assert ours.free()


def test_messages_name_the_server_and_no_password(over: MakeOver) -> None:
    """Nor does what a debugger shows."""
    ours = over("postgresql+psycopg://u:s3cret-pa55@127.0.0.1:1/x?connect_timeout=2")
    with pytest.raises(StoreUnavailable, match=r"PostgreSQL at 127\.0\.0\.1:1 cannot be reached") as refused:
        ours.load(new_handle(None))
    assert "pa55" not in told(refused.value) + repr(ours.store)


def test_a_store_without_an_engine_does_not_import_sqlalchemy() -> None:
    """It is not a dependency."""
    code = (
        "import sys; from psycopg_pool import ConnectionPool; from coatcheck.stores.postgresql import *; "
        "PostgreSQLStore('postgresql://h/x'); AsyncPostgreSQLStore('postgresql://h/x'); "
        "PostgreSQLStore(ConnectionPool(open=False)); print('sqlalchemy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
