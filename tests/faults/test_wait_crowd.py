"""3, 11: several writers that wait for replicas at the same time, and readers beside them."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.conftest import Opener
from tests.faults.test_replicas import Pair, pair

__all__ = ["pair"]

pytestmark = pytest.mark.redis


async def test_who_waits_for_a_replica_holds_up_nobody_else(shop: Opener, pair: Pair) -> None:
    """The link to the replica hangs: ten who sign in hear so, and ten readers are served, at the same time."""
    one = shop(f"{pair.primary.url}?wait=1")
    tokens = [await one.front.signed_in(str(number)) for number in range(10)]
    pair.link.hold()
    work = [one.ask(*request) for token in tokens for request in (("/login",), ("/read", token))]
    answers = await asyncio.gather(*work)
    assert [answer.status_code for answer in answers] == [503, 200] * 10


async def test_writers_that_share_a_trip_are_each_told_what_was_confirmed(shop: Opener, pair: Pair) -> None:
    """Fifty at once, with a replica that keeps up: all acknowledged, and all there after the primary's loss."""
    one = shop(f"{pair.primary.url}?wait=1")
    tokens = [await one.front.signed_in(str(number)) for number in range(50)]
    answers = await asyncio.gather(*(one.ask("/write", token) for token in tokens))
    assert {answer.status_code for answer in answers} == {200}
    pair.fail_over()
    two = shop(pair.replica.url, one)
    assert [await two.front.fields(token) for token in tokens] == [{"written": True}] * 50
