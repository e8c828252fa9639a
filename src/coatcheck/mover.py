"""Who walks through the old store and brings everybody over, for `coatcheck move`. It may be stopped anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from .clock import Clock, system_clock
from .errors import ConfigurationError, StoreUnavailable
from .milestones import FLAG, NEW, OLD, Plan, begin, done, is_begun, served, undone
from .moves import Page
from .moving import Moving
from .moving_store import MovingStore

T = TypeVar("T")

TICKETS = 3600.0
"""Seconds for which a ticket may be good: so long the new store has to ask the old one whether it was used."""
_PAGE = 200
"""Names that a walk asks for at once."""
_TRIES = 10
_PAUSE = 1.0
"""Seconds after which a store that did not answer is asked again."""


class Mover:
    """A move from one store to another. What it does is safe beside any number of others that do the same."""

    def __init__(self, store: MovingStore, clock: Clock = system_clock) -> None:
        self.store = store
        self._clock = clock
        self._moving = Moving()

    def now(self) -> float:
        """Seconds since the epoch, by the old store's clock."""
        return self._clock() + (self.store.offset if self._clock is system_clock else 0.0)

    def is_served(self) -> bool:
        """Whether anybody has ever served from both stores."""
        return self._drive(served)

    def begin(self) -> None:
        """Let sessions go over from now on. Raises `ConfigurationError` where both are one store."""
        back = MovingStore(self.store.new, self.store.old)
        if back.drive(is_begun()):
            # The other way somebody may have been left on the way: to where everybody else is, and then back.
            back.drive(Moving().bring_departed(self.now()))
        self._drive(lambda: begin(self.now()))

    def has_begun(self) -> bool:
        """Whether they may."""
        return self._drive(is_begun)

    def walk(self) -> Iterator[tuple[int, int]]:
        """Go once through all; how many were met and how many of them were brought over, page by page."""
        for handles in self._pages():
            yield len(handles), self._drive(lambda found=handles: self._moving.bring(found, self.now()))  # type: ignore[misc]

    def left(self) -> int:
        """How many are in the old store, or on their way."""
        return sum(map(len, self._pages()))

    def _pages(self) -> Iterator[list[str]]:
        after = None
        while True:
            page = self._ask("roll", after)
            if handles := [handle for handle in page.items if handle != FLAG]:
                yield handles
            after = page.after
            if after is None:
                return

    def users(self) -> int:
        """Bring what is kept of users, also of those who have no session; of how many."""
        count, after = 0, None
        while True:
            page = self._ask("gates", after)
            for user_id, *_ in page.items:
                self._drive(lambda user=user_id: self._moving.join(user, self.now()))  # type: ignore[misc]
            count += len(page.items)
            after = page.after
            if after is None:
                return count

    def finish(self) -> float:
        """Nothing is left: since when, in seconds since the epoch. Marks of a move the other way go."""
        after = None
        while True:
            page = self._ask("unbar", after, NEW)
            after = page.after
            if after is None:
                break
        since = self._drive(lambda: done(self.now()))
        return self.now() if since is None else since

    def done_since(self) -> float | None:
        """Since when nothing is left; None: something may be."""
        return self._drive(done)

    def undone(self) -> None:
        """Something was left after all: the time until nobody needs the old store begins again."""
        self._drive(lambda: undone(self.now()))

    def _ask(self, method: str, after: object, side: str = OLD) -> Page:
        def plan() -> Plan[Page]:
            page: Page = yield (OLD if side == OLD else NEW), method, (after, _PAGE)
            return page

        return self._drive(plan)

    def _drive(self, make: Callable[[], Plan[T]]) -> T:
        """Every step may be repeated: a store that is busy for a moment does not end a move of hours."""
        for tries in range(_TRIES):
            try:
                return self.store.drive(make())
            except StoreUnavailable:
                if tries == _TRIES - 1:
                    raise
                time.sleep(_PAUSE)
        raise ConfigurationError("it is not tried at all")
