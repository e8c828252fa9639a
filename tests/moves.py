"""Stores that serve from two while everything moves around them: for tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from itertools import count
from typing import Any

from coatcheck.connect import open_store
from coatcheck.milestones import FLAG, begin
from coatcheck.moves import Departed
from coatcheck.moving import Moving
from coatcheck.moving_store import AsyncMovingStore, MovingStore
from coatcheck.record import Record
from coatcheck.stores.memory import AsyncMemoryStore, MemoryStore

_instants = count(1)


class Ticking(MemoryStore):
    """One in which every departure has an instant of its own: these tests move faster than their clock."""

    def depart(self, handles: list[str], now: float | None) -> dict[str, Departed]:
        return super().depart(handles, None if now is None else float(next(_instants)))

    def bar(self, handle: str, now: float, until: float) -> bool:
        return super().bar(handle, float(next(_instants)), until)


class Around:
    """A pair of stores in memory, and what somebody else does to them before, in and after each call."""

    def __init__(self, *when: str) -> None:
        self.old, self.new = Ticking(), Ticking()
        self.when = when
        self._lock = threading.Lock()
        self._active = 0
        self.forth, self.back = MovingStore(self.old, self.new), MovingStore(self.new, self.old)
        self.known = Moving()
        self.known._known = True
        if "unbegun" not in when:
            self.forth.drive(begin(0.0))

    def open(self, mode: str) -> Any:
        """A store over both."""
        made: Any
        if mode == "sync":
            made = _Sync(self)
            made._moving = _Stepwise(self)
        else:
            made = _Async(self)
            made._moving = _Stepwise(self)
        return made

    def _live(self, store: MemoryStore) -> list[str]:
        return [name for name, one in _contents(store) if isinstance(one, Record) and name != FLAG]

    def before(self) -> None:
        """All sessions are in the old store when a call begins, or on their way."""
        with self._lock:
            self._active += 1
            if "back" in self.when and self._active == 1:
                self._all_back()
        if "departed" in self.when:
            self.old.depart(self._live(self.old), 0.0)
        if "before" in self.when:
            self.move()

    def _all_back(self) -> None:
        self.back.drive(self.known.bring(self._live(self.new), 0.0))
        for one, other in ((self.old, self.new), (self.new, self.old)):
            one._tickets.update(other._tickets)
        self.new.unbar(None, 0)

    def step(self) -> None:
        """Between two steps of a call."""
        if "steps" in self.when:
            self.move()
        if "frozen" in self.when:
            self.old.depart(self._live(self.old), 0.0)

    def after(self) -> None:
        """When a call is over."""
        if "after" in self.when:
            self.move()
        with self._lock:
            self._active -= 1

    def move(self) -> None:
        """All go over."""
        here = [*self._live(self.old), *_departing(self.old)]
        self.forth.drive(self.known.bring(here, 0.0))


def _departing(store: MemoryStore) -> list[str]:
    return [name for name, one in _contents(store) if isinstance(one, Departed) and one.record is not None]


def _contents(store: MemoryStore) -> list[tuple[str, Any]]:
    with store._lock:
        return list(store._sessions.items())


_CONTRACT = {
    *("load", "create", "login", "commit", "replace", "end", "sessions", "revoke_user", "update_user", "revoke_all"),
    *("redeem", "taken", "stats"),
}


class _Stepwise(Moving):
    """Lets somebody else come between."""

    def __init__(self, around: Around) -> None:
        super().__init__()
        self._around = around
        self._here = threading.local()

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in _CONTRACT or getattr(self._here, "inside", False):
            return found

        def run(*arguments: Any) -> Generator[Any, Any, Any]:
            around = self._around
            around.before()
            try:
                plan = found(*arguments)
                step = self._on(plan.send, None)
                while True:
                    around.step()
                    try:
                        result = yield step
                    except Exception as error:  # noqa: BLE001 (handed on)
                        around.step()
                        step = self._on(plan.throw, error)
                    else:
                        around.step()
                        step = self._on(plan.send, result)
            except StopIteration as done:
                return done.value
            finally:
                around.after()

        return run

    def _on(self, go: Callable[[Any], Any], value: Any) -> Any:
        """One step of a plan, in which it may call other methods of its own."""
        self._here.inside = True
        try:
            return go(value)
        finally:
            self._here.inside = False


class _Sync(MovingStore):
    def __init__(self, around: Around) -> None:
        super().__init__(around.old, around.new)


class _Async(AsyncMovingStore):
    def __init__(self, around: Around) -> None:
        super().__init__(AsyncMemoryStore(around.old), AsyncMemoryStore(around.new))


class _Sudden(Moving):
    """Of one call, in which the move begins."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: bool | None = False

    def begun(self) -> Generator[Any, Any, bool]:
        asked, self._asked = self._asked, True
        if asked is None:
            yield
        return bool(asked)


class _SuddenEach:
    """Each call has a protocol of its own, in which nobody knows yet that the move was begun."""

    @property
    def _moving(self) -> Moving:
        return _Sudden()

    @_moving.setter
    def _moving(self, value: Moving) -> None:
        pass


class _SuddenSync(_SuddenEach, MovingStore):
    pass


class _SuddenAsync(_SuddenEach, AsyncMovingStore):
    pass


def sudden(urls: str, mode: str, namespace: str) -> Any:
    """A store in whose every call a move begins, as if it had not been before."""
    if mode == "sync":
        both = open_store(urls, namespace, "open_sync")
        return _SuddenSync(both.old, both.new)
    both = open_store(urls, namespace, "open_async")
    return _SuddenAsync(both.old, both.new)
