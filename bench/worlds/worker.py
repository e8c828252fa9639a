"""`python -m bench.worlds.worker NAME`: one framework's process, told what to do by lines of JSON, and idle between.

It begins with what it has; then each line that comes names a contender and how many requests are in flight, and is
answered with what was measured. A fault, or a wrong answer, is its end.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from collections.abc import Coroutine
from importlib import import_module
from importlib.metadata import version
from typing import Any, TypeVar

from .contender import VISITORS, Contender
from .slices import measure
from .world import KINDS, Place, Subject, World

T = TypeVar("T")


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end what never suspends. Raises RuntimeError for what does.

    Synchronous frameworks look for an event loop around them, and refuse to block it.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("it suspends")


def contenders(world: World) -> dict[tuple[str, str], Contender]:
    """By the subject's name, and the class of request."""
    bare = Subject("bare", {"read": world.bare})
    return {
        (subject.name, kind): Contender(world.asking, subject, kind, world.loop)
        for subject in [bare, *world.subjects]
        for kind in KINDS
        if kind in subject.apps and kind not in subject.passes
    }


def serve(name: str, place: Place, only: str) -> None:
    """Until nothing more comes."""
    with asyncio.Runner() as runner:
        module, _, store = name.partition(":")
        opening = import_module(f"bench.worlds.{module}").world(place, *([store] if store else []))
        world: World = runner.run(opening) if asyncio.iscoroutine(opening) else opening
        run: Any = runner.run if world.loop else drive
        found = contenders(world)
        wanted = {key for key in found if only in f"{name} {key[0]} {key[1]}".lower() or key[0] == "bare"}
        flights = (1, VISITORS) if world.loop else (1,)
        for key in wanted:
            run(found[key].prepare())
            for flight in flights:  # opens connections, makes files, fills caches
                run(measure(found[key], flight))
        gc.collect()
        gc.freeze()
        listed = [[*key, found[key].subject.ours] for key in found if key in wanted]
        tell({"contenders": listed, "flights": flights, "versions": {name: version(name) for name in world.versions}})
        for line in sys.stdin:
            subject, kind, flight = json.loads(line)
            tell(run(measure(found[subject, kind], flight)))


def tell(what: Any) -> None:
    """One line."""
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    where = Place(
        os.environ["BENCH_FOLDER"],
        os.environ.get("BENCH_REDIS") or None,
        os.environ.get("BENCH_POSTGRESQL") or None,
        os.environ["BENCH_SECRET"],
    )
    serve(sys.argv[1], where, os.environ.get("BENCH_ONLY", ""))
