"""A login storm on one SQLite file: two processes, each with many logins in flight, every one of them on disk."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck.errors import StoreUnavailable

PROCESSES = 2
FLIGHT = 50
"""Logins in flight, in each process."""
SECONDS = 3.0
SECRET = "a-key-that-guards-nothing-for-this-bench-only"


class Storm(NamedTuple):
    """One run, all processes together."""

    a_second: float
    """Logins that were acknowledged."""
    refused: int
    """Logins that waited for the file in vain."""


async def _logins(url: str, name: str) -> None:
    async with AsyncSessionManager(url, secret=SECRET) as manager:
        done = refused = 0

        async def some(number: int, until: float) -> None:
            nonlocal done, refused
            turn = 0
            while time.monotonic() < until or not turn:
                turn += 1
                session = await manager.load(None)
                session.login(f"{name}-{number}-{turn}")
                try:
                    await manager.commit(session)
                    done += 1
                except StoreUnavailable:
                    refused += 1

        await some(-1, 0)  # opens what has to be opened
        print("ready", flush=True)
        sys.stdin.readline()
        began, done = time.monotonic(), 0
        async with asyncio.TaskGroup() as group:
            for number in range(FLIGHT):
                group.create_task(some(number, began + SECONDS))
        print(done, time.monotonic() - began, refused, flush=True)


def storm() -> Storm:
    """Once. Raises RuntimeError if a login is missing afterwards that was acknowledged."""
    with TemporaryDirectory(prefix="coatcheck-bench-") as folder:
        url = f"sqlite:///{Path(folder, 'sessions.db')}"
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "bench.storm", url, f"process-{number}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
            )
            for number in range(PROCESSES)
        ]
        try:
            return _raced(processes, url)
        finally:
            for process in processes:
                process.kill()
                process.communicate()


def _raced(processes: list[subprocess.Popen[str]], url: str) -> Storm:
    def hear() -> list[list[str]]:
        lines = [process.stdout.readline().split() for process in processes if process.stdout]
        if not all(lines):
            raise RuntimeError("a process of the login storm has ended; see above")
        return lines

    hear()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    told = hear()
    with SessionManager(url, secret=SECRET) as manager:
        there = manager.stats().sessions
    acknowledged = sum(int(done) for done, _, _ in told)
    if there < acknowledged:
        raise RuntimeError(f"{acknowledged} logins were acknowledged, and {there} are there")
    return Storm(sum(int(done) / float(spent) for done, spent, _ in told), sum(int(refused) for _, _, refused in told))


if __name__ == "__main__":
    asyncio.run(_logins(*sys.argv[1:]))
