"""The audit trail: who signed in, what ended and why, kept for a while in the store (ASVS 16.2.1, 16.3.1).

Entries are written by a thread of their own, a moment after what they tell of: no request waits for them, and none
fails with them. A process that is killed loses what still waited, at most a fraction of a second.
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections import deque
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
_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
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
        atexit.register(_flush, weakref.ref(self))

    def __repr__(self) -> str:
        return f"<AuditTrail in {self._store!r}>"

    def forked(self) -> object:
        """As `fork.Forkable`: what waited is the parent's to write."""
        self._waiting: deque[AuditEntry] = deque()
        self._changed = threading.Condition()
        self._writer: threading.Thread | None = None
        self._over = False
        self._lost = 0
        return None

    def __call__(self, event: Event) -> None:
        """Take an event, as a subscriber. Never waits, and never raises."""
        everybody = event.name == "ended" and "of" in event.detail
        if event.name not in KEPT or (event.user_id is None and not everybody):
            return
        entry = AuditEntry(event.at, event.name, event.user_id, event.handle, event.reason, dict(event.detail))
        with self._changed:
            if len(self._waiting) >= _MOST_WAITING:
                self._lost += 1
                return
            self._waiting.append(entry)
            if self._writer is None:
                self._over = False
                self._writer = threading.Thread(target=self._write, name="coatcheck-audit", daemon=True)
                self._writer.start()
            self._changed.notify_all()

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
            return self._changed.wait_for(lambda: not self._waiting, timeout)

    def close(self) -> None:
        """Write what waits, for at most two seconds, and give the connections back."""
        self.flush()
        with self._changed:
            self._over = True
            writer, self._writer = self._writer, None
            self._changed.notify_all()
        if writer is not None:
            writer.join(_PATIENCE)
        self._store.close()

    def _write(self) -> None:
        mine, pause = threading.current_thread(), _PAUSE
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._over)
                if self._over or self._writer is not mine:
                    return
                batch = [self._waiting[place] for place in range(min(_BATCH, len(self._waiting)))]
                lost, self._lost = self._lost, 0
            if lost:
                logger.warning("%d entries of the audit trail were lost: its store is too slow, or down", lost)
            try:
                self._store.append(batch, self._seconds)
            except CoatcheckError as error:
                logger.warning("the audit trail waits for its store: %s", error)
                with self._changed:
                    self._changed.wait_for(lambda: self._over, pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause = _PAUSE
            with self._changed:
                for _ in batch:
                    self._waiting.popleft()
                self._changed.notify_all()
            self._trim()

    def _trim(self) -> None:
        now = self._clock()
        if self._seconds is not None and now - self._trimmed_at >= _TRIM_EVERY:
            self._trimmed_at = now
            try:
                self._store.forget(self._seconds, now)
            except CoatcheckError as error:
                logger.warning("old entries of the audit trail were not deleted: %s", error)


def _flush(trail: weakref.ref[AuditTrail]) -> None:
    if (found := trail()) is not None:
        found.flush()
