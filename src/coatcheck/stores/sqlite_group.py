"""Group commit: what waits for the file at the same moment shares a transaction, and so one wait for the disk.

One thread of a process carries out what its event loops ask for, in the order in which they ask. While it waits for the
disk, others come to wait for it: they are the next group. Nobody is told of success before the one COMMIT has returned.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

from ..errors import StoreUnavailable
from .sqlite_file import Database

LARGEST = 64
"""Writes in a group: other processes wait for as long as one takes."""

SHORT = frozenset({"create", "login", "commit", "replace", "end", "redeem"})
"""Operations on one session. The others take longer, and go alone."""


class Job(NamedTuple):
    """What somebody waits for."""

    method: Callable[..., Any]
    args: tuple[Any, ...]
    deadline: float
    """Until when it may wait for the file, on the monotonic clock."""
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop

    @property
    def is_short(self) -> bool:
        """Whether it may share a transaction."""
        return self.method.__name__ in SHORT


Outcome = tuple[Job, Any, BaseException | None]


class _Undone(Exception):
    """SQLite has rolled back all of the transaction for one part's sake, as it does on a full disk. What came behind
    would be in none, and be stored whatever its caller is told."""


class Crew:
    """The thread of one process, and who waits for it."""

    def __init__(self, db: Database, afterwards: Callable[[], None]) -> None:
        """`afterwards`: what is done behind each group, when all have been told."""
        self._db, self._afterwards = db, afterwards
        self._jobs: deque[Job] = deque()
        self._lock = threading.Lock()
        self._working = False
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="coatcheck-sqlite")

    def ask(self, job: Job) -> None:
        """Have it done, after all that was asked for before."""
        with self._lock:
            self._jobs.append(job)
            if self._working:
                return
            self._working = True
        try:
            self._executor.submit(self._work)
        except RuntimeError as error:  # no thread can be had: who has come meanwhile must not wait for it
            with self._lock:
                waiting, self._working = list(self._jobs), False
                self._jobs.clear()
            fault = StoreUnavailable(f"no thread can be started that writes to the session file: {error}")
            _tell([(job, None, fault) for job in waiting])

    def give_up(self, job: Job) -> None:
        """Tell who waits that its time is over, if its turn has not come: what is before it may take long."""
        with self._lock:
            if job not in self._jobs:
                return
            self._jobs.remove(job)
        fault = StoreUnavailable("the session file is busy: a longer operation of this process has it. Try again soon.")
        _deliver([(job, None, fault)])

    def close(self) -> None:
        """Let the thread end, when nothing waits for it."""
        self._executor.shutdown(wait=False)

    def _work(self) -> None:
        while True:
            with self._lock:
                group = self._next()
                if not group:
                    self._working = False
                    return
            if len(group) == 1:
                _tell([self._alone(group[0])])
            else:
                _tell(self._together(group))
                self._afterwards()

    def _next(self) -> list[Job]:
        """The first that waits, and the short ones right behind it if it is short itself."""
        group: list[Job] = []
        while self._jobs and len(group) < LARGEST and (not group or (group[-1].is_short and self._jobs[0].is_short)):
            job = self._jobs.popleft()
            # Whoever has gone away before its turn is not served.
            if not job.future.cancelled():
                group.append(job)
        return group

    def _alone(self, job: Job) -> Outcome:
        try:
            return job, self._db.until(job.deadline, job.method, *job.args), None
        except BaseException as error:  # noqa: BLE001 (who waits for it raises it)
            return job, None, error

    def _together(self, group: list[Job]) -> list[Outcome]:
        done: list[Outcome] = []
        try:
            with self._db.together(group[0].deadline) as db:
                for job in group:
                    done.append(self._alone(job))
                    if not db.in_transaction:
                        raise _Undone  # noqa: TRY301 (it has to leave the transaction)
        except _Undone:
            return [self._alone(job) for job in group]
        except BaseException as error:  # noqa: BLE001 (who waits for it raises it; the others behind are still served)
            if done or not isinstance(error, StoreUnavailable):
                return [(job, None, error) for job in group]
            # The file could not be had: the first has waited for as long as it may, and the others go on waiting.
            with self._lock:
                self._jobs.extendleft(reversed(group[1:]))
            return [(group[0], None, error)]
        return done


def _tell(outcomes: list[Outcome]) -> None:
    loops: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for outcome in outcomes:
        loops.setdefault(outcome[0].loop, []).append(outcome)
    for loop, own in loops.items():
        with suppress(RuntimeError):  # it was closed, and nobody waits any more
            loop.call_soon_threadsafe(_deliver, own)


def _deliver(outcomes: Iterable[Outcome]) -> None:
    for job, result, error in outcomes:
        if job.future.done():
            continue
        if error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(error)


def job(method: Callable[..., Any], args: tuple[Any, ...], patience: float) -> Job:
    """One of the running event loop's, that may wait for `patience` seconds."""
    loop = asyncio.get_running_loop()
    return Job(method, args, time.monotonic() + patience, loop.create_future(), loop)
