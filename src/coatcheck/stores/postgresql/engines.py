"""An engine of SQLAlchemy as a store's pool. Loaded when the application has one.

The engine's own waits cannot be limited from outside: for a free connection they last 30 seconds by default, and a
`pool_pre_ping` of a server that is frozen has no end. So they are left to somebody who may wait, a thread or a task: if
a connection comes too late it goes straight back.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import PoolTimeout
from sqlalchemy import exc
from sqlalchemy.pool import NullPool, QueuePool
from sqlalchemy.util import greenlet_spawn

from ... import fork
from ...errors import ConfigurationError
from .server import is_stale
from .url import POOL_SIZE

if TYPE_CHECKING:
    from sqlalchemy import Engine, PoolProxiedConnection
    from sqlalchemy.ext.asyncio import AsyncEngine


class _Lender:
    """Takes connections out of an engine's pool and gives them back, where waiting harms nobody."""

    def __init__(self, engine: Engine, *, asynchronous: bool) -> None:
        dialect, pool = engine.dialect, engine.pool
        if (dialect.name, dialect.driver, dialect.is_async) != ("postgresql", "psycopg", asynchronous):
            make = "create_async_engine" if asynchronous else "create_engine"
            found = f"{dialect.name}+{dialect.driver}{' for asyncio' if dialect.is_async else ''}"
            raise ConfigurationError(
                f"the engine is one of {found}, and this store needs one of psycopg 3: "
                f'{make}("postgresql+psycopg://..."), or give the store a URL'
            )
        if not isinstance(pool, QueuePool | NullPool):
            raise ConfigurationError(
                f"the engine's {type(pool).__name__} may give out a connection that is in use, with the application's "
                "transaction. Leave out poolclass=, or give the store a URL"
            )
        self.engine = engine
        self._lent: dict[Any, PoolProxiedConnection] = {}

    def check_out(self) -> PoolProxiedConnection:
        """One that is alive, and in no transaction."""
        try:
            lent = self.engine.raw_connection()
            while is_stale(lent.driver_connection):
                lent.invalidate()
                lent = self.engine.raw_connection()
        except exc.TimeoutError as error:
            raise PoolTimeout(str(error)) from None
        except exc.SQLAlchemyError as error:
            raise psycopg.OperationalError(type(error).__name__) from None
        connection: Any = lent.driver_connection
        if connection.info.transaction_status is not TransactionStatus.IDLE:
            lent.close()
            raise ConfigurationError(
                "the engine gives out connections in a transaction: what its pool's events execute they must commit, "
                "and pool_reset_on_return has to stay on"
            )
        return lent

    def note(self, lent: PoolProxiedConnection) -> Any:
        """The driver's connection, for the store."""
        connection = lent.driver_connection
        self._lent[connection] = lent
        return connection

    def check_in(self, connection: Any) -> None:
        """Give it back; one that is broken, or still busy, is closed."""
        lent = self._lent.pop(connection)
        if connection.closed or connection.info.transaction_status is not TransactionStatus.IDLE:
            lent.invalidate()
        else:
            lent.close()

    def forked(self) -> object:
        """What SQLAlchemy asks of a child of fork: a new pool, and not a word to its parent's connections."""
        before = self.engine.pool, self._lent
        self._lent = {}
        self.engine.dispose(close=False)
        return before


class EnginePool:
    """What the store for synchronous callers needs of a pool."""

    def __init__(self, engine: Engine) -> None:
        self._lender = _Lender(engine, asynchronous=False)
        self._threads = self._new_threads()
        fork.watch(self)

    def getconn(self, timeout: float) -> Any:
        """A connection. Raises `PoolTimeout`, `psycopg.Error`, `ConfigurationError`."""
        # The pool's events may look for the request that this is for.
        asked = self._threads.submit(copy_context().run, self._lender.check_out)
        try:
            return self._lender.note(asked.result(timeout))
        except BaseException as error:
            if not asked.cancel():
                asked.add_done_callback(_given_up)
            if isinstance(error, TimeoutError):
                raise PoolTimeout("no connection in time") from None
            raise

    def putconn(self, connection: Any) -> None:
        """Give it back."""
        self._lender.check_in(connection)

    def forked(self) -> object:
        """As `fork.Forkable`."""
        before, self._threads = self._threads, self._new_threads()
        return before, self._lender.forked()

    @staticmethod
    def _new_threads() -> ThreadPoolExecutor:
        return ThreadPoolExecutor(POOL_SIZE, thread_name_prefix="coatcheck-engine")


def _given_up(asked: Future[PoolProxiedConnection]) -> None:
    if asked.exception() is None:
        asked.result().close()


class AsyncEnginePool:
    """What the store for asynchronous callers needs of a pool."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._lender = _Lender(engine.sync_engine, asynchronous=True)
        self._tasks: set[asyncio.Task[Any]] = set()
        fork.watch(self)

    async def getconn(self, timeout: float) -> Any:  # noqa: ASYNC109 (the pool's)
        """A connection. Raises `PoolTimeout`, `psycopg.Error`, `ConfigurationError`."""
        asked = self._start(greenlet_spawn(self._lender.check_out))
        connection: Any = None
        try:
            # Not asyncio.timeout: a driver that is cancelled asks the server to cancel, and waits for it.
            done, _ = await asyncio.wait({asked}, timeout=timeout)
            connection = self._lender.note(asked.result()) if done else None
        finally:
            if connection is None:
                asked.cancel()
                asked.add_done_callback(self._given_up)
        if connection is None:
            raise PoolTimeout("no connection in time")
        return connection

    async def putconn(self, connection: Any) -> None:
        """Give it back."""
        await greenlet_spawn(self._lender.check_in, connection)

    def forked(self) -> object:
        """As `fork.Forkable`."""
        before, self._tasks = self._tasks, set()
        return before, self._lender.forked()

    def _start(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _given_up(self, asked: asyncio.Task[PoolProxiedConnection]) -> None:
        if not asked.cancelled() and asked.exception() is None:
            self._start(greenlet_spawn(asked.result().close))
