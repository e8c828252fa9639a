"""What a store tells of its changes: the contract. `listener` has the thread that listens.

A feed is one connection, or two, of one thread. It carries handles and no data: whoever hears one asks the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from .errors import ConfigurationError

Told = Sequence[str] | None
"""Handles of sessions that may have changed; None: any may have."""

TICK = 0.05
"""Seconds between two looks at a number that grows with every write."""


class Feed(Protocol):
    """An open ear at a store. Its methods raise `StoreUnavailable`, and then it is of no use any more."""

    def prove(self) -> Told:
        """Ask the store, and return all that it told before it answered: what was written before the question is
        among that, or was told before."""
        ...

    def wait(self, seconds: float) -> Told:
        """What is told next, or nothing within so many seconds."""
        ...

    def close(self) -> None:
        """Give the connections back."""
        ...


@runtime_checkable
class Feeds(Protocol):
    """A store, synchronous or not, that tells what changes.

    It may say more: `at_hand = True`, that a read costs as little as a cache's, and `strays`, how often it has read
    something of whose changes its feed does not hear.
    """

    def feed(self) -> Feed:
        """Connect an ear, for one thread. Raises `StoreUnavailable`, or `ConfigurationError` where the store is not
        set up for it."""
        ...


class Counted:
    """The feed of a store that has a number which grows with every write."""

    def __init__(self, count: Callable[[], int], close: Callable[[], object]) -> None:
        self._count, self._close = count, close
        self._seen = count()

    def prove(self) -> Told:
        """As `Feed.prove`."""
        before, self._seen = self._seen, self._count()
        return () if self._seen == before else None

    def wait(self, seconds: float) -> Told:
        """As `Feed.wait`."""
        time.sleep(min(seconds, TICK))
        return self.prove()

    def close(self) -> None:
        """As `Feed.close`."""
        self._close()


class Joined:
    """The feed of several stores, between which sessions move."""

    def __init__(self, stores: Sequence[Any]) -> None:
        """Raises as `Feeds.feed`, and `ConfigurationError` for a store that has no feed."""
        self._feeds: list[Feed] = []
        silent = [type(store).__name__ for store in stores if not isinstance(store, Feeds)]
        if silent:
            raise ConfigurationError(f"a {silent[0]} tells nothing of its changes")
        try:
            for store in stores:
                self._feeds.append(store.feed())
        except BaseException:
            self.close()
            raise

    def prove(self) -> Told:
        """As `Feed.prove`."""
        return together([feed.prove() for feed in self._feeds])

    def wait(self, seconds: float) -> Told:
        """As `Feed.wait`: each in its turn, for a moment."""
        until = time.monotonic() + seconds
        told: Told = ()
        while told is not None and not told and (left := until - time.monotonic()) > 0:
            told = together([feed.wait(min(TICK / 2, left)) for feed in self._feeds])
        return told

    def close(self) -> None:
        """As `Feed.close`."""
        for feed in self._feeds:
            feed.close()


def together(news: list[Told]) -> Told:
    """All of it."""
    told: list[str] = []
    for one in news:
        if one is None:
            return None
        told += one
    return told
