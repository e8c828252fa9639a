"""`python -m bench.storm`: how many durable logins a second one SQLite file takes, from one process and from two.

Each process has 50 logins in flight. A login counts when its commit is acknowledged, which is when it is on disk; in
the end every one of them is looked for in the file.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import secrets
import statistics
import sys
import time
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck.errors import CoatcheckError

FLIGHT = 50
LOGINS = 6000
"""Of all processes together, in a round."""
ROUNDS = 7


@dataclass
class Storm:
    """What one process has seen."""

    tokens: list[str]
    failed: int
    began: float
    ended: float
    slowest: float
    """Seconds that the slowest of a hundred took."""


async def _storm(url: str, secret: str, start: Barrier, number: int) -> Storm:
    tokens, waits, failed = list[str](), list[float](), 0
    async with AsyncSessionManager(url, secret=secret) as manager:

        async def login() -> None:
            began = time.perf_counter()
            session = await manager.load(None)
            session.login(f"user-{secrets.token_hex(8)}")
            session["role"] = "administrator"
            tokens.append(str((await manager.commit(session)).token))
            waits.append(time.perf_counter() - began)

        async def visitor() -> None:
            nonlocal failed
            while next(left, None) is not None:
                try:
                    await login()
                except CoatcheckError:
                    failed += 1

        left = iter(range(FLIGHT))
        await asyncio.gather(*(visitor() for _ in range(FLIGHT)))
        await asyncio.to_thread(start.wait)
        left, waits[:] = iter(range(number)), []
        began = time.time()
        await asyncio.gather(*(visitor() for _ in range(FLIGHT)))
        return Storm(tokens, failed, began, time.time(), statistics.quantiles(waits, n=100)[98])


def _process(url: str, secret: str, start: Barrier, number: int, told: Queue[Storm]) -> None:
    told.put(asyncio.run(_storm(url, secret, start, number)))


def storm(processes: int, logins: int = LOGINS) -> tuple[float, float]:
    """Logins a second, and the wait of the slowest of a hundred in seconds. Raises AssertionError for a lost one."""
    context = multiprocessing.get_context("spawn")
    with TemporaryDirectory(prefix="coatcheck-bench-") as folder:
        url, secret = f"sqlite:///{Path(folder) / 'sessions.db'}", secrets.token_urlsafe(32)
        start: Barrier = context.Barrier(processes)
        told: Queue[Storm] = context.Queue()
        share = logins // processes
        team = [context.Process(target=_process, args=(url, secret, start, share, told)) for _ in range(processes)]
        for one in team:
            one.start()
        storms = [told.get() for _ in team]
        for one in team:
            one.join()
        with SessionManager(url, secret=secret) as manager:
            lost = sum(manager.load(token).user_id is None for one in storms for token in one.tokens)
    failed = sum(one.failed for one in storms)
    assert not lost, f"{lost} acknowledged logins are not in the file"
    assert not failed, f"{failed} logins failed"
    span = max(one.ended for one in storms) - min(one.began for one in storms)
    return share * processes / span, max(one.slowest for one in storms)


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(prog="python -m bench.storm", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is measured (%(default)s)")
    options = parser.parse_args()
    for processes in (1, 2):
        rates, waits = [], []
        for turn in range(options.rounds):
            print(
                f"\r{processes} processes, round {turn + 1} of {options.rounds} ", end="", file=sys.stderr, flush=True
            )
            rate, wait = storm(processes)
            rates.append(rate)
            waits.append(wait)
        low, median, high = statistics.quantiles(rates, n=4, method="inclusive")
        print(
            f"\r{processes} processes: {median:.0f} durable logins a second ({low:.0f} to {high:.0f}), 99 in "
            f"100 within {statistics.median(waits) * 1000:.0f} ms"
        )


if __name__ == "__main__":
    main()
