"""`make races`: the same two races over other session libraries and over ours, on one Redis, in one run."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from bench.servers import redis_server

from . import page
from .contenders import CONTENDERS, Contender
from .race import Score, run
from .stage import stage


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def races(contenders: Sequence[Contender], redis_url: str, rounds: int, requests: int) -> list[Score]:
    """The scores, each contender in a database of its own."""
    scores = []
    for number, contender in enumerate(contenders):
        score = Score(contender.name, contender.ours)
        scores.append(score)

        def tell(line: str, name: str = contender.name) -> None:
            if sys.stderr.isatty():
                print(f"\r{name}: {line} ", end="", file=sys.stderr, flush=True)

        async with stage(contender, f"{redis_url.removesuffix('/0')}/{number}") as track:
            await run(track, score, rounds, requests, tell)
        ended = "\r" if sys.stderr.isatty() else ""
        _say(
            f"{ended}{contender.name}: {score.lost} of {score.writes} updates lost, "
            f"{score.revived} of {score.logouts} logouts undone   "
        )
    return scores


def main() -> int:
    """Race and tell; 1 if ours has lost or revived anything."""
    parser = argparse.ArgumentParser(prog="python -m bench.races", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="of each race (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=10, help="that overlap in a round (default: %(default)s)")
    parser.add_argument("--only", default="", help="libraries whose name contains this")
    parser.add_argument("--write", action="store_true", help="write docs/races.md and docs/races.svg anew")
    options = parser.parse_args()
    chosen = [one for one in CONTENDERS if options.only.lower() in one.name.lower()]
    with redis_server() as redis_url:
        if redis_url is None:
            _say("redis-server is not installed: `make system` installs it")
            return 2
        scores = asyncio.run(races(chosen, redis_url, options.rounds, options.requests))
    print(page.table(scores), end="")
    if options.write:
        page.write(scores)
        _say("written to docs/races.md and docs/races.svg")
    return int(any(one.ours and (one.lost or one.revived) for one in scores))


if __name__ == "__main__":
    sys.exit(main())
