"""`make bench-served`: what sessions cost on real servers, driven by wrk, beside what others cost, in one run.

It takes more than an hour; ARGS=--quick some ten minutes, with wider spreads. ARGS=--write writes
docs/performance-served.md anew, and its pictures.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path

from tools import programs

from . import page
from .contenders import CONTENDERS, Contender
from .load import Load
from .measure import Results, measure
from .proof import Wrong, signed_in
from .stage import stage

LONG, QUICK = (7, 1.0, 0.3), (2, 0.3, 0.15)
"""Rounds, seconds of a slice and of the warm-up before it."""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Teller:
    """Progress: in place on a terminal, else a line every ten seconds."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self._last > 10:
            self._last = time.monotonic()
            _say(text)


def _chosen(word: str) -> list[Contender]:
    """Those whose name or server contains the word, and what they are measured from."""
    found = [one for one in CONTENDERS if word.lower() in one.key.lower()]
    servers, bare = {one.server for one in found}, {one.bare for one in found}
    yardsticks = [one for one in CONTENDERS if one.kind == "jwt" and one.server in servers]
    bare |= {one.bare for one in yardsticks}
    return [one for one in CONTENDERS if one in found or one in yardsticks or one.key in bare]


def _measure(chosen: list[Contender], rounds: int, seconds: float, warm_up: float) -> Results:
    results, tell = Results(seconds=seconds), Teller()
    with stage(chosen, tell) as up:
        visitors = {}
        for application in up.applications:
            tell(f"trying {application.contender.key}")
            visitors[application.contender.key] = signed_in(application)
        results.versions = up.versions()
        with Load(up, visitors) as load:
            try:
                measure(load, up.applications, results, rounds, seconds, warm_up, tell)
            except KeyboardInterrupt:
                _say("\nstopped: what follows is of the rounds so far")
    return results


def main() -> int:
    """Measure and tell; 1 if a single answer was wrong, 2 if what it needs is lacking."""
    parser = argparse.ArgumentParser(prog="python -m bench.served", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2 rounds of slices of 0.3 s, in place of 7 of 1 s")
    parser.add_argument("--rounds", type=int, help="in place of those")
    parser.add_argument("--only", default="", metavar="WORD", help="contenders whose name or server contains this")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every slice there")
    parser.add_argument("--write", action="store_true", help="write docs/performance-served.md and its pictures anew")
    parser.add_argument("--measured", type=Path, metavar="FILE", help="tell what a run has written there; no new run")
    options = parser.parse_args()
    told = options.measured
    results = Results.from_json(json.loads(told.read_text())) if told else _run(options)
    print(page.tables(results))
    for wrong in results.wrong:
        _say(wrong)
    if options.write:
        page.write(results)
        _say("written to docs/performance-served.md and docs/images/")
    return int(bool(results.wrong))


def _run(options: argparse.Namespace) -> Results:
    """A new run; raises SystemExit where there can be none."""
    lacking = [name for name in ("wrk", "redis-server", "postgresql") if programs.find(name) is None]
    if lacking:
        _say(f"This benchmark needs {', '.join(lacking)}, which this machine lacks: sudo make system")
        sys.exit(2)
    rounds, seconds, warm_up = QUICK if options.quick else LONG
    began = time.monotonic()
    # Told to end, it still ends its servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        results = _measure(_chosen(options.only), options.rounds or rounds, seconds, warm_up)
    except (Wrong, RuntimeError, TimeoutError) as error:
        _say(f"\n{error}")
        sys.exit(1)
    _say(f"\ndone in {(time.monotonic() - began) / 60:.0f} min")
    if options.json:
        options.json.write_text(json.dumps(results.as_json(), indent=1) + "\n")
    return results


if __name__ == "__main__":
    sys.exit(main())
