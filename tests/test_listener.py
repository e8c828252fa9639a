"""The thread that listens to a feed: in which order it tells, and what it does when the feed is lost."""

from __future__ import annotations

import gc
import logging
import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.feed import Told
from coatcheck.listener import BEAT, Listener
from coatcheck.testing import FakeClock

PATIENCE = 10.0
"""Seconds that a test waits for a thread of its own."""


class Script:
    """A feed that says what a test has it say, one call after the other."""

    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0
        self.on_open: list[Exception] = []
        self.says: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.clock = FakeClock(0.0)

    def open(self) -> Script:
        self.opened += 1
        if self.on_open:
            raise self.on_open.pop(0)
        return self

    def _next(self, call: str) -> Told:
        expected, answer = self.says.get(timeout=PATIENCE)
        assert call == expected
        if callable(answer):
            answer = answer()
        if isinstance(answer, Exception):
            raise answer
        told: Told = answer
        return told

    def prove(self) -> Told:
        return self._next("prove")

    def wait(self, seconds: float) -> Told:
        assert 0 < seconds <= BEAT
        return self._next("wait")

    def close(self) -> None:
        self.closed += 1


class Log:
    """A hearer that writes down what it is told."""

    def __init__(self) -> None:
        self.told: queue.Queue[tuple[str, Any]] = queue.Queue()

    def changed(self, handle: str | None) -> None:
        self.told.put(("changed", handle))

    def proved(self, at: float) -> None:
        self.told.put(("proved", at))

    def cut(self) -> None:
        self.told.put(("cut", None))

    def forked(self) -> None:
        self.told.put(("forked", None))

    def next(self, count: int = 1) -> list[tuple[str, Any]]:
        """What is told next."""
        return [self.told.get(timeout=PATIENCE) for _ in range(count)]


@pytest.fixture
def script() -> Script:
    """What the store says."""
    return Script()


@pytest.fixture
def log() -> Log:
    """Who is told."""
    return Log()


@pytest.fixture
def listener(script: Script, log: Log) -> Iterator[Listener]:
    """The thread's owner."""
    listener = Listener(script.open, [log], script.clock)
    yield listener
    listener.close()
    script.says.put(("wait", StoreUnavailable("over")))


def test_it_counts_as_proved_from_when_it_was_asked_and_after_what_was_told(
    script: Script, log: Log, listener: Listener
) -> None:
    """An answer that took its time must not make an entry serve longer; what came before it is taken back first."""

    def slow() -> Told:
        script.clock.advance(0.2)
        return ["a", "b"]

    script.says.put(("prove", slow))
    listener.start()
    assert log.next(4) == [("changed", None), ("changed", "a"), ("changed", "b"), ("proved", 0.0)]
    script.says.put(("wait", ["c"]))
    assert log.next() == [("changed", "c")]

    def later() -> Told:
        script.clock.advance(BEAT)
        return ()

    script.says.put(("wait", later))
    script.says.put(("prove", None))
    assert log.next(2) == [("changed", None), ("proved", 0.2 + BEAT)]


def test_a_lost_feed_is_opened_anew_and_then_anything_may_have_changed(
    script: Script, log: Log, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    """What was written while it was down has been told to nobody."""
    script.says.put(("prove", ()))
    listener.start()
    assert log.next(2) == [("changed", None), ("proved", 0.0)]
    script.on_open.append(StoreUnavailable("still down"))
    script.says.put(("wait", StoreUnavailable("down")))
    assert log.next(2) == [("cut", None), ("cut", None)]
    script.says.put(("prove", ()))
    assert log.next(2) == [("changed", None), ("proved", 0.0)]
    assert (script.opened, script.closed) == (3, 1)
    words = [record.getMessage() for record in caplog.records]
    assert words == [f"changes of sessions are not heard for now: {why}" for why in ("down", "still down")]


def test_a_fault_of_our_own_does_not_end_the_thread(script: Script, log: Log, listener: Listener) -> None:
    """There is no other that would listen."""
    script.says.put(("prove", ZeroDivisionError()))
    listener.start()
    assert log.next(2) == [("changed", None), ("cut", None)]
    script.says.put(("prove", ()))
    assert log.next(2) == [("changed", None), ("proved", 0.0)]


def test_a_store_that_is_not_set_up_for_it_is_named_once(
    script: Script, log: Log, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    """It does not mend itself: one line with the remedy, and sessions are read from the store."""
    script.on_open.append(ConfigurationError("run `coatcheck migrate --feed`"))
    listener.start()
    assert log.next() == [("cut", None)]
    listener.start()
    (line,) = caplog.records
    assert (line.levelno, "migrate --feed" in line.getMessage()) == (logging.ERROR, True)
    assert (script.opened, log.told.empty()) == (1, True)


def _ears() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "coatcheck-feed"}


def test_the_thread_ends_with_its_owner(script: Script, log: Log) -> None:
    """Closed, or forgotten as by a test that never closes its manager; and its feed with it."""
    for number in range(1, 3):
        before = _ears()  # another test's may be on its way out
        listener = Listener(script.open, [log], script.clock)
        script.says.put(("prove", ()))
        listener.start()
        listener.start()
        assert [what for what, _ in log.next(2)] == ["changed", "proved"]
        (thread,) = _ears() - before
        if number == 1:
            listener.close()
        else:
            del listener
            gc.collect()
        script.says.put(("wait", ()))
        script.clock.advance(BEAT)
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert (script.opened, script.closed) == (number, number)
        log.next()  # cut


def test_a_child_of_fork_leaves_the_feed_alone_and_opens_its_own(script: Script, log: Log, listener: Listener) -> None:
    """The connection is its parent's."""
    script.says.put(("prove", ()))
    listener.start()
    log.next(2)
    before = listener.forked()
    assert (log.next(), script.closed) == ([("forked", None)], 0)
    script.says.put(("wait", StoreUnavailable("the old one's")))
    script.says.put(("prove", ()))
    listener.start()
    assert before is not None
    told = log.next(3)
    assert ("changed", None) in told
    assert script.opened >= 2
