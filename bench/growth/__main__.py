"""`make bench-growth`: whether a request costs more when a session holds more, a user has more, more come at once."""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import sys
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.servers import RedisServer

from . import page, processes
from .page import AXES, Axis, Grown
from .site import Site

STORES = ("SQLite", "Redis")
ROUNDS = 15
CROWDS = 3


def _say(text: str, end: str = "\n") -> None:
    if end == "\n" or sys.stderr.isatty():
        print(text, end=end, file=sys.stderr, flush=True)


async def _measure(axis: Axis, urls: dict[str, str], rounds: int) -> Grown:
    """Everything of one axis takes turns, in an order that is drawn anew for each round."""
    async with AsyncExitStack() as closing:
        sites = {}
        for value in axis.values:
            _say(f"\r\x1b[K{axis.name}: filling {value:,}", end="")
            flight = value if axis.setting == "flight" else 1
            sites["bare", value] = Site(None, flight=flight)
            for store, url in urls.items():
                site = sites[store, value] = Site(url, **{axis.setting: value})
                closing.push_async_callback(site.close)
        laps = [(*key, kind) for key in sites for kind in (axis.kinds if key[0] != "bare" else ("read",))]
        found = Grown(axis.name, {lap: [] for lap in laps})
        gc.collect()
        gc.freeze()
        for number in range(rounds + 1):
            _say(f"\r\x1b[K{axis.name}: round {number} of {rounds}", end="")
            for store, value, kind in random.sample(laps, len(laps)):
                gc.collect()
                seconds = await sites[store, value].lap(kind)
                if number:  # the first round warms up
                    found.seconds[store, value, kind].append(seconds)
        gc.unfreeze()
        return found


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of each (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write docs/growth.md and its picture anew")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="coatcheck-growth-"))
        redis = stack.enter_context(RedisServer())
        found = []
        for number, axis in enumerate(AXES):
            urls = {"SQLite": f"sqlite:///{Path(folder, f'{number}.db')}", "Redis": redis.url}
            found.append(asyncio.run(_measure(axis, {store: urls[store] for store in STORES}, options.rounds)))
        crowds: page.Crowds = {}
        for turn in range(CROWDS):
            for number in processes.PROCESSES:
                for store, url in {"SQLite": f"sqlite:///{Path(folder, 'crowd.db')}", "Redis": redis.url}.items():
                    _say(f"\r\x1b[K{number} processes, round {turn + 1} of {CROWDS}", end="")
                    for kind, a_second in processes.together(url, number).items():
                        crowds.setdefault((store, kind), {}).setdefault(number, []).append(a_second)
    _say("")
    print(page.page(found, crowds, options.rounds))
    if options.write:
        page.write(found, crowds, options.rounds)
        _say("written to docs/growth.md and docs/images/growth.svg")


if __name__ == "__main__":
    main()
