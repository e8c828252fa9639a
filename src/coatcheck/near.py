"""The near cache: sessions that this process has read a moment ago, for requests that only read.

It may only say yes: who is refused by what it holds meets the store, and so does a request that may write. What it says
was true a second ago at most (`BOUND`), whatever becomes of the feed that tells it what changed: an entry serves only
while the last proof that the feed is alive was *asked for* within that time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from .clock import Clock, elapsed
from .record import Record
from .store import Held

BOUND = 1.0
"""Seconds: how old what it says may be at most."""
LIFE = 10.0
"""Seconds after which the store is asked in any case: what no feed tells (Redis' SWAPDB) must not last for ever."""
SIZE = 32 * 2**20
"""Characters of sessions that it holds at most."""
_ABOUT = 1000
"""Bytes that a session costs beside its data."""
_PLACES = 4096


class Mark(NamedTuple):
    """What a read remembers from before it began."""

    moves: list[int]
    place: int
    seen: int
    strays: int


class Near:
    """The sessions of one process; shared by its threads. A `listener.Hearer`."""

    def __init__(
        self,
        clock: Clock = elapsed,
        bound: float = BOUND,
        size: int = SIZE,
        strays: Callable[[], int] = lambda: 0,
    ) -> None:
        """`strays`: how often the store has read something from where its feed does not listen."""
        self._clock, self._bound, self._size, self._strays = clock, bound, size, strays
        self._proved = float("-inf")
        self.hits: int = 0
        """How many reads it has answered."""
        self.forked()

    def __len__(self) -> int:
        """How many sessions it holds."""
        return len(self._kept)

    def get(self, handle: str) -> Record | None:
        """A session as it was within the bound, or None: ask the store."""
        now = self._clock()
        if now - self._proved >= self._bound or (kept := self._kept.get(handle)) is None or now >= kept[1]:
            return None
        self.hits += 1
        return kept[0]

    def reading(self, handle: str) -> Mark:
        """To be called before the store is asked."""
        moves, place = self._moves, hash(handle) % _PLACES
        return Mark(moves, place, moves[place], self._strays())

    def keep(self, mark: Mark, handle: str, value: Held) -> None:
        """Keep what the store said, if nothing was heard of it since: else it would be kept after its invalidation,
        and stale for ever."""
        if not isinstance(value, Record) or (weight := _weight(value)) > self._size // 8:
            return
        with self._lock:
            told = mark.moves is not self._moves or mark.moves[mark.place] != mark.seen
            if told or self._strays() != mark.strays:
                return
            self._drop(handle)
            self._kept[handle] = value, self._clock() + LIFE
            self._held += weight
            while self._held > self._size:
                self._held -= _weight(self._kept.popitem(last=False)[1][0])

    def wrote(self, method: str, arguments: tuple[Any, ...], result: Any) -> None:
        """After a call of the store by this process, which reads its own writes, fed or not."""
        if method in _OF_ONE:
            self.changed(arguments[0])
        elif method in _OF_MANY:
            self.changed(None)
        elif method in _THAT_END:
            for handle in getattr(result, "over_limit", result) or ():
                self.changed(handle)

    # -- as told by the feed -----------------------------------------------------------------------------

    def changed(self, handle: str | None) -> None:
        """As `Hearer.changed`."""
        with self._lock:
            if handle is None:
                self._empty()
            else:
                self._moves[hash(handle) % _PLACES] += 1
                self._drop(handle)

    def proved(self, at: float) -> None:
        """As `Hearer.proved`."""
        self._proved = at

    def cut(self) -> None:
        """As `Hearer.cut`."""
        self._proved = float("-inf")
        self.changed(None)

    def forked(self) -> None:
        """As `Hearer.forked`."""
        self._lock = threading.Lock()
        self._proved = float("-inf")
        self._kept: OrderedDict[str, tuple[Record, float]] = OrderedDict()
        """Each with the instant from which the store is to be asked; in the order in which they were read."""
        self._empty()

    def _empty(self) -> None:
        # A new list: a read that is under way compares with the old one.
        self._moves = [0] * _PLACES
        self._kept.clear()
        self._held = 0

    def _drop(self, handle: str) -> None:
        if (old := self._kept.pop(handle, None)) is not None:
            self._held -= _weight(old[0])


_OF_ONE = frozenset({"commit", "replace", "end"})
_OF_MANY = frozenset({"update_user", "revoke_all"})
_THAT_END = frozenset({"login", "revoke_user"})


def _weight(record: Record) -> int:
    return len(record.fields) + _ABOUT
