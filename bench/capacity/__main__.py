"""`make bench-capacity`: what the sessions of 1, 10 and 100 million users take, computed from what is measured here.

It fills each store, asks each class of request of it, and simulates near caches: about a quarter of an hour. Then it
computes with the traffic that the options say. ARGS="--measured docs/capacity.json --requests 50" only computes.
--write writes docs/capacity.md, its figures and its picture.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from bench.footprint import as_json, data
from bench.report import processor

from . import page, picture, traffic
from .effort import measure
from .figures import Cost, Figures, Weight, dump, load
from .near import simulate
from .requests import SIZE
from .servers import KINDS, place
from .sizing import over_budget
from .weigh import weigh

PACKAGES = ("starlette", "redis", "psycopg")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _measured(stores: list[str], mix: traffic.Mix, sessions: int, rounds: int, lap: int) -> Figures:
    weights: dict[str, dict[int, Weight]] = {}
    costs: dict[str, dict[int, dict[str, Cost]]] = {}
    versions = [f"CPython {platform.python_version()}", *(f"{name} {version(name)}" for name in PACKAGES)]
    for kind in stores:

        def tell(text: str, kind: str = kind) -> None:
            _say(f"{kind}: {text}")

        with place(kind) as there:
            versions.append(there.version())
            weights[kind] = weigh(there, sessions, tell)
            costs[kind] = asyncio.run(measure(there, rounds, lap, tell))
    near = simulate(mix.crowd(), lambda text: _say(f"near caches: {text}"))
    machine = "; ".join([processor(), platform.system(), *dict.fromkeys(versions)])
    return Figures(machine, sessions, rounds, lap, len(as_json(data(SIZE))), weights, costs, near)


def main() -> None:
    """Measure or read, compute, and tell."""
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    parser.add_argument("--measured", type=Path, metavar="FILE", help="compute with these figures; measure nothing")
    parser.add_argument("--stores", default=",".join(KINDS), help="which are measured (default: %(default)s)")
    parser.add_argument("--stored", type=int, default=10_000, help="sessions in each store (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=10, help="of each class of request (default: %(default)s)")
    parser.add_argument("--lap", type=int, default=96, help="requests of each class a round (default: %(default)s)")
    parser.add_argument("--write", dest="page", action="store_true", help="write docs/capacity.md, .json and .svg")
    traffic.add_arguments(parser.add_argument_group("the traffic that is assumed"))
    options = parser.parse_args()
    stores = options.stores.split(",")
    if unknown := {*stores} - {*KINDS}:
        parser.error(f"no such store: {', '.join(sorted(unknown))}")
    try:
        mix = traffic.from_options(options)
        if options.measured:
            text = options.measured.read_text()
        else:
            text = dump(_measured(stores, mix, options.stored, options.rounds, options.lap))
        figures = load(text)  # also what has just been measured: the page has what the file has, to the last digit
        told = page.page(figures, mix)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(told)
    if options.page:
        page.FIGURES.write_text(text)
        page.PAGE.write_text(told)
        picture.draw(figures.near.rates, page.PICTURE)
        _say("written to docs/capacity.md, capacity.json and capacity.svg")
    for line in over_budget(figures):
        _say(f"over the budget for Redis: {line}")


if __name__ == "__main__":
    main()
