"""How many sessions are alive: asked for seldom, and never in the way of anything."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any
from weakref import ref

import pytest
from opentelemetry.metrics import Observation

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck.errors import StoreUnavailable
from coatcheck.telemetry import names
from coatcheck.telemetry.live import EVERY, WITHIN, AsyncLive, Live
from coatcheck.testing import FakeClock
from coatcheck.testing.kit import KEY, Kit

from .telling import Told


def numbers(observations: Any) -> dict[bool, int]:
    """What was observed, by whether somebody is signed in."""
    found: list[Observation] = list(observations)
    return {bool((one.attributes or {})[names.AUTHENTICATED]): int(one.value) for one in found}


@pytest.mark.parametrize("kit", ["sync"], indirect=True)
def test_a_synchronous_manager_tells_how_many_are_alive(kit: Kit, told: Told) -> None:
    """Once asked for. The thread that collects waits for the store."""
    manager: Any = kit.manager().subject  # type: ignore[attr-defined]
    uninstrument = told.instrument(manager, live_sessions=True)
    for user in ("ada", "bob", None):
        session = manager.load(None)
        session["cart"] = [1]
        if user:
            session.login(user)
        manager.commit(session)
    assert told.of(names.LIVE, names.AUTHENTICATED) == {True: 2, False: 1}
    uninstrument()
    assert told.of(names.LIVE, names.AUTHENTICATED) == {}
    manager.close()


def test_it_is_off_until_it_is_asked_for(told: Told) -> None:
    """`stats` may be slow."""
    with SessionManager("memory://", secret=KEY, namespace="off") as manager:
        told.instrument(manager)  # type: ignore[arg-type]
        manager.load(None)
        seen = {name for name, _, _ in told.points()}
    assert names.LOADS in seen
    assert names.LIVE not in seen


def test_the_store_is_asked_at_most_once_a_minute() -> None:
    """However often the SDK collects; and where it does not answer there is a gap, not an old number."""
    clock, asked = FakeClock(1000.0), list[str]()
    with SessionManager("memory://", secret=KEY, namespace="seldom") as manager:
        stats = manager.stats

        def count(*, within: float) -> Any:
            assert within == WITHIN, "a large store is not gone through for it"
            asked.append("stats")
            if len(asked) == 3:
                message = "it is down"
                raise StoreUnavailable(message)
            return stats(within=within)

        vars(manager)["stats"] = count
        live = Live(manager, clock)
        assert numbers(live.observe()) == numbers(live.observe()) == {True: 0, False: 0}
        clock.advance(EVERY - 0.001)
        assert numbers(live.observe()) == {True: 0, False: 0}
        assert asked == ["stats"]
        clock.advance(0.001)
        assert numbers(live.observe()) == {True: 0, False: 0}
        assert len(asked) == 2
        clock.advance(EVERY)
        assert numbers(live.observe()) == numbers(live.observe()) == {}
        clock.advance(EVERY)
        assert numbers(live.observe()) == {True: 0, False: 0}
        assert len(asked) == 4
        del vars(manager)["stats"]


async def settled(live: AsyncLive) -> None:
    """Wait until the store has answered."""
    await asyncio.sleep(0)
    assert live._task is not None
    await live._task


@pytest.mark.parametrize("kit", ["async"], indirect=True)
async def test_an_asynchronous_manager_is_asked_on_the_loop_of_its_requests(kit: Kit) -> None:
    """Its connections belong to that. The thread that collects waits for nothing, and gets the number next time."""
    clock = FakeClock(1000.0)
    async with kit:
        manager = kit.manager()
        await kit.signed_in(manager, "ada")
        live = AsyncLive(manager, clock)
        assert await asyncio.to_thread(lambda: numbers(live.observe())) == {}
        assert live._task is None  # it knows no loop yet
        live.seen()
        await asyncio.to_thread(lambda: numbers(live.observe()))
        await settled(live)
        assert await asyncio.to_thread(lambda: numbers(live.observe())) == {True: 1, False: 0}
        await kit.signed_in(manager, "bob")
        clock.advance(EVERY)
        # Also where the loop itself collects nobody waits: this is the last number, and the next is asked for.
        assert numbers(live.observe()) == {True: 1, False: 0}
        await settled(live)
        assert numbers(live.observe()) == {True: 2, False: 0}


@pytest.mark.parametrize("closed", [True, False])
def test_a_loop_that_is_gone_or_stands_still_is_a_gap(closed: bool) -> None:
    """The SDK collects once more at the end of the process, after the server has closed its loop; and an old number is
    not told for ever."""
    clock, loop = FakeClock(1000.0), asyncio.new_event_loop()
    manager = AsyncSessionManager("memory://", secret=KEY, namespace="gone")
    live = AsyncLive(manager, clock)

    async def serve() -> None:
        live.seen()
        assert numbers(live.observe()) == {}
        await settled(live)
        assert numbers(live.observe()) == {True: 0, False: 0}

    loop.run_until_complete(serve())
    if closed:
        loop.close()
    clock.advance(EVERY)
    assert numbers(live.observe()) == ({} if closed else {True: 0, False: 0})
    clock.advance(EVERY)
    assert numbers(live.observe()) == {}
    loop.close()
    asyncio.run(manager.aclose())


def test_threads_that_collect_at_once_ask_the_store_once() -> None:
    """A Prometheus that scrapes, beside a thread that pushes."""
    asked, barrier = list[str](), threading.Barrier(4)
    with SessionManager("memory://", secret=KEY, namespace="at-once") as manager:
        stats = manager.stats

        def count(*, within: float) -> Any:
            assert within == WITHIN, "a large store is not gone through for it"
            asked.append("stats")
            return stats(within=within)

        vars(manager)["stats"] = count
        live = Live(manager, FakeClock(1000.0))

        def collect() -> None:
            barrier.wait()
            list(live.observe())

        threads = [threading.Thread(target=collect) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert asked == ["stats"]
        del vars(manager)["stats"]


def test_whoever_forgets_a_manager_has_ended_it(told: Told) -> None:
    """The SDK lives as long as the process, and must not keep a manager and its connections alive."""
    manager = SessionManager("memory://", secret=KEY, namespace="forgotten")
    told.instrument(manager, live_sessions=True)  # type: ignore[arg-type]
    manager.load(None)
    assert told.of(names.LOADS) == {"anonymous": 1}
    gone = ref(manager)
    del manager
    gc.collect()
    assert gone() is None
    assert told.of(names.LIVE, names.AUTHENTICATED) == {}
