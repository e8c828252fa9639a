"""The store for asynchronous callers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool

from ... import fork
from ...change import Change
from ...codec import Wire
from ...moves import AsyncMoves
from ...record import Record
from ...store import Held, Login, Stats, Taken
from .feed import PostgreSQLFeed
from .given import is_engine, is_replica, limit, target_of, unfit, unlimit
from .moves import Travels
from .plans import More, Plan, Plans, nothing
from .server import CALL, CONNECT, PURGE_BATCH, Server, is_stale, left
from .url import Target, parse

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from .blocking import PostgreSQLStore
    from .engines import AsyncEnginePool

T = TypeVar("T")


class _Connection(psycopg.AsyncConnection[Any]):
    """One whose every wait is over at a deadline (monotonic)."""

    server: ClassVar[Server]
    deadline = 0.0

    @classmethod
    async def connect(cls, *arguments: Any, **keywords: Any) -> Any:
        """As the driver's; the pool keeps to itself why it fails."""
        try:
            made = await super().connect(*arguments, **keywords)
        except psycopg.Error as error:
            cls.server.refusal = error
            raise
        cls.server.refusal = None
        return made

    async def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:  # noqa: ASYNC109 (the driver's)
        """As the driver's."""
        if timeout is None:
            timeout = left(self.deadline)
        return await super().wait(gen, interval, timeout)


async def _check(connection: Any) -> None:
    if is_stale(connection):
        await connection.close()  # else the pool would take it back
        raise psycopg.OperationalError("stale")


def _given(target: Any) -> AsyncConnectionPool[Any] | AsyncEnginePool | None:
    if isinstance(target, Target | str):
        return None
    if is_engine(target, asynchronous=True):
        from .engines import AsyncEnginePool

        return AsyncEnginePool(target)
    if not isinstance(target, AsyncConnectionPool):
        raise unfit(target, asynchronous=True)
    return target


