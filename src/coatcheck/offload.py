"""An `AsyncStore` over a `Store`: what cannot wait runs where it is called, the rest on threads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from .change import Change
from .codec import Wire
from .record import Record
from .store import Held, Login, Stats, Store, Taken

if TYPE_CHECKING:
    from concurrent.futures import Executor

T = TypeVar("T")


async def on_thread(call: Callable[[], T]) -> T:
    """Make a call that may wait, where it does not block the event loop; under trio, which has none of these, here."""
    # Not above: a synchronous program opens the same modules, and would wait for it at its start.
    import asyncio

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return call()
    return await loop.run_in_executor(None, call)


class Inline:
    """An async face for a `store` whose every method returns at once, such as one in memory.

    With `moves.AsyncMoves` beside it for a store that can be moved.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    @property
    def offset(self) -> float:
        """As the store's."""
        return self.store.offset

    async def run(self, method: Callable[..., T], *args: Any) -> T:
        """Call a method of the store where it does not block the event loop."""
        return method(*args)

    async def _move(self, method: str, *arguments: Any) -> Any:
        return await self.run(getattr(self.store, method), *arguments)

    async def load(self, handle: str) -> Held:
        return self.store.load(handle)

    async def create(self, record: Record, now: float) -> bool:
        return await self.run(self.store.create, record, now)

    async def login(
        self, record: Record, began: float, now: float, limit: int | None, reason: str, replaces: str | None = None
    ) -> Login:
        return await self.run(self.store.login, record, began, now, limit, reason, replaces)

    async def commit(self, handle: str, change: Change, now: float) -> Held:
        return await self.run(self.store.commit, handle, change, now)

    async def replace(self, handle: str, change: Change, new: Record, now: float) -> Held:
        return await self.run(self.store.replace, handle, change, new, now)

    async def end(self, handle: str, user_id: str | None, reason: str, now: float) -> Held:
        return await self.run(self.store.end, handle, user_id, reason, now)

    async def sessions(self, user_id: str, now: float, limit: int, after: str | None) -> list[Record]:
        return await self.run(self.store.sessions, user_id, now, limit, after)

    async def revoke_user(self, user_id: str, keep: str | None, reason: str, now: float, until: float) -> list[str]:
        return await self.run(self.store.revoke_user, user_id, keep, reason, now, until)

    async def update_user(self, user_id: str, fields: dict[str, Wire], now: float, until: float) -> int:
        return await self.run(self.store.update_user, user_id, fields, now, until)

    async def revoke_all(self, before: float, reason: str, now: float) -> int:
        return await self.run(self.store.revoke_all, before, reason, now)

    async def redeem(self, handle: str, jti: str, nonce: str, note: str, now: float, until: float) -> Taken:
        return await self.run(self.store.redeem, handle, jti, nonce, note, now, until)

    async def taken(self, handle: str, jti: str, now: float) -> Taken:
        return await self.run(self.store.taken, handle, jti, now)

    async def purge(self, now: float, batch: int = 500) -> int:
        return await self.run(self.store.purge, now, batch)

    async def stats(self, now: float, within: float | None = None) -> Stats:
        return await self.run(self.store.stats, now, within)

    async def close(self) -> None:
        await self.run(self.store.close)


class Offloaded(Inline):
    """An async face for a store that may wait, for a lock or a disk: everything runs on `executor`."""

    def __init__(self, store: Store, executor: Executor | None = None) -> None:
        super().__init__(store)
        self._executor = executor

    async def run(self, method: Callable[..., T], *args: Any) -> T:
        # Not above: a synchronous program opens the same modules, and would wait for it at its start.
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(self._executor, partial(method, *args))

    async def load(self, handle: str) -> Held:
        return await self.run(self.store.load, handle)
