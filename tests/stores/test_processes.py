"""The three promises that a single process cannot show, by real processes and threads that overlap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest

from coatcheck import SessionManager
from coatcheck.errors import SessionEnded, TicketSpent
from coatcheck.testing.kit import KEY
from tests.crew import Barrier, at_once

ROUNDS = 20
WRITERS = 10
REDEEMERS = 50


class Place(NamedTuple):
    """A store, and how many processes can use it at once."""

    url: str
    namespace: str
    processes: int
    manager: SessionManager


@pytest.fixture(params=["memory", "sqlite", "redis", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Each store; a server is started only for its own."""
    if request.param in ("redis", "postgres"):
        url = str(request.getfixturevalue(f"{request.param}_url"))
    else:
        url = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/sessions.db"}[request.param]
    namespace = f"crew-{uuid4().hex[:8]}"
    with SessionManager(url, secret=KEY, namespace=namespace) as manager:
        yield Place(url, namespace, 1 if request.param == "memory" else 2, manager)


def signed_in(manager: SessionManager, user: str) -> str:
    """The token of a new session."""
    session = manager.load(None)
    session.login(user)
    return str(manager.commit(session).token)


def write(token: str, manager: SessionManager, barrier: Barrier, number: int) -> None:
    """In each round: load, wait until everybody has loaded, and write a field of one's own."""
    for turn in range(ROUNDS):
        session = manager.load(token)
        barrier.wait()
        session[f"{number}-{turn}"] = turn
        manager.commit(session)
        barrier.wait()


def test_two_hundred_overlapping_writes_lose_nothing(place: Place) -> None:
    """20 rounds of 10 requests, each of which had loaded before any of them wrote."""
    token = signed_in(place.manager, "ada")
    job = partial(write, token)
    at_once(place.url, place.namespace, job, processes=place.processes, threads=WRITERS // place.processes)
    assert len(place.manager.load(token)) == ROUNDS * WRITERS


def log_out_or_write(tokens: list[str], manager: SessionManager, barrier: Barrier, number: int) -> list[str]:
    """One loads, the other logs out, and then the first one writes: what the writer was told."""
    told = []
    for token in tokens:
        session = manager.load(token)
        barrier.wait()
        if number == 0:
            session.logout()
            manager.commit(session)
        barrier.wait()
        if number == 1:
            session["late"] = 1
            try:
                manager.commit(session)
            except SessionEnded as error:
                told.append(error.reason)
    return told


def test_twenty_logouts_overtaken_by_a_slow_write_revive_nothing(place: Place) -> None:
    """The write comes from another process, which had loaded the session before it ended."""
    tokens = [signed_in(place.manager, "ada") for _ in range(20)]
    job = partial(log_out_or_write, tokens)
    _, told = at_once(place.url, place.namespace, job, processes=place.processes, threads=2 // place.processes)
    assert told == ["logout"] * 20
    assert [place.manager.load(token).ended_reason for token in tokens] == ["logout"] * 20
    assert place.manager.sessions("ada") == []


def redeem(ticket: str, token: str, manager: SessionManager, barrier: Barrier, _: int) -> str:
    """Wait for the others, and try."""
    session = manager.load(token)
    barrier.wait()
    try:
        manager.tickets.redeem(ticket, "download", session)
    except TicketSpent:
        return "spent"
    return "redeemed"


def test_of_fifty_that_redeem_one_ticket_one_wins(place: Place) -> None:
    """Threads of one process, or of five processes."""
    token = signed_in(place.manager, "ada")
    ticket = place.manager.tickets.issue("download", {"file": "a.pdf"}, session=place.manager.load(token))
    processes = 1 if place.processes == 1 else 5
    job = partial(redeem, ticket, token)
    results = at_once(place.url, place.namespace, job, processes=processes, threads=REDEEMERS // processes)
    assert Counter(results) == {"redeemed": 1, "spent": REDEEMERS - 1}
