"""The stores that serve from two while a move goes on: thin drivers of `moving`.

    store = MovingStore(SQLiteStore("sessions.db"), RedisStore(redis.Redis(...)))

Or as text, wherever a store's URL may stand: `sqlite:///sessions.db -> redis://cache:6379/0`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from .change import Change
from .codec import Wire
from .errors import ConfigurationError, SessionDataError, StoreUnavailable
from .feed import Joined
from .health import Check, Checkable
from .milestones import OLD, Plan, serving
from .moves import Movable
from .moving import Moving
from .record import Record
from .store import AsyncMeets, AsyncStore, Held, Login, Meets, Stats, Store, Taken

T = TypeVar("T")


class _Both:
    """What both kinds have in common: `old`, the store that sessions leave, and `new`, the one that they come to.
    `namespace` is theirs, where they have one. Constructing does no I/O.

    Raises `ConfigurationError` for stores that sessions cannot be moved between."""

    _asynchronous = False

    def __init__(self, old: Any, new: Any) -> None:
        for store in (old, new):
            if not isinstance(store, Movable) or iscoroutinefunction(store.depart) is not self._asynchronous:
                kind = "an asynchronous" if self._asynchronous else "a synchronous"
                raise ConfigurationError(
                    f"{type(self).__name__} needs {kind} store on both sides that sessions can be moved to and from; "
                    f"{type(store).__name__} is none"
                )
        if old is new:
            raise ConfigurationError("OLD and NEW are the same store")
        names = {name for store in (old, new) if (name := getattr(store, "namespace", None))}
        if len(names) > 1:
            raise ConfigurationError(f"the two stores have different namespaces, {sorted(names)}: give both the same")
        if names:
            self.namespace: Any = names.pop()
        self.old: Any = old
        self.new: Any = new
        self._moving = Moving()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.old!r} -> {self.new!r}>"

    @property
    def offset(self) -> float:
        """The old store's clock counts until the move is over."""
        offset: float = self.old.offset
        return offset

    @property
    def strays(self) -> int:
        """As `feed.Feeds`."""
        return sum(getattr(store, "strays", 0) for store in (self.old, self.new))

    def feed(self) -> Joined:
        """As `feed.Feeds`."""
        return Joined((self.old, self.new))

    def own_secret(self) -> str:
        """The old store's own, with which all tokens are signed. Raises `ConfigurationError` if it keeps none."""
        own = getattr(self.old, "own_secret", None)
        if own is None:
            raise ConfigurationError(
                "a shared store needs a secret that all its servers know: the one that sessions were signed with so "
                "far. Set COATCHECK_SECRET or pass secret=..."
            )
        secret: str = own()
        return secret


class MovingStore(_Both):
    """A `Store` that serves from two, while `coatcheck move` brings all sessions from the old one to the new."""

    def __init__(self, old: Store, new: Store) -> None:
        super().__init__(old, new)

    def drive(self, plan: Plan[T]) -> T:
        """Carry out a plan of `moving`."""
        try:
            side, method, arguments = next(plan)
            while True:
                try:
                    result = getattr(self.old if side == OLD else self.new, method)(*arguments)
                except (StoreUnavailable, SessionDataError) as error:
                    side, method, arguments = plan.throw(error)
                else:
                    side, method, arguments = plan.send(result)
        except StopIteration as done:
            value: T = done.value
            return value

    def connect(self) -> None:
        """Let both compare their clocks with ours."""
        for store in (self.old, self.new):
            if isinstance(store, Meets):
                store.meet()

    def meet(self) -> None:
        """The same, for who will serve: it leaves word of that, for the move to wait for."""
        self.connect()
        self.drive(serving(time.time() + self.offset))

    def load(self, handle: str) -> Held:
        return self.drive(self._moving.load(handle))

    def create(self, record: Record, now: float) -> bool:
        return self.drive(self._moving.create(record, now))

    def login(
        self, record: Record, began: float, now: float, limit: int | None, reason: str, replaces: str | None = None
    ) -> Login:
        return self.drive(self._moving.login(record, began, now, limit, reason, replaces))

    def commit(self, handle: str, change: Change, now: float) -> Held:
        return self.drive(self._moving.commit(handle, change, now))

    def replace(self, handle: str, change: Change, new: Record, now: float) -> Held:
        return self.drive(self._moving.replace(handle, change, new, now))

    def end(self, handle: str, user_id: str | None, reason: str, now: float) -> Held:
        return self.drive(self._moving.end(handle, user_id, reason, now))

    def sessions(self, user_id: str, now: float, limit: int, after: str | None) -> list[Record]:
        return self.drive(self._moving.sessions(user_id, now, limit, after))

    def revoke_user(self, user_id: str, keep: str | None, reason: str, now: float, until: float) -> list[str]:
        return self.drive(self._moving.revoke_user(user_id, keep, reason, now, until))

    def update_user(self, user_id: str, fields: dict[str, Wire], now: float, until: float) -> int:
        return self.drive(self._moving.update_user(user_id, fields, now, until))

    def revoke_all(self, before: float, reason: str, now: float) -> int:
        return self.drive(self._moving.revoke_all(before, reason, now))

    def redeem(self, handle: str, jti: str, nonce: str, note: str, now: float, until: float) -> Taken:
        return self.drive(self._moving.redeem(handle, jti, nonce, note, now, until))

    def taken(self, handle: str, jti: str, now: float) -> Taken:
        return self.drive(self._moving.taken(handle, jti, now))

    def purge(self, now: float, batch: int = 500) -> int:
        return self.drive(self._moving.purge(now, batch))

    def stats(self, now: float, within: float | None = None) -> Stats:
        return self.drive(self._moving.stats(now, within))

    def checks(self) -> Iterator[Check]:
        """What each of the two says of itself."""
        for side, store in (("old", self.old), ("new", self.new)):
            if isinstance(store, Checkable):
                yield from (check._replace(text=f"{side}: {check.text}") for check in store.checks())

    def close(self) -> None:
        self.drive(self._moving.close())