class AsyncPostgreSQLStore(AsyncMoves):
    """Sessions in PostgreSQL 13 or newer. Constructing it does no I/O; the tables are made by `coatcheck migrate`.

    `target` is a URL, or what libpq takes; or the application's own `psycopg_pool.AsyncConnectionPool`, or its
    `AsyncEngine` of SQLAlchemy over psycopg 3, which is used as it is, and never closed. Raises `ConfigurationError`
    for anything else.
    `namespace` is the manager's; `offset` is as in `Store`.
    """

    def __init__(
        self, target: Target | str | AsyncConnectionPool[Any] | AsyncEngine, *, namespace: str = "coatcheck"
    ) -> None:
        self._given = _given(target)
        if isinstance(target, str):
            target = parse(target)
        self.target: Target = target if isinstance(target, Target) else target_of(target)
        self.namespace = namespace
        self.offset: float = 0.0
        self._server = Server(self.target, namespace)
        self._plans = Plans(namespace)
        self._travels = Travels(namespace, self._plans)
        self._pools: dict[asyncio.AbstractEventLoop, AsyncConnectionPool[Any]] = {}
        fork.watch(self)

    def __repr__(self) -> str:
        return f"<AsyncPostgreSQLStore {self._server.where}>"

    def twin(self) -> PostgreSQLStore | None:
        """As `health.HasTwin`."""
        from .blocking import PostgreSQLStore

        return PostgreSQLStore(self.target, namespace=self.namespace) if self._given is None else None

    def forked(self) -> object:
        """Begin with connections of this process; those before."""
        before, self._pools = self._pools, {}
        return before

    # -- connections -------------------------------------------------------------------------------------

    async def _opened(self) -> AsyncConnectionPool[Any] | AsyncEnginePool:
        if self._given is not None:
            return self._given
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            kind = type("Connection", (_Connection,), {"server": self._server})
            pool = self._pools[loop] = AsyncConnectionPool(
                connection_class=kind, check=_check, open=False, **self.target.pool
            )
        if pool.closed:
            await pool.open()
        return pool

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        deadline, pool = time.monotonic() + CALL, await self._opened()
        connection: Any = await pool.getconn(timeout=CONNECT)
        was = connection.autocommit
        try:
            if self._given is not None:
                limit(connection)
                if is_replica(connection):
                    await connection.close()
                    raise psycopg.errors.ReadOnlySqlTransaction
            connection.deadline = deadline
            if not was:
                await connection.set_autocommit(True)
            yield connection
        finally:
            try:
                with suppress(psycopg.Error):
                    if connection.info.transaction_status is not TransactionStatus.IDLE:
                        await connection.execute("ROLLBACK")
                    if not was:
                        await connection.set_autocommit(False)
            finally:
                if self._given is not None:
                    unlimit(connection)
                # Whatever cancels this: a connection that does not come back is one fewer for ever.
                await asyncio.shield(pool.putconn(connection))

    async def _drive(self, plan: Plan[T], now: float | None = None) -> T:
        """Carry out a plan. `now`: it writes, and every minute one that does tidies up as well."""
        server = self._server
        try:
            async with self._connected() as connection:
                if not server.is_met():
                    await self._carry(connection, server.meet())
                    self.offset = server.offset
                result = await self._carry(connection, plan)
                if now is not None and server.purge_is_due():
                    with suppress(psycopg.Error):
                        server.tidied(await self._carry(connection, self._plans.purge(now, PURGE_BATCH)))
        except (psycopg.Error, OSError) as error:
            raise server.plain(error) from None
        return result

    @staticmethod
    async def _carry(connection: Any, plan: Plan[T]) -> T:
        try:
            step = next(plan)
            while True:
                if isinstance(step, More):
                    connection.deadline = time.monotonic() + step.seconds
                    step = plan.send(None)
                    continue
                # Without parameters it goes as it is: only so may it be two statements.
                cursor: Any = psycopg.AsyncCursor(connection, row_factory=tuple_row)
                await cursor.execute(*step, binary=bool(step.parameters))
                step = plan.send(await cursor.fetchall() if cursor.description else cursor.rowcount)
        except StopIteration as done:
            result: T = done.value
            return result

    # -- the contract ------------------------------------------------------------------------------------

    async def meet(self) -> None:
        """Check the server and the tables, and measure the clock."""
        await self._drive(nothing())

    async def _move(self, method: str, *arguments: Any) -> Any:
        return await self._drive(getattr(self._travels, method)(*arguments))

    async def load(self, handle: str) -> Held:
        return await self._drive(self._plans.load(handle))

    async def create(self, record: Record, now: float) -> bool:
        return await self._drive(self._plans.create(record), now)

    async def login(
        self, record: Record, began: float, now: float, limit: int | None, reason: str, replaces: str | None = None
    ) -> Login:
        return await self._drive(self._plans.login(record, began, now, limit, reason, replaces), now)

    async def commit(self, handle: str, change: Change, now: float) -> Held:
        return await self._drive(self._plans.commit(handle, change, now), now)

    async def replace(self, handle: str, change: Change, new: Record, now: float) -> Held:
        return await self._drive(self._plans.replace(handle, change, new, now), now)

    async def end(self, handle: str, user_id: str | None, reason: str, now: float) -> Held:
        return await self._drive(self._plans.end(handle, reason, now), now)

    async def sessions(self, user_id: str, now: float, limit: int, after: str | None) -> list[Record]:
        return await self._drive(self._plans.sessions(user_id, now, limit, after))

    async def revoke_user(self, user_id: str, keep: str | None, reason: str, now: float, until: float) -> list[str]:
        return await self._drive(self._plans.revoke_user(user_id, keep, reason, now, until))

    async def update_user(self, user_id: str, fields: dict[str, Wire], now: float, until: float) -> int:
        return await self._drive(self._plans.update_user(user_id, fields, now, until))

    async def revoke_all(self, before: float, reason: str, now: float) -> int:
        return await self._drive(self._plans.revoke_all(before, reason, now))

    async def redeem(self, handle: str, jti: str, nonce: str, note: str, now: float, until: float) -> Taken:
        return await self._drive(self._plans.redeem(handle, jti, nonce, note, now, until), now)

    async def taken(self, handle: str, jti: str, now: float) -> Taken:
        return await self._drive(self._plans.taken(handle, jti, now))

    async def purge(self, now: float, batch: int = 500) -> int:
        return await self._drive(self._plans.purge(now, batch))

    async def stats(self, now: float, within: float | None = None) -> Stats:
        return await self._drive(self._plans.stats(now))

    def feed(self) -> PostgreSQLFeed:
        """As `feed.Feeds`."""
        return PostgreSQLFeed(self.target, self.namespace)

    async def close(self) -> None:
        """Close this event loop's connections; it can be used again afterwards."""
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.close()
