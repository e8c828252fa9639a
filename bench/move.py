"""`python -m bench.move`: a whole move from SQLite to Redis under load, with the mover killed in the middle.

Two uvicorn workers serve from both stores, and the visitors of `bench.soak`, who know what every answer has to be, come
as fast as they are answered. The mover is killed with SIGKILL several times. Then the workers are replaced by ones that
have the new URL alone, and every session is looked at. Exit code 1 if one answer was wrong.

It shows that the whole holds. A race of a few milliseconds it meets only by luck: those are in
`tests/stores/test_moving_races.py`, in every order.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.scale.stock import records
from bench.servers import redis_server
from bench.soak.stage import workers
from bench.soak.visitors import Household, Oracle
from bench.soak.wire import Tally
from coatcheck import SessionManager
from coatcheck.moves import Departed
from coatcheck.record import Record, dump_record

DEVICES = 3
QUIET = 3.0
"""Seconds of load before the move, and after it."""


def _say(text: str) -> None:
    print(text, flush=True)


def _fill(url: str, crowd: int) -> list[Record]:
    """Sessions of people who are not here: so the move takes a while."""
    with SessionManager(url) as manager:
        store: Any = manager.store
        made = list(islice(records(crowd, forgotten=False), crowd))
        for place in range(0, len(made), 1000):
            store.arrive([Departed(0.0, 0.0, one) for one in made[place : place + 1000]], time.time())
    return made


@contextmanager
def _mover(old: str, new: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "coatcheck", "move", old, new]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


async def _move(old: str, new: str, kills: int, after: float) -> str:
    """The whole move, killed so often on its way; what the last one said."""
    for number in range(kills + 1):
        with _mover(old, new) as process:
            if number < kills:
                await asyncio.sleep(after)
                still = process.poll() is None
                process.send_signal(signal.SIGKILL)
                await asyncio.to_thread(process.communicate)
                _say(f"the mover was killed ({'in the middle' if still else 'after its end'})")
                continue
            text, _ = await asyncio.to_thread(process.communicate)
            if process.returncode:
                raise RuntimeError(text)
            return text
    raise RuntimeError("no mover came to its end")


async def _run(folder: Path, redis: str, options: argparse.Namespace) -> bool:
    old, secret = f"sqlite:///{folder}/sessions.db", os.environ["COATCHECK_SECRET"]
    crowd = await asyncio.to_thread(_fill, old, options.crowd)
    oracle, tally = Oracle(), Tally()
    families: list[Household] = []

    async def visited(url: str, doing: Any) -> Any:
        with workers(url, folder, "", secret=secret, speed=1) as (port, _):
            for family in families:
                family.go_to(port)
            families[:] = families or [
                Household(f"h{number}", port, DEVICES, oracle, tally) for number in range(options.households)
            ]
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                for family in families:
                    group.create_task(family.live(stop))
                result = await doing()
                stop.set()
            return result

    async def moved() -> str:
        await asyncio.sleep(QUIET)
        _say(f"{len(tally.seconds)} requests before the move")
        began = time.monotonic()
        text = await _move(old, redis, options.kills, options.after)
        _say(f"{text}the move took {time.monotonic() - began:.1f} s with its deaths; {len(tally.seconds)} requests")
        await asyncio.sleep(QUIET)
        return text

    await visited(f"{old} -> {redis}", moved)
    await visited(redis, lambda: asyncio.sleep(QUIET))
    lost = await asyncio.to_thread(_lost, redis, crowd)
    wrong = len(oracle.wrong)
    unsure = tally.statuses.get(503, 0)
    errors = sum(count for status, count in tally.statuses.items() if status >= 500 and status != 503)
    logs = [line for line in (folder / "log").read_text(errors="replace").splitlines() if "Traceback" in line]
    _say(
        f"{len(tally.seconds)} requests to {len(oracle.processes)} processes, {oracle.checks} answers checked: "
        f"{wrong} wrong (a logout, a lost write, one who came back), "
        f"{unsure} of 503, {errors} of 500, {len(logs)} faults in the logs; "
        f"{len(crowd)} absent visitors: {lost} lost or changed"
    )
    for line in oracle.wrong[:10]:
        _say(line)
    return not (wrong or lost or errors or logs)


def _lost(url: str, crowd: list[Record]) -> int:
    with SessionManager(url) as manager:
        found = ((manager.store.load(one.handle), one) for one in crowd)
        return sum(not isinstance(now, Record) or dump_record(now) != dump_record(one) for now, one in found)


def main() -> int:
    """Move and tell."""
    parser = argparse.ArgumentParser(prog="python -m bench.move", description=__doc__)
    parser.add_argument("--crowd", type=int, default=100_000, help="sessions that nobody uses (default: %(default)s)")
    parser.add_argument("--households", type=int, default=40, help="of three visitors each (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=3, help="times that the mover is killed (default: %(default)s)")
    parser.add_argument("--after", type=float, default=2.0, help="seconds until then (default: %(default)s)")
    options = parser.parse_args()
    os.environ["COATCHECK_SECRET"] = "a-key-that-guards-nothing-for-this-bench-only"
    with TemporaryDirectory(prefix="coatcheck-move-") as folder, redis_server() as redis:
        if redis is None:
            raise RuntimeError("redis-server is not installed")
        return 0 if asyncio.run(_run(Path(folder), redis, options)) else 1


if __name__ == "__main__":
    sys.exit(main())
