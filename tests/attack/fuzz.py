"""The long form of the attack: every target in turn, with new seeds, until the time is over.

    python -m tests.attack.fuzz --seconds 600 [--only ticket]

It prints a line for each round, and stops at the first broken promise with the smallest input that shows it.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import traceback

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.attack import credentials, forms, records, requests
from tests.attack.target import Target

TARGETS: list[Target] = [*credentials.TARGETS, *forms.TARGETS, *records.TARGETS, *requests.TARGETS]
EXAMPLES = 400
"""Inputs of one target in one round."""


def attack(target: Target, examples: int, chance: int | None = None) -> None:
    """Try so many inputs, the same ones each time for a None in `chance`. Raises what the first bad one raises."""

    @settings(
        max_examples=examples,
        derandomize=chance is None,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(target.inputs)
    def run(value: object) -> None:
        target.attack(value)

    (run if chance is None else seed(chance)(run))()


def main(arguments: list[str] | None = None) -> int:
    """Attack until the time is over; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--only", default="", help="targets whose name contains this")
    parser.add_argument("--seed", type=int, default=None, help="where to start; None: the time of day")
    options = parser.parse_args(arguments)
    logging.getLogger("coatcheck").setLevel(logging.CRITICAL)
    chosen = [target for target in TARGETS if options.only in target.name]
    start = time.monotonic()
    first = options.seed if options.seed is not None else int(time.time())
    number = 0
    while (spent := time.monotonic() - start) < options.seconds:
        for target in chosen:
            try:
                attack(target, EXAMPLES, first + number)
            except Exception:  # noqa: BLE001 (whatever leaves a parser is the finding)
                traceback.print_exc()
                sys.stdout.write(f"BROKEN: {target.name}: {target.promise} (--seed {first + number})\n")
                return 1
        number += 1
        tried = sum(sum(target.outcomes.values()) for target in chosen)
        sys.stdout.write(f"{spent:6.0f} s  round {number}  {tried} inputs\n")
        sys.stdout.flush()
    for target in chosen:
        words = ", ".join(f"{word} {count}" for word, count in target.outcomes.most_common())
        sys.stdout.write(f"{target.name}: {sum(target.outcomes.values())} inputs, {target.promise}: {words}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
