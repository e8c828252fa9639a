"""Several processes over one store: requests a second of all together."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from .site import Site

PROCESSES = (1, 2)
KINDS = ("read", "write")
"""Logins: `bench/storm.py`."""
FLIGHT = 20
"""Requests in flight, in each process."""
SECONDS = 2.0


async def _work(url: str) -> None:
    """Each line that comes names a class; the answer is how many a second were answered."""
    site = Site(url, flight=FLIGHT)
    for kind in KINDS:
        await site.lap(kind)
    print("ready", flush=True)
    for line in sys.stdin:
        began, done = time.monotonic(), 0
        while time.monotonic() - began < SECONDS:
            await site.lap(line.strip())
            done += 2 * FLIGHT
        print(done / (time.monotonic() - began), flush=True)
    await site.close()


def together(url: str, number: int) -> dict[str, float]:
    """By class of request. Raises RuntimeError if a process dies."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.growth.processes", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(number)
    ]

    def hear() -> list[str]:
        lines = [process.stdout.readline() for process in processes if process.stdout]
        if not all(lines):
            raise RuntimeError("a process has ended; see above")
        return lines

    try:
        hear()
        found = {}
        for kind in KINDS:
            for process in processes:
                assert process.stdin is not None
                process.stdin.write(f"{kind}\n")
                process.stdin.flush()
            found[kind] = sum(map(float, hear()))
        return found
    finally:
        for process in processes:
            process.kill()
            process.communicate()


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1]))
