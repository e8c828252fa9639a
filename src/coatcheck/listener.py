"""The thread that listens to a store's feed, and tells a manager's near cache and those who watch sessions."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from . import fork
from .clock import Clock, elapsed
from .errors import ConfigurationError, StoreUnavailable
from .events import logger
from .feed import Feed, Told

BEAT = 0.25
"""Seconds between two proofs that the feed is alive."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0


class Hearer(Protocol):
    """Who is told, on the listening thread. Its methods neither wait nor raise."""

    def changed(self, handle: str | None) -> None:
        """That session may have changed; None: any may have."""
        ...

    def proved(self, at: float) -> None:
        """All that was written before `at` (of `clock.elapsed`) has been told."""
        ...

    def cut(self) -> None:
        """From now on nothing is told, until `changed(None)`."""
        ...

    def forked(self) -> None:
        """This is a child of fork: other threads, and their locks, are gone."""
        ...


class Listener:
    """Listens to a store's feed on a thread of its own, from the first `start` to `close`."""

    def __init__(self, opened: Callable[[], Feed], hearers: Sequence[Hearer], clock: Clock = elapsed) -> None:
        self._opened, self._hearers, self._clock = opened, hearers, clock
        self._ear: _Ear | None = None
        self._lock = threading.Lock()
        fork.watch(self)

    def start(self) -> None:
        """Begin to listen, once; what is not listened to is heard soon, not at once."""
        if self._ear is None:
            with self._lock:
                if self._ear is None:
                    self._ear = _Ear(self._opened, self._hearers, self._clock)
                    weakref.finalize(self, self._ear.over.set)
                    self._ear.start()

    def close(self) -> None:
        """Stop listening, within a beat; `start` begins anew."""
        with self._lock:
            if self._ear is not None:
                self._ear.over.set()
                self._ear = None

    def forked(self) -> object:
        """As `fork.Forkable`."""
        before, self._ear, self._lock = self._ear, None, threading.Lock()
        for hearer in self._hearers:
            hearer.forked()
        return before


class _Ear(threading.Thread):
    """The thread. It keeps nothing alive but the store: whoever forgets a manager has ended it."""

    def __init__(self, opened: Callable[[], Feed], hearers: Sequence[Hearer], clock: Clock) -> None:
        super().__init__(name="coatcheck-feed", daemon=True)
        self.over = threading.Event()
        self._opened, self._hearers, self._clock = opened, hearers, clock
        self._feed: Feed | None = None
        """Here and not on the stack, which a fork takes apart: a child must not close it."""

    def run(self) -> None:
        pause = _FIRST_PAUSE
        while not self.over.is_set():
            began = self._clock()
            try:
                self._feed = self._opened()
                self._listen(self._feed)
            except StoreUnavailable as error:
                if not self.over.is_set():
                    logger.warning("changes of sessions are not heard for now: %s", error)
            except ConfigurationError as error:
                # It will not mend itself; sessions are read from the store.
                logger.error("changes of sessions are not heard: %s", error)
                self.over.set()
            except Exception:  # noqa: BLE001 (the thread goes on: there is no other)
                logger.exception("changes of sessions are not heard for now")
            finally:
                self._deaf()
            pause = _FIRST_PAUSE if self._clock() - began > _LONGEST_PAUSE else min(2 * pause, _LONGEST_PAUSE)
            self.over.wait(pause)

    def _listen(self, feed: Feed) -> None:
        # What was written before this ear was open has been told to nobody.
        self._tell(None)
        while not self.over.is_set():
            asked = self._clock()
            self._tell(feed.prove())
            for hearer in self._hearers:
                hearer.proved(asked)
            while (left := asked + BEAT - self._clock()) > 0:
                self._tell(feed.wait(left))

    def _tell(self, told: Told) -> None:
        for handle in (None,) if told is None else told:
            for hearer in self._hearers:
                hearer.changed(handle)

    def _deaf(self) -> None:
        for hearer in self._hearers:
            hearer.cut()
        feed, self._feed = self._feed, None
        if feed is not None:
            with suppress(Exception):
                feed.close()
