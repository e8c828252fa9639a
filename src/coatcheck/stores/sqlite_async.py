"""The store in one SQLite file, for asynchronous callers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ..feed import Counted
from ..moves import AsyncMoves
from ..offload import Offloaded
from ..store import Held
from .sqlite_file import PATIENCE
from .sqlite_store import SQLiteStore

if TYPE_CHECKING:
    from .sqlite_group import Crew

T = TypeVar("T")

_GRACE = 0.1
"""Seconds in which the thread itself may say that the time is over, if it has nothing else to do."""


class AsyncSQLiteStore(Offloaded, AsyncMoves):
    """The same `store`, of the same `namespace`, awaited. A read runs where it is, for it never waits and a thread
    costs more than it; all else runs on one thread, in order and in groups, where waiting for another process's lock
    disturbs nobody."""

    store: SQLiteStore

    def __init__(self, store: SQLiteStore) -> None:
        # With it comes asyncio, for which a synchronous program need not wait at its start.
        from . import sqlite_group

        super().__init__(store)
        self._group = sqlite_group
        self.namespace: str = store.namespace
        self._crew: tuple[int, Crew] | None = None

    def own_secret(self) -> str:
        """As the store's."""
        return self.store.own_secret()

    def twin(self) -> SQLiteStore:
        """As `health.HasTwin`: the one that it stands on."""
        return self.store

    def feed(self) -> Counted:
        """As `feed.Feeds`."""
        return self.store.feed()

    async def load(self, handle: str) -> Held:
        with suppress(sqlite3.Error):
            return self.store.load_now(handle)
        return await self.run(self.store.load, handle)

    async def run(self, method: Callable[..., T], *args: Any) -> T:
        crew, asked = self._crew_here(), self._group.job(method, args, PATIENCE)
        crew.ask(asked)
        over = asked.loop.call_later(PATIENCE + _GRACE, crew.give_up, asked)
        try:
            result: T = await asked.future
        finally:
            over.cancel()
        return result

    def _crew_here(self) -> Crew:
        pid = self.store._db.pid()
        if self._crew is None or self._crew[0] != pid:
            self._crew = pid, self._group.Crew(self.store._db, self.store.tidy)
        return self._crew[1]

    async def close(self) -> None:
        await self.run(self.store.close)
        if self._crew is not None:
            self._crew[1].close()
            self._crew = None
