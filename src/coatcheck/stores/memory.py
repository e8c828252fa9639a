"""Sessions in this process's memory: for development and tests. They go when the process does.

All managers of a process that name the same namespace share one, so that a sync and an async half see the
same sessions.
"""

from __future__ import annotations

import os
import secrets
import threading
import weakref
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Concatenate, ParamSpec, TypeVar

from ..change import Change, apply
from ..codec import Wire
from ..errors import SessionMoved, StoreUnavailable
from ..feed import Counted
from ..gate import Gate
from ..moves import AsyncMoves, Departed
from ..offload import Inline
from ..record import Ended, Record, held
from ..store import Held, Login, Stats, Taken
from ..tally import Tally
from ..trail import AuditEntry, row_number
from .memory_moves import MemoryMoves

P = ParamSpec("P")
T = TypeVar("T")

_PURGE_EVERY = 60.0


def _locked(
    method: Callable[Concatenate[MemoryStore, P], T],
) -> Callable[Concatenate[MemoryStore, P], T]:
    """The atomic step of this store: one lock, held for a few microseconds."""

    def run(self: MemoryStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._lock:
            return method(self, *args, **kwargs)

    run.__doc__ = method.__doc__
    return run


_in_this_process: weakref.WeakSet[MemoryStore] = weakref.WeakSet()


def _after_fork() -> None:
    """A thread that a fork left behind may hold a lock for ever."""
    for store in _in_this_process:
        store._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class MemoryStore(MemoryMoves):
    """A `Store` in a few dictionaries. Its clock is the process's: `offset` is 0."""

    offset: float = 0.0
    at_hand = True
    """A near cache would be no nearer."""

    def __init__(self) -> None:
        self._writes = 0
        self._lock = threading.RLock()
        _in_this_process.add(self)
        self._sessions: dict[str, Record | Ended | Departed] = {}
        self._users: dict[str, dict[str, None]] = {}
        self._gates: dict[str, tuple[Gate, float]] = {}
        self._tickets: dict[str, tuple[str, str, float, float]] = {}
        self._trail: deque[AuditEntry] = deque()
        self._told = 0
        self._purged_at = 0.0
        self._secret = secrets.token_urlsafe(32)

    def own_secret(self) -> str:
        """As old as the process, like the sessions."""
        return self._secret

    def load(self, handle: str) -> Held:
        value = self._sessions.get(handle)
        if isinstance(value, Departed):
            raise SessionMoved(handle)
        return value

    @_locked
    def create(self, record: Record, now: float) -> bool:
        self._tidy(now)
        if record.handle in self._sessions:
            return False
        self._put(record)
        return True

    @_locked
    def login(
        self, record: Record, began: float, now: float, limit: int | None, reason: str, replaces: str | None = None
    ) -> Login:
        user = str(record.user_id)
        self._tidy(now)
        gate = self._gate(user)
        if gate.bars(began):
            return Login(None)
        record = gate.admit(record, now)
        self._put_new(record)
        self._keep_gate(user, gate, record.expires_at)
        members = self.sessions(user, now, len(self._users[user]), None)
        others = [old.handle for old in members if old.handle not in {record.handle, replaces}]
        over = others[limit - 1 :] if limit else []
        for handle in over:
            self._bury(handle, Ended(reason, now))
        return Login(record, tuple(over))

    @_locked
    def commit(self, handle: str, change: Change, now: float) -> Held:
        record = self.load(handle)
        if not isinstance(record, Record):
            return record
        after = apply(record, change, now)
        if isinstance(after, Record):
            self._put(after)
        elif after.by_this:
            self._bury(handle, after)
        return after

    @_locked
    def replace(self, handle: str, change: Change, new: Record, now: float) -> Held:
        record = self.load(handle)
        if not isinstance(record, Record):
            return record
        after = apply(record, change, now)
        if isinstance(after, Record):
            after = after._replace(handle=new.handle, secrets=new.secrets, settled=new.settled)
            self._put_new(after)
            self._bury(handle, Ended("replaced", now, successor=new.handle))
        elif after.by_this:
            self._bury(handle, after)
        return after

    @_locked
    def end(self, handle: str, user_id: str | None, reason: str, now: float) -> Held:
        value = self.load(handle)
        if isinstance(value, Record):
            over = value.over(now)
            self._bury(handle, over or Ended(reason, now))
            return over or value
        return value

    @_locked
    def sessions(self, user_id: str, now: float, limit: int, after: str | None) -> list[Record]:
        found = [self._sessions[handle] for handle in self._users.get(user_id, ())]
        live = sorted(
            (record for record in found if isinstance(record, Record) and not record.over(now)),
            key=lambda record: (record.created_at, record.handle),
            reverse=True,
        )
        start = next((n for n, record in enumerate(live, 1) if record.handle == after), 0)
        return live[start : start + limit]

    @_locked
    def revoke_user(self, user_id: str, keep: str | None, reason: str, now: float, until: float) -> list[str]:
        self._keep_gate(user_id, self._gate(user_id).closed(now), until)
        while keep and isinstance(value := self._sessions.get(keep), Ended) and value.successor:
            keep = value.successor
        here = [handle for handle in self._users.get(user_id, ()) if isinstance(self._sessions[handle], Record)]
        return self._end_all([handle for handle in here if handle != keep], reason, now)

    @_locked
    def update_user(self, user_id: str, fields: dict[str, Wire], now: float, until: float) -> int:
        gate = self._gate(user_id).with_patch(fields, now)
        self._keep_gate(user_id, gate, until)
        change = Change(set=fields, patch=gate.seq)
        count, moved = 0, None
        for handle in list(self._users.get(user_id, ())):
            try:
                count += isinstance(self.commit(handle, change, now), Record)
            except SessionMoved as error:
                moved = error
        if moved is not None:
            raise moved
        return count

    @_locked
    def revoke_all(self, before: float, reason: str, now: float) -> int:
        records = [value for value in self._sessions.values() if isinstance(value, Record)]
        return len(self._end_all([record.handle for record in records if record.created_at <= before], reason, now))

    def _end_all(self, handles: list[str], reason: str, now: float) -> list[str]:
        return [handle for handle in handles if isinstance(self.end(handle, None, reason, now), Record)]

    @_locked
    def redeem(self, handle: str, jti: str, nonce: str, note: str, now: float, until: float) -> Taken:
        found = held(self.load(handle), now)
        if not isinstance(found, Record):
            return Taken(False, ended=found or Ended("unknown", now))
        mark = self._tickets.setdefault(jti, (nonce, note, now, until))
        return Taken(mark[0] == nonce, mark[2], mark[1])

    @_locked
    def taken(self, handle: str, jti: str, now: float) -> Taken:
        found = held(self.load(handle), now)
        if not isinstance(found, Record):
            return Taken(False, ended=found or Ended("unknown", now))
        mark = self._tickets.get(jti)
        return Taken(False, mark[2], mark[1]) if mark else Taken(True)

    @_locked
    def purge(self, now: float, batch: int = 500) -> int:
        old = [handle for handle, value in self._sessions.items() if _forget_at(value) <= now][:batch]
        for handle in old:
            self._drop_member(self._sessions.pop(handle), handle)
        spent = [jti for jti, mark in self._tickets.items() if mark[3] <= now][: batch - len(old)]
        for jti in spent:
            del self._tickets[jti]
        shut = [user for user, (_, until) in self._gates.items() if until <= now and user not in self._users]
        for user in shut[: batch - len(old) - len(spent)]:
            del self._gates[user]
        return min(batch, len(old) + len(spent) + len(shut))

    @_locked
    def stats(self, now: float, within: float | None = None) -> Stats:
        tally, tombstones = Tally(now), 0
        for value in self._sessions.values():
            if not isinstance(value, Departed):
                if isinstance(found := held(value, now), Record):
                    tally.add(found)
                else:
                    tombstones += 1
        return tally.stats(tombstones, sum(mark[3] > now for mark in self._tickets.values()))

    @_locked
    def append(self, entries: list[AuditEntry], keep: float | None) -> None:
        """As `trail.Trails`."""
        for entry in entries:
            self._told += 1
            self._trail.appendleft(entry._replace(place=str(self._told)))

    @_locked
    def entries(self, user_id: str | None, handle: str | None, before: str | None, limit: int) -> list[AuditEntry]:
        """As `trail.Trails`."""
        place = row_number(before)
        last = self._told + 1 if place is None else place
        found = (
            entry
            for entry in self._trail
            if int(entry.place) < last
            and (user_id is None or entry.user_id == user_id)
            and (handle is None or entry.handle == handle)
        )
        return list(islice(found, limit))

    @_locked
    def forget(self, keep: float, now: float) -> None:
        """As `trail.Trails`."""
        while self._trail and self._trail[-1].at < now - keep:
            self._trail.pop()

    def close(self) -> None:
        """Keeps what it holds: closing one manager must not log out the users of another."""

    def _put_new(self, record: Record) -> None:
        if record.handle in self._sessions:
            raise StoreUnavailable("the store already has a session of this new, random name: is its data intact?")
        self._put(record)

    def feed(self) -> Counted:
        """As `feed.Feeds`."""
        return Counted(lambda: self._writes, lambda: None)

    def _put(self, record: Record) -> None:
        self._writes += 1
        self._sessions[record.handle] = record
        if record.user_id is not None:
            self._users.setdefault(record.user_id, {})[record.handle] = None

    def _bury(self, handle: str, ended: Ended) -> None:
        self._writes += 1
        self._drop_member(self._sessions[handle], handle)
        # Whoever finds it later is not the one that ended it: a "drop" would delete another tab's cookie.
        self._sessions[handle] = ended._replace(by_this=False)

    def _drop_member(self, value: Record | Ended | Departed, handle: str) -> None:
        record = value.record if isinstance(value, Departed) else value
        if isinstance(record, Record) and record.user_id is not None:
            members = self._users[record.user_id]
            del members[handle]
            if not members:
                del self._users[record.user_id]

    def _gate(self, user_id: str) -> Gate:
        return self._gates.get(user_id, (Gate(), 0.0))[0]

    def _keep_gate(self, user_id: str, gate: Gate, until: float) -> None:
        self._gates[user_id] = (gate, max(until, self._gates.get(user_id, (gate, 0.0))[1]))

    def _tidy(self, now: float) -> None:
        if now - self._purged_at >= _PURGE_EVERY:
            self._purged_at = now
            self.purge(now, batch=1_000_000)


def _forget_at(value: Record | Ended | Departed) -> float:
    return value.until if isinstance(value, Departed) else value.forget_at


_shared: dict[str, MemoryStore] = {}


def open_sync(url: str, namespace: str) -> MemoryStore:
    """This process's store of that namespace."""
    return _shared.setdefault(namespace, MemoryStore())


class AsyncMemoryStore(Inline, AsyncMoves):
    """The same `store`, for asynchronous callers; `at_hand`, as there."""

    store: MemoryStore
    at_hand = True

    def feed(self) -> Counted:
        """As `feed.Feeds`."""
        return self.store.feed()

    def own_secret(self) -> str:
        """As the store's."""
        return self.store.own_secret()


def open_async(url: str, namespace: str) -> AsyncMemoryStore:
    """This process's store of that namespace, for asynchronous callers."""
    return AsyncMemoryStore(open_sync(url, namespace))
