"""Threads in one or several processes that work on one store at the same time."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

from coatcheck import SessionManager
from coatcheck.testing.kit import KEY
from tests.patience import patient

PATIENCE = 60.0
"""Seconds after which whoever waits for the others fails."""


class Barrier(Protocol):
    """Where all of a crew wait for each other."""

    def wait(self, timeout: float | None = None) -> int:
        """Go on when everybody is there."""
        ...


Job = Callable[[SessionManager, Barrier, int], Any]
"""What each member does, with a number of its own. It is pickled: a function of a module, or a partial of one."""


class _Here:
    barrier: Barrier


def _arrive(barrier: Barrier) -> None:
    _Here.barrier = barrier


def _work(url: str, namespace: str, job: Job, numbers: range) -> list[Any]:
    if multiprocessing.parent_process():
        patient()
    with (
        SessionManager(url, secret=KEY, namespace=namespace) as manager,
        ThreadPoolExecutor(len(numbers)) as threads,
    ):
        jobs = [threads.submit(job, manager, _Here.barrier, number) for number in numbers]
        return [one.result(PATIENCE) for one in jobs]


@contextmanager
def _pool(processes: int, members: int) -> Iterator[Executor]:
    if processes == 1:
        _arrive(threading.Barrier(members, timeout=PATIENCE))
        with ThreadPoolExecutor(1) as pool:
            yield pool
    else:
        context = multiprocessing.get_context("spawn")
        barrier = context.Barrier(members, timeout=PATIENCE)
        with ProcessPoolExecutor(processes, context, _arrive, (barrier,)) as pool:
            yield pool


def at_once(url: str, namespace: str, job: Job, *, processes: int, threads: int) -> list[Any]:
    """What the members returned, in the order of their numbers; each process has so many threads."""
    with _pool(processes, processes * threads) as pool:
        crews = [
            pool.submit(_work, url, namespace, job, range(first * threads, (first + 1) * threads))
            for first in range(processes)
        ]
        return [result for crew in crews for result in crew.result(PATIENCE)]
