"""The store in one SQLite file, for asynchronous callers."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from ..feed import Counted
from ..offload import Offloaded
from ..store import Held
from .sqlite_file import PATIENCE
from .sqlite_store import SQLiteStore

T = TypeVar("T")


class AsyncSQLiteStore(Offloaded):
    """The same, awaited. A read runs where it is, for it never waits and a thread costs more than it; all else
    runs on one thread, in order, where waiting for another process's lock disturbs nobody."""

    store: SQLiteStore

    def __init__(self, store: SQLiteStore) -> None:
        super().__init__(store)
        self.namespace = store.namespace
        self._pool: tuple[int, ThreadPoolExecutor] | None = None
        self._warm = False

    def own_secret(self) -> str:
        """As the store's."""
        return self.store.own_secret()

    def feed(self) -> Counted:
        """As `feed.Feeds`."""
        return self.store.feed()

    async def load(self, handle: str) -> Held:
        if self._warm:
            try:
                return self.store.load_now(handle)
            except sqlite3.Error:
                pass
        value = await self.run(self.store.load, handle)
        self._warm = True
        return value

    async def run(self, method: Callable[..., T], *args: Any) -> T:
        deadline = time.monotonic() + PATIENCE
        # As in `Offloaded.run`.
        import asyncio

        job = partial(self.store._db.until, deadline, method, *args)
        return await asyncio.get_running_loop().run_in_executor(self._executor_here(), job)

    def _executor_here(self) -> ThreadPoolExecutor:
        pid = self.store._db.pid()
        if self._pool is None or self._pool[0] != pid:
            self._pool = pid, ThreadPoolExecutor(1, thread_name_prefix="coatcheck-sqlite")
        return self._pool[1]

    async def close(self) -> None:
        await self.run(self.store.close)
        if self._pool is not None:
            self._pool[1].shutdown(wait=False)
            self._pool = None
