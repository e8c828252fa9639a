"""`kill -9`, over and over, of a worker at work, while another serves: what was acknowledged is true."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import wait
from pathlib import Path
from uuid import uuid4

import pytest

from coatcheck import SessionManager
from coatcheck.stores.sqlite import SQLiteStore
from coatcheck.testing.kit import KEY
from tests.processes import table, victim
from tests.processes.history import ENDED, History, State, observe
from tests.processes.team import Hand

ROUNDS = int(os.environ.get("COATCHECK_CRASHES", "24"))
LIMIT = 2.0
"""Seconds in which the store must have answered, whoever was killed before."""
LOST = "what was acknowledged is not what is there"
UNTOLD = "a live session is not in its user's list"
EVERYBODY = 8
"""Every so many rounds the one that serves is killed too, so that nobody has the store open."""


class Crash:
    """One worker that is killed, one that serves, and what both have said."""

    def __init__(self, url: str, seed: int, fault: str | None = None) -> None:
        self.url, self.namespace, self.fault = url, f"crash-{uuid4().hex[:8]}", fault
        self.choose = random.Random(seed)
        self.seeds = iter(range(seed * 1_000_000, 10**12))
        self.kills = self.operations = 0
        self.slowest = 0.0
        self.dead: list[str] = []
        self.server: tuple[Hand, History] | None = None

    def manager(self) -> SessionManager:
        """A process that has had no part in it: this one."""
        return SessionManager(self.url, secret=KEY, namespace=self.namespace)

    def _hire(self, die: int | None = None, fault: str | None = None) -> tuple[Hand, History]:
        return Hand(victim.work, self.url, self.namespace, next(self.seeds), die, fault), History()

    def rounds(self, count: int) -> None:
        """So many rounds; a long run reports."""
        for number in range(1, count + 1):
            try:
                self.round(everybody=number % EVERYBODY == 0)
            except BaseException as error:
                error.add_note(f"in round {number}")
                raise
            if count > 100 and number % 50 == 0:
                sys.stdout.write(
                    f"{number} rounds: {self.kills} killed, {self.operations} operations acknowledged, "
                    f"slowest {self.slowest:.3f} s\n"
                )
                sys.stdout.flush()

    def round(self, everybody: bool) -> None:
        """Let both work, kill one or both, and see what is left."""
        self.server = self.server or self._hire()
        at_a_point = self.choose.random() < 0.5
        hand, history = self._hire(self.choose.randrange(400) if at_a_point else None, self.fault)
        last = time.monotonic() + 60 if at_a_point else None
        left = 2 * self.choose.randrange(1, 120)
        going = {hand.pipe: history, self.server[0].pipe: self.server[1]}
        while hand.pipe in going:
            patience = max(0.0, last - time.monotonic()) if last else 60
            for pipe in wait([*going], patience):
                try:
                    going[pipe].take(hear(hand if pipe is hand.pipe else self.server[0]))  # type: ignore[index]
                    left -= pipe is hand.pipe
                except EOFError:
                    del going[pipe]  # type: ignore[arg-type]
            if left <= 0 and last is None:
                # A moment of its own: the worker is somewhere in one of its next operations.
                last = time.monotonic() + self.choose.random() * 0.003
            if last and time.monotonic() >= last:
                break
        if everybody:
            self.server[0].kill()
        hand.kill()
        self._end(hand, history)
        if everybody:
            self._end(*self.server)
            self.server = None

    def _end(self, hand: Hand, history: History) -> None:
        """Judge what a worker has left behind."""
        drain(hand, history)
        hand.close()
        began = time.monotonic()
        with self.manager() as manager:
            session = manager.load(None)
            session.login("somebody")
            manager.commit(session)
            self.slowest = max(self.slowest, history.slowest, time.monotonic() - began)
            judge(history, observe(manager, history), whole=isinstance(manager.store, SQLiteStore))
            finish(manager, history)
        self.kills += 1
        self.operations += len(history.done)
        acknowledged = next(history.states(len(history.done)))
        self.dead += [token for token, what in acknowledged.sessions.items() if what == ENDED]

    def close(self) -> None:
        """The end of the one that serves, and all that ever ended is still over."""
        if self.server:
            self.server[0].kill()
            self._end(*self.server)
            self.server = None
        with self.manager() as manager:
            assert [token for token in self.dead if not manager.load(token).is_new] == []


def hear(hand: Hand) -> dict[str, object]:
    """A message that is there."""
    message = hand.hear()
    assert message is not None
    return message


def drain(hand: Hand, history: History) -> None:
    """Take all that a worker said before it was killed or stopped."""
    try:
        while (message := hand.hear(0)) is not None:
            history.take(message)
    except EOFError:
        pass


def judge(history: History, seen: State, whole: bool) -> None:
    """What is there is what was acknowledged, with the operation that was under way or without it."""
    before, *rest = history.states(len(history.done))
    if history.doubt is None:
        assert seen == before, LOST
        return
    [after] = rest
    if whole or history.doubt["op"] not in {"revoke_user", "update_user"}:
        assert seen in (before, after), LOST
        return
    # Not acknowledged, and more than one step: each session is as it was, or as it should become.
    for token, what in seen.sessions.items():
        assert what in (before.sessions[token], after.sessions[token]), LOST
    for ticket, mark in seen.tickets.items():
        assert mark in (before.tickets[ticket], after.tickets[ticket]), LOST


def finish(manager: SessionManager, history: History) -> None:
    """A revocation that was under way can be asked for again, and misses nobody."""
    if history.doubt and history.doubt["op"] == "revoke_user":
        user = history.doubt["user"]
        manager.revoke_user(user)
        assert manager.sessions(user) == []


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("redis", marks=pytest.mark.redis),
        pytest.param("postgresql", marks=pytest.mark.postgresql),
    ]
)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each store."""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        server.empty()
        return f"{server.url}?create=1"
    if request.param == "redis":
        return table.database(request.getfixturevalue("redis_server"), 6)
    return f"sqlite:///{tmp_path}/sessions.db"


@pytest.fixture
def crashes() -> Iterator[list[Crash]]:
    """Where tests leave what has to be killed if they fail."""
    made: list[Crash] = []
    yield made
    for crash in made:
        if crash.server:
            crash.server[0].kill()
            crash.server[0].close()


def test_what_was_acknowledged_before_a_kill_is_true_after_it(url: str, crashes: list[Crash]) -> None:
    """Each round: a worker is killed at a point or at any moment; every eighth both are, and nobody is left."""
    crash = Crash(url, seed=1)
    crashes.append(crash)
    crash.rounds(ROUNDS)
    crash.close()
    assert crash.slowest < LIMIT


@pytest.mark.parametrize("fault", ["hasty", pytest.param("tardy", marks=pytest.mark.redis)])
def test_a_store_that_answers_too_early_is_caught(
    request: pytest.FixtureRequest, tmp_path: Path, crashes: list[Crash], fault: str
) -> None:
    """The harness can fail: an answer before the COMMIT, or before Redis has been asked, is found."""
    redis = table.database(request.getfixturevalue("redis_server"), 6) if fault == "tardy" else ""
    crash = Crash(redis or f"sqlite:///{tmp_path}/sessions.db", seed=2, fault=fault)
    crashes.append(crash)
    # Whichever is seen first: who reads sees what is committed, and what is owed is not.
    with pytest.raises(AssertionError, match=f"{LOST}|{UNTOLD}"):
        crash.rounds(60)
