"""`make bench`: what Coatcheck costs beside what others cost, in one run.

Each framework has a process of its own, and all of them are there from the start. In each round every contender has
one turn, in an order that is drawn anew, while all others wait. ARGS=--quick takes about two minutes and has wide
spreads; ARGS=--write also writes docs/performance.md and its pictures.
"""

from __future__ import annotations

import argparse
import platform
import random
import secrets
import sys
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.servers import PostgresServer, RedisServer
from tools import programs

from . import footprint, profile, report, storm
from .figures import BARE, Figures, Key, load
from .workers import WORLDS, Worker

MINUTES = 20.0
QUICK = 0.5
"""Minutes of measuring; the processes take about as long to start."""
LEAST = 3
"""Rounds that are measured whatever the time."""
STORMS = 5
DURABLE = ("fsync=on", "full_page_writes=on")
"""As PostgreSQL comes; for tests it is set to forget."""


def _say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)


def _tell(text: str) -> None:
    """Progress, in place; only where there is a terminal."""
    if sys.stderr.isatty():
        _say(f"\r\x1b[K{text}", end="")


def rounds(workers: list[Worker], minutes: float, figures: Figures) -> None:
    """All contenders, in each round once."""
    order = [
        (worker, Key(worker.name, subject, kind, flight), ours)
        for worker in workers
        for subject, kind, ours in worker.contenders
        for flight in worker.flights
    ]
    begun, number, longest = time.monotonic(), 0, 0.0
    # A round that would end too late is not begun.
    while number < LEAST or time.monotonic() - begun + longest < minutes * 60:
        random.shuffle(order)
        started = time.monotonic()
        for place, (worker, key, ours) in enumerate(order):
            spent = (time.monotonic() - begun) / 60
            _tell(f"round {number + 1}, {place} of {len(order)}, {spent:.1f} of about {minutes:.0f} minutes")
            figures.add(key, ours, worker.measure(key.subject, key.kind, key.flight))
        number += 1
        longest = max(longest, time.monotonic() - started)
    _tell("")
    _say(f"{number} rounds of {len(order)} contenders")


def measure(options: argparse.Namespace) -> Figures:
    """The whole run."""
    figures = Figures(machine=f"{report.processor()}; {platform.system()}; CPython {platform.python_version()}")
    figures.quick = options.quick
    with ExitStack() as stack:
        settings = {
            "BENCH_FOLDER": stack.enter_context(TemporaryDirectory(prefix="coatcheck-bench-")),
            "BENCH_SECRET": secrets.token_urlsafe(32),
            "BENCH_LAPS": "1" if options.quick else "5",
            "BENCH_ONLY": options.only.lower(),
        }
        servers: dict[str, tuple[str, RedisServer | PostgresServer]] = {
            "BENCH_REDIS": ("redis-server", RedisServer()),
            "BENCH_POSTGRESQL": ("postgresql", PostgresServer(*DURABLE)),
        }
        for name, (program, server) in servers.items():
            if programs.find(program) is None:
                _say(f"{program} is not installed: what needs it is left out (`make system` installs it)")
            else:
                stack.enter_context(server)
                settings[name] = server.url
        workers = []
        for place, name in enumerate(WORLDS, 1):
            _tell(f"starting {name}, {place} of {len(WORLDS)}")
            worker = stack.enter_context(Worker(name, settings))
            if any(subject != BARE for subject, _, _ in worker.contenders):
                workers.append(worker)
                figures.versions |= worker.versions
            else:
                worker.close()
        _tell("")
        if workers:
            rounds(workers, options.minutes or (QUICK if options.quick else MINUTES), figures)
    if not options.only or options.only in "login storm":
        _say("login storms")
        figures.storms = [storm.storm() for _ in range(1 if options.quick else STORMS)]
    if not options.only:
        _say("memory and import")
        figures.weights, figures.start = footprint.weights(), footprint.start()
        figures.profiles = profile.profiles()
    figures.versions["coatcheck"] = version("coatcheck")
    return figures


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short slices and few rounds")
    parser.add_argument("--minutes", type=float, help=f"of measuring (default: {MINUTES:.0f})")
    parser.add_argument("--only", default="", metavar="WORD", help="what has this in its framework, name or class")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's figures there")
    parser.add_argument("--from", type=Path, metavar="FILE", dest="old", help="measure nothing: read such a file")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and its pictures anew")
    options = parser.parse_args()
    begun = time.monotonic()
    figures = load(options.old) if options.old else measure(options)
    if options.json:
        figures.dump(options.json)
    print(report.part(figures) if options.only else report.page(figures))
    _say(f"done in {time.monotonic() - begun:.0f} s")
    if options.write:
        report.write(figures)
        _say("written to docs/performance.md and docs/images/")


if __name__ == "__main__":
    main()
