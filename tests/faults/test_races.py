"""A bounded share of `make races`: the races over ours, and proof that they find what they look for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.races.__main__ import races
from bench.races.contenders import CONTENDERS, Contender
from bench.races.page import PAGE, README, part
from bench.races.race import Score

OURS = [one for one in CONTENDERS if one.ours]


async def race(contender: Contender, redis_url: str) -> Score:
    """Two rounds of each race."""
    [score] = await races([contender], redis_url, rounds=2, requests=10)
    return score


@pytest.mark.parametrize("contender", OURS, ids=lambda one: one.store)
async def test_overlapping_requests_lose_nothing_and_undo_no_logout(redis_url: str, contender: Contender) -> None:
    """On uvicorn, each store: ten requests at once write ten fields, and a slow one comes after a logout."""
    score = await race(contender, redis_url)
    assert (score.writes, score.lost, score.logouts, score.revived) == (20, 0, 2, 0)


async def test_a_library_that_writes_the_whole_session_is_caught(redis_url: str) -> None:
    """The races can fail: of ten fields one is left, and who signed out is signed in again."""
    command = (sys.executable, "-m", "uvicorn", "tests.faults.careless:app", "--fd", "{fd}")
    score = await race(Contender("careless", command), redis_url)
    assert (score.lost, score.revived) == (18, 2)


@pytest.mark.parametrize("page", [PAGE, README], ids=["page", "readme"])
def test_what_is_told_of_ours_is_what_was_measured(page: Path) -> None:
    """What `make races ARGS=--write` made of it: twenty rounds, nothing lost, nothing undone."""
    ours = [row for row in part(page).splitlines() if "Coatcheck" in row]
    assert len(ours) == len(OURS)
    assert all("| 0 of 200 | 0 of 20 |" in row for row in ours)
