"""Rotation spares everybody who is honest and finds everybody who is not, in simulated years of browsing.

`COATCHECK_SIMULATION=20` runs twenty times as many browsers; `pytest -s` prints the figures.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NamedTuple

from coatcheck.rotation import Verdict
from tests.browsers import INTERVAL, Rules, World, grace_after_first_shown, two_may_rotate

SIZE = int(os.environ.get("COATCHECK_SIMULATION", "1"))
HONEST = range(150 * SIZE)
STOLEN_FROM = range(100_000, 100_000 + 200 * SIZE)


class Figures(NamedTuple):
    """What came of a number of browsers."""

    requests: int
    steps: int
    wrongly_stolen: int
    """Owners without a thief who were thrown out for one."""
    wrongly_unknown: int
    """Requests of owners that were refused."""
    thieves: int
    found: int
    slowest: float
    """Rotation intervals from a thief's first request to its verdict, at worst."""


def simulate(rules: Callable[[], Rules]) -> Figures:
    """Owners alone; then owners whose cookie is copied at a random time, and both keep coming for 20 intervals."""
    requests = steps = stolen = unknown = found = 0
    slowest = 0.0
    for seed in HONEST:
        world = World(seed, rules())
        world.run(40 * INTERVAL)
        requests, steps = requests + world.requests, steps + world.record.secrets[0].step
        stolen += world.verdicts["owner", Verdict.STOLEN]
        unknown += world.verdicts["owner", Verdict.UNKNOWN]
    for seed in STOLEN_FROM:
        world = World(seed, rules())
        world.run(world.random.uniform(0, 5 * INTERVAL))
        thief = world.steal(after=world.random.expovariate(1 / INTERVAL))
        world.run(thief.came)
        stolen += world.ended_at is not None
        world.run(thief.came + 20 * INTERVAL)
        requests, steps = requests + world.requests, steps + world.record.secrets[0].step
        if world.ended_at is not None and world.ended_at > thief.came:
            found, slowest = found + 1, max(slowest, (world.ended_at - thief.came) / INTERVAL)
    figures = Figures(requests, steps, stolen, unknown, len(STOLEN_FROM), found, slowest)
    sys.stdout.write(f"\n{getattr(rules, '__name__', '')}: {figures}\n")
    return figures


def test_nobody_honest_is_thrown_out_and_every_thief_is_found() -> None:
    """Bursts, lost responses and crashes give no false verdict; thief and owner who both keep coming, one each."""
    figures = simulate(Rules)
    assert figures.requests > 50_000
    assert figures.steps > 2_000
    assert (figures.wrongly_stolen, figures.wrongly_unknown) == (0, 0)
    assert figures.found == figures.thieves


def test_the_simulation_fails_a_grace_after_the_first_request() -> None:
    """Settling is what spares a browser that crashed after it had shown the new cookie and before it saved it."""
    figures = simulate(grace_after_first_shown)
    assert figures.wrongly_stolen > 0


def test_the_simulation_fails_two_rotations_at_once() -> None:
    """Without the compare-and-set of a burst's requests two step, and one of the cookies is good for nothing."""
    figures = simulate(two_may_rotate)
    assert figures.wrongly_unknown > 0
    assert figures.found < figures.thieves
