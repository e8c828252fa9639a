"""The managers: what an application creates once. Sync and async are thin drivers of the same engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from .engine import KEEP, Commit, Plan
from .errors import SessionDataError, StoreUnavailable
from .info import Client, ClientSource, SessionInfo
from .managing import Managing
from .offload import on_thread
from .session import Session, UserId
from .store import AsyncMeets, AsyncStore, Meets, Stats, Store
from .tickets import AsyncTickets, Tickets
from .trail import AuditEntry
from .watch import AsyncWatch, Watch

T = TypeVar("T")


def _instant(before: datetime | None) -> float | None:
    if before is not None and before.tzinfo is None:
        raise ValueError("before needs a time zone: datetime.now(UTC)")
    return None if before is None else before.timestamp()


class SessionManager(Managing[Store]):
    """Sessions for synchronous code: WSGI, scripts, workers. Safe to share between threads, and after a fork."""

    _opener = "open_sync"

    tickets: Tickets
    """Issues and redeems short-lived, single-use JWTs."""

    def _begin(self) -> None:
        self.tickets = Tickets(self.ticket_engine, self._drive)

    def _meet(self) -> None:
        """Let a store that has a clock of its own compare ours, before anything is computed from it."""
        if isinstance(self.store, Meets):
            self.store.meet()
        self._unmet = False

    def _drive(self, plan: Plan[T]) -> T:
        if self._unmet:
            self._meet()
        try:
            method, arguments = next(plan)
            while True:
                try:
                    result = getattr(self.store, method)(*arguments)
                except (StoreUnavailable, SessionDataError) as error:
                    method, arguments = plan.throw(error)
                else:
                    if self.hearing.near is not None:
                        self.hearing.near.wrote(method, arguments, result)
                    method, arguments = plan.send(result)
        except StopIteration as done:
            value: T = done.value
            return value

    def carry_out(self, plan: Plan[T]) -> T:
        """Carry out a plan over this manager's store: what an integration adds to the verbs below."""
        return self._drive(plan)

    def load(
        self,
        token: str | None,
        client: ClientSource = None,
        *,
        began: float | None = None,
        held: float = 0.0,
        fresh: bool = False,
    ) -> Session:
        """The session that a token names; an anonymous one for None, a bad token or an ended session.

        `began` is the request's arrival in seconds since the epoch, where the load comes later than that;
        `held` the seconds for which a proxy may have kept it before that, as nginx keeps an upload. `fresh`: not from
        the near cache, as for a request that may write.
        Raises `StoreUnavailable` when the store does not answer, never for a bad token.
        """
        engine, near = self.engine, self.hearing.near
        session, shown = engine.begin(token, client, began, held, None if fresh else near)
        if shown is None:
            return session
        if self._unmet:
            self._meet()
        if near is None:
            value = self.store.load(shown.handle)
        else:
            mark = self.hearing.reading(near, shown.handle)
            value = self.store.load(shown.handle)
            near.keep(mark, shown.handle, value)
        if not engine.admit(session, shown, value):
            self._drive(engine.turn_away(session, shown, value))
        return session

    def commit(self, session: Session, *, failed: bool = False) -> Commit:
        """Store what changed, and say what to tell the client. `failed`: the request failed, so nothing but a
        logout happens.

        Raises `SessionEnded` for a write after the session's end, `ReauthenticationRequired` for a login
        that `revoke_user` overtook, `SessionDataError`, `StoreUnavailable`.
        """
        if self.engine.idle(session):
            return KEEP
        return self._drive(self.engine.commit(session, failed))

    @contextmanager
    def open(self, token: str | None, client: Client | None = None) -> Iterator[Session]:
        """Load, and commit unless the block raises: for scripts. The commit's outcome is not returned, so use
        it where the client's token need not change."""
        session = self.load(token, client)
        yield session
        self.commit(session)

    def sessions(
        self,
        user_id: UserId,
        limit: int = 100,
        after: str | None = None,
        current: Session | str | None = None,
    ) -> list[SessionInfo]:
        """The user's live sessions, newest first; `after` (a handle) continues a list, `current` is marked."""
        return self._drive(self._directory.sessions(user_id, limit, after, current))

    def info(self, handle: str) -> SessionInfo | None:
        """A live session by its handle, or None."""
        return self._drive(self._directory.info(handle))

    def revoke(
        self, handle: str, reason: str = "revoked", user_id: UserId | None = None, *, by: str | None = None
    ) -> bool:
        """End one session, at once; False if none was live. `user_id`: only if it is that user's, for pages. `by`: who
        does it, for the audit trail; None says nothing."""
        return self._drive(self._directory.revoke(handle, reason, user_id, by))

    def revoke_user(
        self, user_id: UserId, keep: Session | str | None = None, reason: str = "revoked", *, by: str | None = None
    ) -> int:
        """End all of a user's sessions, at once, and refuse logins that arrived before; how many ended.

        `keep` spares one: a Session (also one about to log in) or a handle. `by`: as in `revoke`.
        """
        return self._drive(self._directory.revoke_user(user_id, keep, reason, by))

    def revoke_all(self, before: datetime | None = None, reason: str = "revoked", *, by: str | None = None) -> int:
        """End every session created up to `before` (None: now); how many. `by`: as in `revoke`."""
        return self._drive(self._directory.revoke_all(_instant(before), reason, by))

    def update_user(self, user_id: UserId, fields: Mapping[str, Any]) -> int:
        """Write fields into all of a user's live sessions, and logins of the next minute; how many sessions."""
        return self._drive(self._directory.update_user(user_id, dict(fields)))

    def watch(self, session: Session | str) -> Watch:
        """Learn when a stored session (or the one with that handle) has ended, for a stream that is open for long."""
        return Watch(self.hearing.watches, self.hearing.watched(session), self.store.load, self.engine.now)

    def purge(self) -> int:
        """Delete what is over and forgotten, in small batches; how many rows."""
        return self._drive(self._directory.purge())

    def stats(self, *, within: float | None = None) -> Stats:
        """Counts of the whole namespace, all of them exact; may be slow on a large Redis.

        `within` (seconds): where that takes much longer, look at a part for about so long and estimate; `exact` says
        whether that was so.
        """
        return self._drive(self._directory.stats(within))

    def history(
        self,
        user_id: UserId | None = None,
        handle: str | None = None,
        *,
        limit: int = 100,
        before: str | None = None,
    ) -> list[AuditEntry]:
        """What the audit trail has of a user, of a session, or of everybody: see `AuditTrail.entries`.

        Raises `ConfigurationError` for a manager without `audit`.
        """
        return self._trail().entries(user_id, handle, limit=limit, before=before)

    def close(self) -> None:
        """Give the connections back."""
        if self.audit is not None:
            self.audit.close()
        self.hearing.close()
        self.store.close()

    def __enter__(self) -> SessionManager:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncSessionManager(Managing[AsyncStore]):
    """Sessions for asynchronous code: the same constructor, the same methods, awaited."""

    _opener = "open_async"

    tickets: AsyncTickets
    """Issues and redeems short-lived, single-use JWTs."""

    def _begin(self) -> None:
        self.tickets = AsyncTickets(self.ticket_engine, self._drive)

    async def _meet(self) -> None:
        """As `SessionManager._meet`."""
        if isinstance(self.store, AsyncMeets):
            await self.store.meet()
        self._unmet = False

    async def _drive(self, plan: Plan[T]) -> T:
        if self._unmet:
            await self._meet()
        try:
            method, arguments = next(plan)
            while True:
                try:
                    result = await getattr(self.store, method)(*arguments)
                except (StoreUnavailable, SessionDataError) as error:
                    method, arguments = plan.throw(error)
                else:
                    if self.hearing.near is not None:
                        self.hearing.near.wrote(method, arguments, result)
                    method, arguments = plan.send(result)
        except StopIteration as done:
            value: T = done.value
            return value

    async def carry_out(self, plan: Plan[T]) -> T:
        """As `SessionManager.carry_out`."""
        return await self._drive(plan)

    async def load(
        self,
        token: str | None,
        client: ClientSource = None,
        *,
        began: float | None = None,
        held: float = 0.0,
        fresh: bool = False,
    ) -> Session:
        """As `SessionManager.load`."""
        engine, near = self.engine, self.hearing.near
        session, shown = engine.begin(token, client, began, held, None if fresh else near)
        if shown is None:
            return session
        if self._unmet:
            await self._meet()
        if near is None:
            value = await self.store.load(shown.handle)
        else:
            mark = self.hearing.reading(near, shown.handle)
            value = await self.store.load(shown.handle)
            near.keep(mark, shown.handle, value)
        if not engine.admit(session, shown, value):
            await self._drive(engine.turn_away(session, shown, value))
        return session

    async def commit(self, session: Session, *, failed: bool = False) -> Commit:
        """As `SessionManager.commit`."""
        if self.engine.idle(session):
            return KEEP
        return await self._drive(self.engine.commit(session, failed))

    @asynccontextmanager
    async def open(self, token: str | None, client: Client | None = None) -> AsyncIterator[Session]:
        """As `SessionManager.open`."""
        session = await self.load(token, client)
        yield session
        await self.commit(session)

    async def sessions(
        self,
        user_id: UserId,
        limit: int = 100,
        after: str | None = None,
        current: Session | str | None = None,
    ) -> list[SessionInfo]:
        """As `SessionManager.sessions`."""
        return await self._drive(self._directory.sessions(user_id, limit, after, current))

    async def info(self, handle: str) -> SessionInfo | None:
        """As `SessionManager.info`."""
        return await self._drive(self._directory.info(handle))

    async def revoke(
        self, handle: str, reason: str = "revoked", user_id: UserId | None = None, *, by: str | None = None
    ) -> bool:
        """As `SessionManager.revoke`."""
        return await self._drive(self._directory.revoke(handle, reason, user_id, by))

    async def revoke_user(
        self, user_id: UserId, keep: Session | str | None = None, reason: str = "revoked", *, by: str | None = None
    ) -> int:
        """As `SessionManager.revoke_user`."""
        return await self._drive(self._directory.revoke_user(user_id, keep, reason, by))

    async def revoke_all(
        self, before: datetime | None = None, reason: str = "revoked", *, by: str | None = None
    ) -> int:
        """As `SessionManager.revoke_all`."""
        return await self._drive(self._directory.revoke_all(_instant(before), reason, by))

    async def update_user(self, user_id: UserId, fields: Mapping[str, Any]) -> int:
        """As `SessionManager.update_user`."""
        return await self._drive(self._directory.update_user(user_id, dict(fields)))

    def watch(self, session: Session | str) -> AsyncWatch:
        """Learn when a stored session (or the one with that handle) has ended, for a websocket or a stream."""
        return AsyncWatch(self.hearing.watches, self.hearing.watched(session), self.store.load, self.engine.now)

    async def purge(self) -> int:
        """As `SessionManager.purge`."""
        return await self._drive(self._directory.purge())

    async def stats(self, *, within: float | None = None) -> Stats:
        """As `SessionManager.stats`."""
        return await self._drive(self._directory.stats(within))

    async def history(
        self,
        user_id: UserId | None = None,
        handle: str | None = None,
        *,
        limit: int = 100,
        before: str | None = None,
    ) -> list[AuditEntry]:
        """As `SessionManager.history`."""
        return await on_thread(partial(self._trail().entries, user_id, handle, limit=limit, before=before))

    async def aclose(self) -> None:
        """Give the connections back."""
        if self.audit is not None:
            await on_thread(self.audit.close)
        self.hearing.close()
        await self.store.close()

    async def __aenter__(self) -> AsyncSessionManager:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