class AsyncMovingStore(_Both):
    """The same, awaited."""

    _asynchronous = True

    def __init__(self, old: AsyncStore, new: AsyncStore) -> None:
        super().__init__(old, new)

    async def drive(self, plan: Plan[T]) -> T:
        """Carry out a plan of `moving`."""
        try:
            side, method, arguments = next(plan)
            while True:
                try:
                    result = await getattr(self.old if side == OLD else self.new, method)(*arguments)
                except (StoreUnavailable, SessionDataError) as error:
                    side, method, arguments = plan.throw(error)
                else:
                    side, method, arguments = plan.send(result)
        except StopIteration as done:
            value: T = done.value
            return value

    async def meet(self) -> None:
        """As `MovingStore.meet`."""
        for store in (self.old, self.new):
            if isinstance(store, AsyncMeets):
                await store.meet()
        await self.drive(serving(time.time() + self.offset))

    async def load(self, handle: str) -> Held:
        return await self.drive(self._moving.load(handle))

    async def create(self, record: Record, now: float) -> bool:
        return await self.drive(self._moving.create(record, now))

    async def login(
        self, record: Record, began: float, now: float, limit: int | None, reason: str, replaces: str | None = None
    ) -> Login:
        return await self.drive(self._moving.login(record, began, now, limit, reason, replaces))

    async def commit(self, handle: str, change: Change, now: float) -> Held:
        return await self.drive(self._moving.commit(handle, change, now))

    async def replace(self, handle: str, change: Change, new: Record, now: float) -> Held:
        return await self.drive(self._moving.replace(handle, change, new, now))

    async def end(self, handle: str, user_id: str | None, reason: str, now: float) -> Held:
        return await self.drive(self._moving.end(handle, user_id, reason, now))

    async def sessions(self, user_id: str, now: float, limit: int, after: str | None) -> list[Record]:
        return await self.drive(self._moving.sessions(user_id, now, limit, after))

    async def revoke_user(self, user_id: str, keep: str | None, reason: str, now: float, until: float) -> list[str]:
        return await self.drive(self._moving.revoke_user(user_id, keep, reason, now, until))

    async def update_user(self, user_id: str, fields: dict[str, Wire], now: float, until: float) -> int:
        return await self.drive(self._moving.update_user(user_id, fields, now, until))

    async def revoke_all(self, before: float, reason: str, now: float) -> int:
        return await self.drive(self._moving.revoke_all(before, reason, now))

    async def redeem(self, handle: str, jti: str, nonce: str, note: str, now: float, until: float) -> Taken:
        return await self.drive(self._moving.redeem(handle, jti, nonce, note, now, until))

    async def taken(self, handle: str, jti: str, now: float) -> Taken:
        return await self.drive(self._moving.taken(handle, jti, now))

    async def purge(self, now: float, batch: int = 500) -> int:
        return await self.drive(self._moving.purge(now, batch))

    async def stats(self, now: float, within: float | None = None) -> Stats:
        return await self.drive(self._moving.stats(now, within))

    async def close(self) -> None:
        await self.drive(self._moving.close())
