"""Open connections: whoever watches a session learns of its end, by whatever it ends, and costs nothing meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from coatcheck import AsyncSessionManager, Policy, SessionManager, watch
from coatcheck.errors import ConfigurationError, SessionDataError, StoreUnavailable
from coatcheck.record import Ended
from coatcheck.testing import FakeClock
from coatcheck.watch import AsyncWatch, Watch, Watches
from tests.records import NOW, record

SECRET = "one-that-guards-nothing-for-tests-alone"


class Shelf:
    """A store of one session, that counts its reads and can be down."""

    def __init__(self) -> None:
        self.value: Any = record("ada")
        self.reads = 0
        self.down = False
        self.fault: Exception | None = None

    def load(self, handle: str) -> Any:
        self.reads += 1
        if self.down:
            raise StoreUnavailable("down")
        if self.fault is not None:
            raise self.fault
        return self.value

    async def aload(self, handle: str) -> Any:
        return self.load(handle)


@pytest.fixture
def shelf() -> Shelf:
    """Where the session lies."""
    return Shelf()


@pytest.fixture
def watches() -> Watches:
    """Those of one manager, whose feed is alive."""
    watches = Watches()
    watches.proved(0.0)
    return watches


@pytest.fixture
def clock() -> FakeClock:
    """The store's."""
    return FakeClock(NOW)


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets time pass for whoever looks again after a while."""
    now = 1000.0

    def advance(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(watch, "elapsed", lambda: now)
    return advance


def test_it_looks_once_at_first_and_then_only_when_something_was_told(
    shelf: Shelf, watches: Watches, clock: FakeClock
) -> None:
    """The first look finds what ended before it watched; a stream of a million pieces reads no more."""
    with Watch(watches, shelf.value.handle, shelf.load, clock) as watched:
        assert [watched.ended() for _ in range(5)] == [None] * 5
        assert shelf.reads == 1
        watches.changed("somebody-else's")
        assert watched.ended() is None
        assert shelf.reads == 1
        watches.changed(shelf.value.handle)
        assert [watched.ended() for _ in range(5)] == [None] * 5
        assert shelf.reads == 2
    assert watches._of == {}


@pytest.mark.parametrize("gone", [False, True])
def test_an_end_is_seen_when_it_is_told(shelf: Shelf, watches: Watches, clock: FakeClock, gone: bool) -> None:
    """With its reason; a session that is nowhere any more has ended."""
    with Watch(watches, shelf.value.handle, shelf.load, clock) as watched:
        assert watched.ended() is None
        handle = shelf.value.handle
        shelf.value = None if gone else Ended("logout", NOW)
        assert watched.ended() is None
        watches.changed(handle)
        assert [watched.ended() for _ in range(3)] == ["unknown" if gone else "logout"] * 3
        assert shelf.reads == 2


def test_time_ends_it_without_a_word(shelf: Shelf, watches: Watches, clock: FakeClock) -> None:
    """Idle and absolute timeout: nobody writes at a deadline. A session that was touched meanwhile lives on."""
    with Watch(watches, shelf.value.handle, shelf.load, clock) as watched:
        assert watched.ended() is None
        clock.advance(14 * 86_400)
        shelf.value = shelf.value._replace(last_seen_at=NOW + 86_400)
        assert watched.ended() is None
        assert watched.ended() is None
        assert shelf.reads == 2
        clock.advance(86_400)
        assert watched.ended() == "idle"


def test_where_anything_may_have_changed_all_look_within_half_a_second_and_not_at_once(
    shelf: Shelf, watches: Watches, clock: FakeClock, passing: Callable[[float], None]
) -> None:
    """A file tells that somebody wrote, twenty times a second: ten thousand sockets must not read it each time."""
    crowd = [Watch(watches, shelf.value.handle, shelf.load, clock) for _ in range(200)]
    assert {watched.ended() for watched in crowd} == {None}
    shelf.reads = 0
    for _ in range(5):
        watches.changed(None)
        passing(watch.SPREAD / 10)
        assert {watched.ended() for watched in crowd} == {None}
    assert 0 < shelf.reads < 3 * len(crowd)
    passing(watch.SPREAD)
    shelf.value = Ended("revoked", NOW)
    watches.changed(None)
    passing(watch.SPREAD)
    assert {watched.ended() for watched in crowd} == {"revoked"}


def test_without_a_feed_it_looks_every_few_seconds(
    shelf: Shelf, watches: Watches, clock: FakeClock, passing: Callable[[float], None]
) -> None:
    """A client of the application's own tells nothing: an end is late then, and not lost."""
    watches.cut()
    watched = Watch(watches, shelf.value.handle, shelf.load, clock)
    assert watched.ended() is None
    passing(watch.UNHEARD - 0.1)
    assert (watched.ended(), shelf.reads) == (None, 1)
    shelf.value = Ended("revoked", NOW)
    passing(watch.UNHEARD + 0.1)
    assert watched.ended() == "revoked"


def test_a_feed_that_is_lost_has_all_look_again(
    shelf: Shelf, watches: Watches, clock: FakeClock, passing: Callable[[float], None]
) -> None:
    """Nobody tells them any more: those that rested until they are told would rest for ever."""
    watched = Watch(watches, shelf.value.handle, shelf.load, clock)
    assert watched.ended() is None
    watches.cut()
    passing(watch.SPREAD)
    assert watched.ended() is None
    shelf.value = Ended("revoked", NOW)
    passing(2 * watch.UNHEARD)
    assert watched.ended() == "revoked"


