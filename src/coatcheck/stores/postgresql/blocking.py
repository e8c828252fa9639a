"""The store for synchronous callers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row
from psycopg_pool import ConnectionPool

from ... import fork
from ...change import Change
from ...codec import Wire
from ...errors import CoatcheckError
from ...health import Check
from ...moves import Moves
from ...record import Record
from ...store import Held, Login, Stats, Taken
from ...trail import AuditEntry
from .feed import PostgreSQLFeed, connecting
from .given import is_engine, is_replica, limit, target_of, unfit, unlimit
from .health import look
from .moves import Travels
from .plans import More, Plan, Plans, nothing
from .server import CALL, CONNECT, PURGE_BATCH, Server, is_stale
from .trail import Trail
from .url import Target, parse

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from .engines import EnginePool

T = TypeVar("T")


def _check(connection: Any) -> None:
    if is_stale(connection):
        connection.close()  # else the pool would take it back
        raise psycopg.OperationalError("stale")


def _given(target: Any) -> ConnectionPool[Any] | EnginePool | None:
    if isinstance(target, Target | str):
        return None
    if is_engine(target, asynchronous=False):
        from .engines import EnginePool

        return EnginePool(target)
    if not isinstance(target, ConnectionPool):
        raise unfit(target, asynchronous=False)
    return target


class PostgreSQLStore(Moves):
    """Sessions in PostgreSQL 13 or newer. Constructing it does no I/O; the tables are made by `coatcheck migrate`.

    `target` is a URL, or what libpq takes; or the application's own `psycopg_pool.ConnectionPool`, or its `Engine` of
    SQLAlchemy over psycopg 3, which is used as it is, and never closed. Raises `ConfigurationError` for anything else.
    `namespace` is the manager's; `offset` is as in `Store`.
    """

    def __init__(self, target: Target | str | ConnectionPool[Any] | Engine, *, namespace: str = "coatcheck") -> None:
        self._given = _given(target)
        if isinstance(target, str):
            target = parse(target)
        self.target: Target = target if isinstance(target, Target) else target_of(target)
        self.namespace = namespace
        self.offset: float = 0.0
        self._server = Server(self.target, namespace)
        self._plans = Plans(namespace)
        self._travels = Travels(namespace, self._plans)
        self._trail = Trail(namespace)
        self._pool = self._given
        self._lock = threading.Lock()
        fork.watch(self)

    def __repr__(self) -> str:
        return f"<PostgreSQLStore {self._server.where}>"

    def forked(self) -> object:
        """Begin with connections of this process; those before."""
        before, self._pool = self._pool, self._given
        self._lock = threading.Lock()
        return before

    # -- connections -------------------------------------------------------------------------------------

    def _opened(self) -> ConnectionPool[Any] | EnginePool:
        with self._lock:
            if self._pool is None:
                self._pool = self._open()
            elif isinstance(self._pool, ConnectionPool) and self._pool.closed:
                self._pool.open()  # Django opens its own at its first query, which may come after a session
            return self._pool

    def _open(self) -> ConnectionPool[Any]:
        return ConnectionPool(connection_class=connecting(self._server), check=_check, open=True, **self.target.pool)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        deadline, pool = time.monotonic() + CALL, self._opened()
        connection: Any = pool.getconn(timeout=CONNECT)
        was = connection.autocommit
        try:
            if self._given is not None:
                limit(connection)
                if is_replica(connection):
                    connection.close()
                    raise psycopg.errors.ReadOnlySqlTransaction
            connection.deadline = deadline
            connection.autocommit = True
            yield connection
        finally:
            try:
                with suppress(psycopg.Error):
                    if connection.info.transaction_status is not TransactionStatus.IDLE:
                        connection.execute("ROLLBACK")
                    connection.autocommit = was
            finally:
                if self._given is not None:
                    unlimit(connection)
                pool.putconn(connection)

    def _drive(self, plan: Plan[T], now: float | None = None, *, meets: bool = True) -> T:
        """Carry out a plan. `now`: it writes, and every minute one that does tidies up as well."""
        server = self._server
        try:
            with self._connected() as connection:
                if meets and not server.is_met():
                    self._carry(connection, server.meet())
                    self.offset = server.offset
                result = self._carry(connection, plan)
                if now is not None and server.purge_is_due():
                    with suppress(psycopg.Error):
                        server.tidied(self._carry(connection, self._plans.purge(now, PURGE_BATCH)))
        except (psycopg.Error, OSError) as error:
            raise server.plain(error) from None
        return result

    @staticmethod
    def _carry(connection: Any, plan: Plan[T]) -> T:
        try:
            step = next(plan)
            while True:
                if isinstance(step, More):
                    connection.deadline = time.monotonic() + step.seconds
                    step = plan.send(None)
                    continue
                # Without parameters it goes as it is: only so may it be two statements.
                # Of this kind also where the application has its connections make others: its own may not do binary.
                cursor: Any = psycopg.Cursor(connection, row_factory=tuple_row)
                cursor.execute(*step, binary=bool(step.parameters))
                step = plan.send(cursor.fetchall() if cursor.description else cursor.rowcount)
        except StopIteration as done:
            result: T = done.value
            return result

    # -- the contract ------------------------------------------------------------------------------------

    def meet(self) -> None:
        """Check the server and the tables, and measure the clock."""
        self._drive(nothing())

    def _move(self, method: str, *arguments: Any) -> Any:
        return self._drive(getattr(self._travels, method)(*arguments))

    def load(self, handle: str) -> Held:
        return self._drive(self._plans.load(handle))

    def create(self, record: Record, now: float) -> bool:
        return self._drive(self._plans.create(record), now)

    def login(
        self, record: Record, began: float, now: float, limit: int | None, reason: str, replaces: str | None = None
    ) -> Login:
        return self._drive(self._plans.login(record, began, now, limit, reason, replaces), now)

    def commit(self, handle: str, change: Change, now: float) -> Held:
        return self._drive(self._plans.commit(handle, change, now), now)

    def replace(self, handle: str, change: Change, new: Record, now: float) -> Held:
        return self._drive(self._plans.replace(handle, change, new, now), now)

    def end(self, handle: str, user_id: str | None, reason: str, now: float) -> Held:
        return self._drive(self._plans.end(handle, reason, now), now)

    def sessions(self, user_id: str, now: float, limit: int, after: str | None) -> list[Record]:
        return self._drive(self._plans.sessions(user_id, now, limit, after))

    def revoke_user(self, user_id: str, keep: str | None, reason: str, now: float, until: float) -> list[str]:
        return self._drive(self._plans.revoke_user(user_id, keep, reason, now, until))

    def update_user(self, user_id: str, fields: dict[str, Wire], now: float, until: float) -> int:
        return self._drive(self._plans.update_user(user_id, fields, now, until))

    def revoke_all(self, before: float, reason: str, now: float) -> int:
        return self._drive(self._plans.revoke_all(before, reason, now))

    def redeem(self, handle: str, jti: str, nonce: str, note: str, now: float, until: float) -> Taken:
        return self._drive(self._plans.redeem(handle, jti, nonce, note, now, until), now)

    def taken(self, handle: str, jti: str, now: float) -> Taken:
        return self._drive(self._plans.taken(handle, jti, now))

    def purge(self, now: float, batch: int = 500) -> int:
        return self._drive(self._plans.purge(now, batch))

    def stats(self, now: float, within: float | None = None) -> Stats:
        return self._drive(self._plans.stats(now))

    def append(self, entries: list[AuditEntry], keep: float | None) -> None:
        """As `trail.Trails`."""
        self._drive(self._trail.append(entries))

    def entries(self, user_id: str | None, handle: str | None, before: str | None, limit: int) -> list[AuditEntry]:
        """As `trail.Trails`."""
        return self._drive(self._trail.entries(user_id, handle, before, limit))

    def forget(self, keep: float, now: float) -> None:
        """As `trail.Trails`."""
        self._drive(self._trail.forget(now - keep))

    def make_tables(self, *, unlogged: bool = False, feed: bool = False) -> bool:
        """Make the tables, and the trigger that a feed needs, as `coatcheck migrate` does; False if they are there."""
        return self._drive(self._server.make(unlogged=unlogged, feed=feed), meets=False)

    def feed(self) -> PostgreSQLFeed:
        """As `feed.Feeds`."""
        return PostgreSQLFeed(self.target, self.namespace)

    def checks(self) -> Iterator[Check]:
        """Whether the server keeps what sessions need."""
        try:
            yield from self._drive(look(self._server, self.namespace), meets=False)
        except CoatcheckError as error:
            yield Check("fail", "reachable", str(error))

    def close(self) -> None:
        if self._given is None and isinstance(self._pool, ConnectionPool):
            self._pool.close()
            self._pool = None
