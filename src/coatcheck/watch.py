"""Open connections: whoever holds one for a session learns when that has ended.

A feed says that a session may have changed; what it is then, the store says. Without a feed the store is asked every
few seconds.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from .clock import Clock, elapsed
from .errors import CoatcheckError
from .record import Record, held
from .store import Held

ENDED = 4401
"""The code with which a websocket is closed whose session has ended: HTTP's 401, in the range for applications (RFC
6455, section 7.4.2)."""
WORDS = "the session has ended"
"""What is said beside it. Not the reason: those words are the operator's."""
SPREAD = 0.5
"""Seconds within which all look again, where the store tells that something changed and not what."""
EACH = 0.0002
"""Seconds that each of them gets, where there are so many that half a second is too short."""
UNHEARD = 5.0
"""Seconds after which one looks again while there is no feed; up to twice that, so that they do not look together."""
_FAULT = 1.0
_LONGEST = 3600.0


class Watches:
    """Those of one manager. A `listener.Hearer`."""

    def __init__(self) -> None:
        self.hearing: bool = False
        """Whether a feed tells what changes."""
        self.forked()

    def add(self, watch: _Watching) -> None:
        """Tell it what changes."""
        with self._lock:
            self._of.setdefault(watch.handle, set()).add(watch)

    def remove(self, watch: _Watching) -> None:
        """Tell it nothing any more."""
        with self._lock:
            others = self._of.get(watch.handle, set())
            others.discard(watch)
            if not others:
                self._of.pop(watch.handle, None)

    def changed(self, handle: str | None) -> None:
        """As `Hearer.changed`."""
        if handle is not None and handle not in self._of:
            return
        with self._lock:
            told = [*self._of.get(handle, ())] if handle else [one for some in self._of.values() for one in some]
        now, spread = elapsed(), max(SPREAD, len(told) * EACH)
        for watch in told:
            if handle:
                watch.stir(now)
            elif not watch.looks_before(now + spread):
                watch.stir(now + _some(spread))

    def proved(self, at: float) -> None:  # noqa: ARG002 (it does not matter when)
        """As `Hearer.proved`."""
        self.hearing = True

    def cut(self) -> None:
        """As `Hearer.cut`."""
        self.hearing = False
        self.changed(None)

    def forked(self) -> None:
        """As `Hearer.forked`."""
        # The connections are the parent's.
        self.hearing, self._lock = False, threading.Lock()
        self._of: dict[str, set[_Watching]] = {}


class _Watching:
    """What both kinds have in common."""

    def __init__(self, watches: Watches, handle: str, load: Callable[[str], Any], now: Clock) -> None:
        self.handle = handle
        self._watches, self._load, self._now = watches, load, now
        self._due = 0.0
        self._deadline = float("inf")
        self._reason: str | None = None
        watches.add(self)

    def close(self) -> None:
        """Watch no more."""
        self._watches.remove(self)

    def stir(self, at: float) -> None:
        """Look again at that instant (of `elapsed`), at the latest."""
        self._due = min(self._due, at)

    def looks_before(self, at: float) -> bool:
        """Whether it looks again by then anyway."""
        return self._due <= at

    def _left(self) -> float:
        """Seconds until it has to look again."""
        return min(self._due - elapsed(), self._deadline - self._now(), _LONGEST)

    def _looks(self) -> None:
        """Before the store is asked: what is told meanwhile is told for the next time."""
        self._due = float("inf")

    def _saw(self, value: Held) -> None:
        now = held(value, self._now())
        if isinstance(now, Record):
            self._deadline = now.deadline
            if not self._watches.hearing:
                self.stir(elapsed() + UNHEARD + _some(UNHEARD))
        else:
            self._reason = "unknown" if now is None else now.reason

    def _missed(self) -> None:
        """The store is down: nothing is known to have ended."""
        self.stir(elapsed() + _FAULT + _some(_FAULT))


class Watch(_Watching):
    """A session that synchronous code watches; a context manager."""

    _load: Callable[[str], Held]

    def ended(self) -> str | None:
        """Why the session has ended, or None while it lives. Costs nothing unless something was told."""
        if self._reason is None and self._left() <= 0:
            self._looks()
            try:
                self._saw(self._load(self.handle))
            except CoatcheckError:
                self._missed()
        return self._reason

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncWatch(_Watching):
    """A session that a task watches; an asynchronous context manager."""

    _load: Callable[[str], Awaitable[Held]]

    def __init__(self, watches: Watches, handle: str, load: Callable[[str], Awaitable[Held]], now: Clock) -> None:
        # Not above: it takes long to load, and who has a running loop has loaded it.
        import asyncio

        self._stirred = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        super().__init__(watches, handle, load, now)

    def stir(self, at: float) -> None:
        """As `Watch.stir`, from any thread."""
        super().stir(at)
        with suppress(RuntimeError):  # its loop is closed
            self._loop.call_soon_threadsafe(self._stirred.set)

    async def ended(self) -> str:
        """Why the session has ended, once it has."""
        import asyncio

        while self._reason is None:
            self._stirred.clear()
            if (left := self._left()) > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await self._stirred.wait()
                continue
            self._looks()
            try:
                self._saw(await self._load(self.handle))
            except CoatcheckError:
                self._missed()
        return self._reason

    async def __aenter__(self) -> AsyncWatch:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


def _some(seconds: float) -> float:
    return random.uniform(0.0, seconds)  # noqa: S311 (guards nothing)