def test_whoever_looks_soon_anyway_is_not_put_off_nor_brought_forward(
    shelf: Shelf, watches: Watches, clock: FakeClock, passing: Callable[[float], None]
) -> None:
    """Twenty writes a second would draw the earliest of twenty lots: then all look at each write."""
    watched = Watch(watches, shelf.value.handle, shelf.load, clock)
    watched.ended()
    watches.changed(None)
    due = watched._due
    for _ in range(50):
        watches.changed(None)
    assert watched._due == due


@pytest.mark.parametrize("fault", [ConfigurationError("it evicts"), SessionDataError("damaged")])
def test_no_fault_of_the_store_ends_the_watching(
    shelf: Shelf, watches: Watches, clock: FakeClock, passing: Callable[[float], None], fault: Exception
) -> None:
    """A Redis that was set to evict for a moment is refused, by another error."""
    watched = Watch(watches, shelf.value.handle, shelf.load, clock)
    handle, shelf.fault = shelf.value.handle, fault
    assert watched.ended() is None
    shelf.fault, shelf.value = None, Ended("revoked", NOW)
    watches.changed(handle)
    passing(2.0)
    assert watched.ended() == "revoked"


def test_a_store_that_is_down_ends_nothing_and_is_asked_again_a_second_later(
    shelf: Shelf, watches: Watches, clock: FakeClock, passing: Callable[[float], None]
) -> None:
    """Nobody is logged out by an outage; and what ended during it is seen afterwards."""
    watched = Watch(watches, shelf.value.handle, shelf.load, clock)
    assert watched.ended() is None
    handle, shelf.value, shelf.down = shelf.value.handle, Ended("revoked", NOW), True
    watches.changed(handle)
    assert [watched.ended() for _ in range(5)] == [None] * 5
    assert shelf.reads == 2
    shelf.down = False
    passing(2.0)
    assert watched.ended() == "revoked"


async def test_a_task_that_waits_is_woken_from_another_thread(shelf: Shelf, watches: Watches, clock: FakeClock) -> None:
    """The feed has a thread of its own; between two looks the task sleeps."""
    handle = shelf.value.handle
    async with AsyncWatch(watches, handle, shelf.aload, clock) as watched:
        waiting = asyncio.create_task(watched.ended())
        for number in range(1, 4):
            while shelf.reads < number:  # noqa: ASYNC110 (there is no event for it)
                await asyncio.sleep(0)
            await asyncio.to_thread(watches.changed, handle)
        shelf.value = Ended("stolen", NOW)
        await asyncio.to_thread(watches.changed, handle)
        assert await asyncio.wait_for(waiting, 10) == "stolen"
    assert watches._of == {}


async def test_a_change_between_two_looks_is_not_slept_through(
    shelf: Shelf, watches: Watches, clock: FakeClock
) -> None:
    """The end comes while the store is being read, and the read still says that it lives."""
    handle = shelf.value.handle

    async def slow(_: str) -> Any:
        value = shelf.load(handle)
        if shelf.reads == 1:
            shelf.value = Ended("logout", NOW)
            watches.changed(handle)
            await asyncio.sleep(0)
        return value

    async with AsyncWatch(watches, handle, slow, clock) as watched:
        assert await asyncio.wait_for(watched.ended(), 10) == "logout"
    assert shelf.reads == 2


def test_a_watch_of_a_loop_that_is_gone_disturbs_nobody(shelf: Shelf, watches: Watches, clock: FakeClock) -> None:
    """A server that reloads leaves some behind."""

    async def leave() -> AsyncWatch:
        return AsyncWatch(watches, shelf.value.handle, shelf.aload, clock)

    asyncio.run(leave())
    with Watch(watches, shelf.value.handle, shelf.load, clock) as watched:
        watched.ended()
        watches.changed(shelf.value.handle)
        watched.ended()
        assert shelf.reads == 2


# -- through a manager ---------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The stores that need no server; the others are in tests/apps/test_matrix.py."""
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/sessions.db"


async def test_each_way_to_end_a_session_is_told(url: str) -> None:
    """A logout, a revocation, a login that replaces it: a client whose login has changed connects anew."""
    with SessionManager(url, secret=SECRET, namespace="watch") as manager:
        async with AsyncSessionManager(url, secret=SECRET, namespace="watch") as other:
            for reason in ("logout", "revoked", "replaced"):
                session = manager.load(None)
                session.login("ada")
                token = manager.commit(session).token
                session = manager.load(token)
                async with other.watch(str(session.handle)) as watched:
                    waiting = asyncio.create_task(watched.ended())
                    {"logout": session.logout, "replaced": session.rotate}.get(reason, lambda: None)()
                    manager.commit(session)
                    if reason == "revoked":
                        manager.revoke_user("ada")
                    assert await asyncio.wait_for(waiting, 10) == reason


def test_a_session_that_is_not_stored_cannot_be_watched() -> None:
    """A visitor of whom nothing is known has nothing that could end."""
    with SessionManager("memory://", namespace="watch") as manager:
        for what in (manager.load(None), "", "../../etc/passwd"):
            with pytest.raises(ValueError, match="stored"):
                manager.watch(what)


def test_a_deadline_of_the_policy_ends_a_stream() -> None:
    """By the manager's own clock."""
    clock = FakeClock()
    policy = Policy(idle_timeout=timedelta(minutes=15), absolute_timeout=timedelta(hours=1))
    with SessionManager("memory://", namespace="watch", clock=clock, policy=policy) as manager:
        session = manager.load(None)
        session.login("ada")
        manager.commit(session)
        with manager.watch(session) as watched:
            assert watched.ended() is None
            clock.advance(901)
            assert watched.ended() == "idle"
