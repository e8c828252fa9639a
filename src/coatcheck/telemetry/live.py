"""How many sessions are alive: asked of the store while the SDK collects, and at most once a minute."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from weakref import ref

from opentelemetry.metrics import Observation

from ..clock import Clock, elapsed
from ..errors import CoatcheckError
from ..manager import AsyncSessionManager, SessionManager
from ..store import Stats
from .names import AUTHENTICATED, NAMESPACE

EVERY, WITHIN = 60.0, 0.5
"""Seconds: between two looks at a store, and for which a large Redis is looked at, about; then it is an estimate."""


class Live:
    """Of a synchronous manager. Asked on the thread that collects, which waits for the store."""

    def __init__(self, manager: SessionManager | AsyncSessionManager, clock: Clock = elapsed) -> None:
        self._manager = ref(manager)  # whoever forgets a manager has ended this
        self._namespace, self._clock = manager.namespace, clock
        self._lock = threading.Lock()
        self._due = float("-inf")
        self._stats: Stats | None = None

    def observe(self) -> Iterator[Observation]:
        """What the store said last; nothing where it has not answered."""
        manager = self._manager()
        if manager is not None and self._is_due():
            self._ask(manager)
        stats = self._stats
        if stats is not None:
            for authenticated, number in (
                (True, stats.authenticated),
                (False, stats.sessions - stats.authenticated),
            ):
                yield Observation(number, {NAMESPACE: self._namespace, AUTHENTICATED: authenticated})

    def _is_due(self) -> bool:
        with self._lock:
            now = self._clock()
            if now < self._due:
                return False
            self._due = now + EVERY
            return True

    def _ask(self, manager: SessionManager | AsyncSessionManager) -> None:
        if isinstance(manager, SessionManager):
            try:
                self._stats = manager.stats(within=WITHIN)
            except CoatcheckError:
                self._stats = None  # a gap in the picture, not yesterday's number

    def seen(self) -> None:
        """A request has come."""


class AsyncLive(Live):
    """Of an asynchronous manager, whose connections belong to the event loop of its requests. The thread that collects
    only asks that loop for the next number, and tells the last one: it never waits, and the first one is late."""

    _loop: asyncio.AbstractEventLoop | None = None
    _task: asyncio.Task[None] | None = None
    _answered = True

    def seen(self) -> None:
        """As `Live.seen`; also which loop serves requests. Where asyncio does not (trio), nothing is told."""
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def _ask(self, manager: SessionManager | AsyncSessionManager) -> None:
        loop = self._loop
        if loop is None or not isinstance(manager, AsyncSessionManager):
            self._due = float("-inf")  # as soon as a request has come
            return
        if not self._answered:
            self._stats = None  # a minute ago that loop was asked, and it stands still
        self._answered = False
        try:
            loop.call_soon_threadsafe(self._begin, manager)
        except RuntimeError:
            self._stats = None  # it is closed

    def _begin(self, manager: AsyncSessionManager) -> None:
        self._task = asyncio.get_running_loop().create_task(self._told(manager))

    async def _told(self, manager: AsyncSessionManager) -> None:
        try:
            self._stats = await manager.stats(within=WITHIN)
        except CoatcheckError:
            self._stats = None
        self._answered = True
