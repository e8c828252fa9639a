"""The audit trail: who signed in, what ended and why, kept for a while in the store (ASVS 16.2.1, 16.3.1).

Entries are written by a thread of their own, a moment after what they tell of: no request waits for them, and none
fails with them. A process that is killed loses what still waited: a fraction of a second's, or what came since the
store went down.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from . import fork
from .clock import Clock, system_clock
from .connect import open_store
from .errors import CoatcheckError, ConfigurationError
from .events import Event, logger
from .session import UserId, user_id_text
from .token import looks_like_handle
from .trail import AuditEntry, Trails

RETENTION = timedelta(days=90)
"""How long entries are kept unless you say otherwise."""

KEPT = frozenset(
    {"authenticated", "exchanged", "ended", "login_refused", "token_unknown", "ticket_issued", "ticket_redeemed"}
)
"""The events that it keeps, where they are about a user: what visitors without a session can set off fills no disk."""

_MOST_WAITING = 10_000
"""Entries that wait for the store: about 5 MB. What comes beyond is counted, and lost."""
_BATCH = 200
_SHORTEST_PAUSE, _PAUSE, _LONGEST_PAUSE = 0.1, 1.0, 60.0
_PATIENCE = 2.0
_TRIM_EVERY = 3600.0


class AuditTrail:
    """Keeps a manager's events for `retention`. Constructing it does no I/O.

    `store` is the URL of any store, or a synchronous store object; None: the environment's `COATCHECK_STORE`.
    `retention=None` deletes nothing. `clock` returns seconds since the epoch, for tests.

    Raises `ConfigurationError` for a store that keeps no trail, or a retention that is not above zero.
    """

    def __init__(
        self,
        store: Any = None,
        *,
        namespace: str = "coatcheck",
        retention: timedelta | None = RETENTION,
        clock: Clock = system_clock,
    ) -> None:
        if retention is not None and not timedelta(0) < retention:
            raise ConfigurationError(f"retention={retention!r}: a timedelta above zero, as in timedelta(days=90)")
        if store is None:
            store = os.environ.get("COATCHECK_STORE")
        if isinstance(store, str):
            store = store.rsplit(" -> ", 1)[-1]  # while sessions move, it is kept where they go
        opened = open_store(store, namespace, "open_sync")
        if not isinstance(opened, Trails):
            raise ConfigurationError(f"{type(opened).__name__} keeps no audit trail. AuditTrail(URL) takes another one")
        self._store: Any = opened
        self._seconds = None if retention is None else retention.total_seconds()
        self._clock = clock
        self._trimmed_at = float("-inf")
        self.forked()
        fork.watch(self)

    def __repr__(self) -> str:
        return f"<AuditTrail in {self._store!r}>"

    def forked(self) -> object:
        """As `fork.Forkable`: what waited is the parent's to write."""
        self._waiting: deque[AuditEntry] = deque()
        self._changed = threading.Condition()
        self._writer: threading.Thread | None = None
        self._over = self._awaited = False
        self._taken = self._done = self._lost = self._pressing = 0
        return None

    def __call__(self, event: Event) -> None:
        """Take an event, as a subscriber. Never waits, and never raises."""
        everybody = event.name == "ended" and "of" in event.detail
        if event.name not in KEPT or (event.user_id is None and not everybody):
            return
        entry = AuditEntry(event.at, event.name, event.user_id, event.handle, event.reason, dict(event.detail))
        with self._changed:
            self._over = False
            if len(self._waiting) < _MOST_WAITING:
                self._waiting.append(entry)
                self._taken += 1
            else:
                self._lost += 1
            self._begin()
            self._changed.notify_all()

    def _begin(self) -> None:
        """One writer, never two: they would write the same entries, and each count the other's as its own."""
        if self._writer is not None:
            return
        writer = threading.Thread(target=self._write, name="coatcheck-audit", daemon=True)
        try:
            writer.start()
        except RuntimeError as error:  # at a limit of threads; the next entry tries again
            logger.warning("the audit trail waits for a thread: %s", error)
            return
        self._writer = writer
        if not self._awaited:
            self._awaited = True
            _at_exit(weakref.WeakMethod(self._finish))

    def entries(
        self,
        user_id: UserId | None = None,
        handle: str | None = None,
        *,
        limit: int = 100,
        before: str | None = None,
    ) -> list[AuditEntry]:
        """What was kept of a user, of a session, or of everybody, newest first; `before`, the last one's `place`,
        continues a list. Of a session in Redis, give its user as well: else only the newest 10,000 entries are looked
        through.

        Raises `StoreUnavailable`.
        """
        if handle is not None and not looks_like_handle(handle):
            return []
        user = None if user_id is None else user_id_text(user_id)
        found: list[AuditEntry] = self._store.entries(user, handle, before, max(0, limit))
        return found

    def flush(self, timeout: float = _PATIENCE) -> bool:
        """Wait until all that was taken so far is kept, for at most so many seconds; whether it is."""
        with self._changed:
            taken = self._taken
            self._pressing += 1
            self._changed.notify_all()
            if self._waiting and not self._over:
                self._begin()
            self._changed.wait_for(lambda: self._done >= taken or self._writer is None, timeout)
            self._pressing -= 1
            return self._done >= taken

    def close(self) -> None:
        """Write what waits, for about two seconds at most, and give the connections back. What could not be written is
        said, and written if another event comes."""
        until = time.monotonic() + _PATIENCE
        self.flush(_PATIENCE)
        with self._changed:
            self._over = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._writer is None or not self._over, max(0.1, until - time.monotonic()))
        self._tell()
        self._store.close()

    def _finish(self) -> None:
        if not self.flush(_PATIENCE):
            self._tell()

    def _tell(self) -> None:
        """Say how many are not kept, when nobody may come to write them any more."""
        with self._changed:
            waiting, lost, self._lost = len(self._waiting), self._lost, 0
        if waiting or lost:
            text = "the audit trail is closed, and its store did not keep %d entries that wait and %d that were lost"
            logger.warning(text, waiting, lost)

    def _write(self) -> None:
        try:
            self._write_on()
        finally:
            with self._changed:
                if self._writer is threading.current_thread():
                    self._leave()

    def _write_on(self) -> None:
        size, pause = _BATCH, _PAUSE
        while batch := self._next(size):
            try:
                self._store.append(batch, self._seconds)
            except CoatcheckError as error:
                # One by one from here on: of a batch that failed half-way some would be kept twice, at each attempt.
                size = 1
                logger.warning("the audit trail waits for its store: %s", error)
                with self._changed:
                    self._changed.wait_for(lambda: self._over or self._pressing, pause)
                    if self._pressing:  # somebody waits, and the store may be back since
                        self._changed.wait_for(lambda: self._over, _SHORTEST_PAUSE)
                pause = min(2 * pause, _LONGEST_PAUSE)
            except Exception:  # noqa: BLE001 (whatever a store raises; it is logged below)
                # What no store can hold must not hold up what comes after it.
                if size == 1:
                    logger.exception("an entry of the audit trail was lost: its store cannot hold it")
                    self._count(batch)
                size = 1
            else:
                size, pause = min(2 * size, _BATCH), _PAUSE
                self._count(batch)
                self._trim()

    def _leave(self) -> None:
        self._writer = None
        self._changed.notify_all()

    def _next(self, size: int) -> list[AuditEntry]:
        """What to write next, once there is something; nothing at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._over)
            lost, self._lost = (self._lost, 0) if not self._over else (0, self._lost)
            if self._over:
                # Under the same lock: an event a moment later has to find that nobody writes.
                self._leave()
            batch = [] if self._over else [self._waiting[place] for place in range(min(size, len(self._waiting)))]
        if lost:
            logger.warning("%d entries of the audit trail were lost: its store is too slow, or down", lost)
        return batch

    def _count(self, batch: list[AuditEntry]) -> None:
        with self._changed:
            for _ in batch:
                self._waiting.popleft()
            self._done += len(batch)
            self._changed.notify_all()

    def _trim(self) -> None:
        now = self._clock()
        if self._seconds is not None and now - self._trimmed_at >= _TRIM_EVERY:
            self._trimmed_at = now
            try:
                self._store.forget(self._seconds, now)
            except CoatcheckError as error:
                logger.warning("old entries of the audit trail were not deleted: %s", error)


def _at_exit(finish: weakref.WeakMethod[Callable[[], None]]) -> None:
    atexit.register(_call, finish)
    # A forked child of multiprocessing runs these alone.
    if (processes := sys.modules.get("multiprocessing.util")) is not None:
        processes.Finalize(None, _call, (finish,), exitpriority=0)


def _call(finish: weakref.WeakMethod[Callable[[], None]]) -> None:
    if (found := finish()) is not None:
        found()
