"""`make bench`: what Coatcheck costs beside what others cost, in one run.

ARGS=--quick takes about a minute and wider spreads; ARGS=--write also writes docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from . import apps, footprint, report
from .measure import Contender, Heat, compete
from .ours import Coatcheck
from .servers import redis_server

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
FLIGHT = 50
SECONDS = 40.0
QUICK = 8.0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _progress(title: str, seconds: float) -> Callable[[int, float], None]:
    """Tells how far a heat is: in place on a terminal, else once at its end."""
    _say(f"{title}, about {seconds:.0f} s")

    def tell(rounds: int, spent: float) -> None:
        if sys.stderr.isatty():
            print(f"\r  {rounds} rounds, {spent:.0f} s ", end="", file=sys.stderr, flush=True)
            if spent >= seconds:
                print(file=sys.stderr)

    return tell


async def _measure(folder: Path, redis_url: str | None, seconds: float) -> report.Results:
    async with AsyncExitStack() as closing:

        def open_store(name: str, url: str) -> Coatcheck:
            store = Coatcheck(name, url)
            closing.push_async_callback(store.close)
            return store

        memory = open_store("memory", "memory://")
        sqlite = open_store("SQLite", f"sqlite:///{folder / 'sessions.db'}")
        peers = [apps.bare(), apps.pyjwt("HS256"), apps.pyjwt("RS256"), apps.signed_cookie()]
        alone = [*peers, memory.read(), sqlite.read(), sqlite.untouched(), sqlite.visitor()]
        together = [apps.bare(), apps.pyjwt("HS256"), sqlite.read()]
        writes = [apps.bare(), apps.pyjwt("HS256"), memory.write(), sqlite.write(), memory.login(), sqlite.login()]
        if redis_url:
            remote, stars = open_store("Redis", redis_url), apps.StarSessions(redis_url)
            closing.push_async_callback(stars.close)
            alone += [remote.read(), stars.read()]
            together += [remote.read(), stars.read()]
            writes += [remote.write(), remote.login(), stars.write()]

        async def heat(title: str, contenders: Sequence[Contender], flight: int) -> Heat:
            return await compete(contenders, flight, seconds, _progress(title, seconds))

        return report.Results(
            alone=await heat("One request at a time", alone, 1),
            together=await heat(f"{FLIGHT} requests in flight", together, FLIGHT),
            writes=await heat("Writes and logins", writes, 1),
            weights=footprint.weights(),
            start=footprint.start(),
        )


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:.0f} s for each part in place of {SECONDS:.0f}")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md anew")
    options = parser.parse_args()
    begun = time.monotonic()
    with TemporaryDirectory(prefix="coatcheck-bench-") as folder, redis_server() as redis_url:
        if redis_url is None:
            _say("redis-server is not installed: what needs it is left out (`make system` installs it)")
        results = asyncio.run(_measure(Path(folder), redis_url, QUICK if options.quick else SECONDS))
    text = report.page(results)
    print(text)
    _say(f"done in {time.monotonic() - begun:.0f} s")
    if options.write:
        PAGE.write_text(text)
        _say(f"written to {PAGE.relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
