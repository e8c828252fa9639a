"""The near cache: what it says was true within the bound, whatever comes in which order."""

from __future__ import annotations

import threading

import pytest

from coatcheck.near import BOUND, LIFE, Near
from coatcheck.record import Ended, Record
from coatcheck.store import Login
from coatcheck.testing import FakeClock
from tests.records import NOW, record


@pytest.fixture
def clock() -> FakeClock:
    """What passes also while the machine is suspended."""
    return FakeClock(1000.0)


@pytest.fixture
def near(clock: FakeClock) -> Near:
    """One whose feed is alive."""
    near = Near(clock)
    near.proved(clock())
    return near


def kept(near: Near, one: Record | None = None) -> Record:
    """A record that was read and kept."""
    one = one or record()
    near.keep(near.reading(one.handle), one.handle, one)
    return one


def test_it_says_what_was_read(near: Near) -> None:
    """And nothing of what was not, or is no live session."""
    one = kept(near)
    assert near.get(one.handle) is one
    assert near.get(record().handle) is None
    near.keep(near.reading("x"), "x", Ended("logout", NOW))
    near.keep(near.reading("y"), "y", None)
    assert (near.get("x"), near.get("y"), len(near), near.hits) == (None, None, 1, 1)


def test_an_entry_serves_only_while_the_last_proof_was_asked_for_within_the_bound(near: Near, clock: FakeClock) -> None:
    """A feed that is cut, or a process that was suspended: an acknowledged end binds after it."""
    one = kept(near)
    clock.advance(BOUND - 0.001)
    assert near.get(one.handle) is one
    clock.advance(0.001)
    assert near.get(one.handle) is None
    near.proved(clock() - BOUND)  # asked before, answered now
    assert near.get(one.handle) is None
    near.proved(clock())
    assert near.get(one.handle) is one


def test_after_ten_seconds_the_store_is_asked_whatever_the_feed_says(near: Near, clock: FakeClock) -> None:
    """There are changes that no server tells of, such as Redis' SWAPDB: they must not last for ever."""
    one = kept(near)
    clock.advance(LIFE - 0.001)
    near.proved(clock())
    assert near.get(one.handle) is one
    clock.advance(0.001)
    near.proved(clock())
    assert near.get(one.handle) is None
    kept(near, one)
    assert near.get(one.handle) is one


def test_before_the_first_proof_it_says_nothing(clock: FakeClock) -> None:
    """Nobody knows what has changed since."""
    near = Near(clock)
    assert near.get(kept(near).handle) is None


def test_what_changed_is_forgotten(near: Near) -> None:
    """And only that."""
    one, other = kept(near), kept(near)
    near.changed(one.handle)
    assert (near.get(one.handle), near.get(other.handle)) == (None, other)
    near.changed(None)
    assert (near.get(other.handle), len(near)) == (None, 0)


@pytest.mark.parametrize("everything", [False, True])
def test_a_fill_that_an_invalidation_overtook_is_not_kept(near: Near, everything: bool) -> None:
    """Else it were cached after its invalidation, and stale for ever."""
    one = record()
    mark = near.reading(one.handle)
    near.changed(None if everything else one.handle)
    near.keep(mark, one.handle, one)
    assert near.get(one.handle) is None
    assert near.get(kept(near, one).handle) is one


def test_a_fill_from_before_a_cut_is_not_kept(near: Near, clock: FakeClock) -> None:
    """The feed was lost and found again while the store was read: what it would have said was told to nobody."""
    one = record()
    mark = near.reading(one.handle)
    near.cut()
    near.changed(None)
    near.proved(clock())
    near.keep(mark, one.handle, one)
    assert near.get(one.handle) is None


def test_a_cut_empties_it_at_once(near: Near) -> None:
    """Not only after the bound."""
    one = kept(near)
    near.cut()
    assert (near.get(one.handle), len(near)) == (None, 0)


def test_this_process_reads_what_it_wrote(near: Near) -> None:
    """Without waiting for the feed: each write that the store acknowledged."""
    for method in ("commit", "replace", "end"):
        one = kept(near)
        near.wrote(method, (one.handle, None, NOW), one)
        assert near.get(one.handle) is None, method
    for method in ("update_user", "revoke_all"):
        one = kept(near)
        near.wrote(method, ("ada", {}, NOW, NOW), 1)
        assert near.get(one.handle) is None, method
    one, other, third = kept(near), kept(near), kept(near)
    near.wrote("revoke_user", ("ada", None, "revoked", NOW, NOW), [one.handle])
    near.wrote("login", (other, NOW, NOW, 1, "too many"), Login(other, (other.handle,)))
    near.wrote("load", (third.handle,), third)
    assert [near.get(each.handle) for each in (one, other, third)] == [None, None, third]


def test_it_holds_no_more_than_its_size_and_drops_what_was_read_longest_ago(clock: FakeClock) -> None:
    """Sessions of any size, for months."""
    near = Near(clock, size=10_000)
    near.proved(clock())
    first, second = kept(near), kept(near)
    for _ in range(50):
        kept(near)
        kept(near, first)
        near.get(second.handle)
    last = kept(near)
    assert near.get(first.handle) is first
    assert near.get(last.handle) is last
    assert near.get(second.handle) is None
    assert len(near) <= 10
    kept(near, record()._replace(fields="x" * 5000))
    assert len(near) <= 10, "one too large would drive out the others"
    assert near.get(first.handle) is first
    for _ in range(50):
        kept(near, first)
    assert len(near) <= 10, "kept again it counts once"


def test_a_child_of_fork_begins_with_nothing_and_with_locks_of_its_own(near: Near) -> None:
    """A thread that a fork left behind may have held the lock."""
    one = kept(near)
    with near._lock:
        near.forked()
    assert near.get(one.handle) is None
    near.changed(None)  # does not hang


def test_readers_beside_a_feed_never_see_what_it_took_back(clock: FakeClock) -> None:
    """Threads that read and keep, and one that invalidates: what is served after `changed` was read after it began."""
    near = Near(clock)
    near.proved(clock())
    one, over = record(), threading.Event()
    stored, told = 0, 0
    wrong: list[tuple[int, int]] = []

    def read() -> None:
        while not over.is_set():
            known = told
            found = near.get(one.handle)
            if found is not None and found.seq < known:
                wrong.append((found.seq, known))
            mark = near.reading(one.handle)
            near.keep(mark, one.handle, one._replace(seq=stored))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(1, 3000):
        stored = number
        near.changed(one.handle)
        told = number
    over.set()
    for thread in threads:
        thread.join()
    assert wrong == []
