"""Real workers under load, for a few seconds; `python -m bench.soak` does it for as long as you like."""

from __future__ import annotations

import pytest

from bench.soak.run import soak

SECONDS = 3.0
HOUSEHOLDS = 30


def quiet(_: str) -> None:
    """Nobody listens."""


@pytest.mark.parametrize("store", ["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def test_ninety_visitors_get_no_wrong_answer(store: str) -> None:
    """1 to 5 and 13, over two processes: who they are, what they stored, what has ended, and tickets once."""
    verdict = soak(store, SECONDS, HOUSEHOLDS, quiet)
    assert verdict.wrong == []
    assert verdict.faults == []
    assert {status for status in verdict.statuses if status >= 500} <= {503}
    assert verdict.processes == 2
    assert verdict.requests > 1000
    assert min(verdict.done.values()) > 0


@pytest.mark.parametrize(
    ("forgets", "says"),
    [
        ("revocations", "still taken for"),
        ("updates", "and found"),
        ("tickets", "a ticket was redeemed"),  # 2 or 3 times: who comes late is told by `peek`
        ("writes", "and found"),
    ],
)
def test_the_oracle_notices_a_promise_that_is_broken(forgets: str, says: str) -> None:
    """A store that acknowledges what it does not do; else nothing above would mean anything."""
    verdict = soak("sqlite", 20.0, 10, quiet, forgets)
    assert verdict.wrong
    assert says in "".join(verdict.wrong)
