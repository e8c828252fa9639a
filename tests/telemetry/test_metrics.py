"""What managers over each store, synchronous and not, tell of themselves in numbers."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from typing import Any

import pytest

from coatcheck import AsyncSessionManager, Policy
from coatcheck.errors import (
    ReauthenticationRequired,
    SessionEnded,
    StoreUnavailable,
    TicketSpent,
)
from coatcheck.near import Near
from coatcheck.telemetry import names
from coatcheck.telemetry.board import Count
from coatcheck.testing.kit import Kit, Scenarios
from coatcheck.token import new_handle, new_secret

from .telling import Told

HOUR = timedelta(hours=1)
POLICY = Policy(idle_timeout=HOUR, absolute_timeout=24 * HOUR)


def near_of(manager: AsyncSessionManager) -> Near:
    """Its near cache, with a feed that is taken for alive: no test waits for a thread."""
    hearing: Any = getattr(manager, "subject", manager).hearing
    hearing._listener, near = None, hearing.near
    near._clock = lambda: 0.0
    near.proved(0.0)
    return near  # type: ignore[no-any-return]


class TestCounted(Scenarios):
    """Over every store, both ways."""

    async def test_loads_are_counted_by_what_the_request_got(self, kit: Kit, told: Told) -> None:
        """Nobody, a visitor, an ended session, a token of ours that names nothing, and one that is not ours."""
        manager = kit.manager(POLICY)
        told.instrument(manager)
        token = await kit.signed_in(manager, "ada")
        await kit.fields(manager, token)
        for bad in (kit.sign(new_handle(None), new_secret(0)), "forged", "forged", ""):
            await kit.fields(manager, bad)
        await manager.revoke_user("ada")
        await kit.fields(manager, token)
        assert told.of(names.LOADS) == {"anonymous": 2, "live": 1, "unknown": 1, "forged": 2, "ended": 1}

    async def test_writes_and_the_time_of_every_call_are_told_by_operation(self, kit: Kit, told: Told) -> None:
        """A touch is told apart: it is what a site that is only read writes."""
        manager = kit.manager(POLICY)
        told.instrument(manager)
        token = await kit.stored(manager, cart=[1])
        await kit.request(manager, token, lambda session: session.update(cart=[2]))
        kit.clock.advance(600)
        await kit.request(manager, token, lambda _: None)
        token = await kit.request(manager, token, lambda session: session.login("ada"))
        token = await kit.request(manager, token, lambda session: session.rotate())
        await manager.update_user("ada", {"role": "editor"})
        await manager.sessions("ada")
        await manager.revoke_user("ada")
        await manager.revoke_all()
        await manager.stats()
        wrote = {"create": 1, "commit": 1, "touch": 1, "login": 1, "end": 1, "replace": 1}
        wrote |= {"update_user": 1, "revoke_user": 1, "revoke_all": 1}
        assert told.of(names.WRITES) == wrote
        assert told.of(names.DURATION, names.OPERATION) == {**wrote, "load": 4, "sessions": 1, "stats": 1}

    async def test_ends_have_one_of_a_few_reasons_whatever_words_callers_find(self, kit: Kit, told: Told) -> None:
        """Else each reason that names a ticket or a person would be a time series for ever."""
        manager = kit.manager(Policy(max_sessions=1))
        told.instrument(manager)
        token = await kit.signed_in(manager, "ada")
        await kit.signed_in(manager, "ada")  # ends the first: one each
        token = await kit.signed_in(manager, "bob")
        token = await kit.request(manager, token, lambda session: session.rotate())
        await kit.request(manager, token, lambda session: session.logout())
        await kit.signed_in(manager, "eve")
        await manager.revoke_user("eve")
        for number in range(3):
            await kit.signed_in(manager, "eve")
            kit.clock.advance(1)
            await manager.revoke_user("eve", reason=f"incident {number}")
        for name in ("kay", "lee"):
            await kit.signed_in(manager, name)
        assert await manager.revoke_all(reason="revoked") == 3  # with ada's
        found = {"over_limit": 1, "replaced": 1, "logout": 1, "revoked": 4, "other": 3}
        assert told.of(names.ENDS) == found

    async def test_a_copied_token_is_an_end_as_stolen(self, kit: Kit, told: Told) -> None:
        """The one that an alarm is for."""
        manager = kit.manager(Policy(rotation_interval=HOUR))
        told.instrument(manager)
        copied = token = await kit.signed_in(manager, "ada")
        for _ in range(2):
            kit.clock.advance(2 * 3600)
            token = await kit.request(manager, token, lambda _: None)
            kit.clock.advance(120)
            token = await kit.request(manager, token, lambda _: None)
        await kit.fields(manager, copied)
        assert told.of(names.ENDS) == {"stolen": 1}
        assert told.of(names.LOADS)["ended"] == 1

    async def test_refusals_are_counted_by_their_reason(self, kit: Kit, told: Told) -> None:
        """A login that a revocation overtook, a late write, a spent ticket, a secret that nobody knows, a form from
        elsewhere."""
        manager = kit.manager(POLICY)
        told.instrument(manager)
        token = await kit.signed_in(manager, "ada")
        late, session = await manager.load(token), await manager.load(token)
        ticket = await manager.tickets.issue("download", {}, session=session, ttl=timedelta(minutes=2))
        await manager.tickets.redeem(ticket, "download")
        with pytest.raises(TicketSpent):
            await manager.tickets.redeem(ticket, "download")
        await kit.fields(manager, kit.sign(str(session.handle), new_secret(7)))
        login = await manager.load(None)
        login.login("ada")
        kit.clock.advance(1)
        await manager.revoke_user("ada")
        late["cart"] = [1]
        with pytest.raises(SessionEnded):
            await manager.commit(late)
        with pytest.raises(ReauthenticationRequired):
            await manager.commit(login)
        manager.engine.emit("csrf_refused", reason="cross-site")
        each = dict.fromkeys(("login_refused", "late_write", "ticket_refused", "token_unknown", "csrf"), 1)
        assert told.of(names.REFUSALS) == each
        assert told.of(names.TICKETS) == {"issue": 1, "redeem": 1}

    async def test_a_store_that_is_down_is_told_and_still_raises(self, kit: Kit, told: Told) -> None:
        """As the request's failure, as a refusal, and as the kind of error among the times."""
        manager = kit.manager(POLICY)
        token = await kit.signed_in(manager, "ada")
        inner: Any = getattr(manager, "subject", manager)

        def down(_: str) -> None:
            message = "it is down"
            raise StoreUnavailable(message)

        async def adown(handle: str) -> None:
            down(handle)

        vars(inner.store)["load"] = adown if kit.mode == "async" else down
        told.instrument(manager)
        with pytest.raises(StoreUnavailable):
            await manager.load(token)
        del vars(inner.store.inner)["load"]
        assert told.of(names.LOADS) == {"error": 1}
        assert told.of(names.REFUSALS) == {"store_unavailable": 1}
        assert told.of(names.DURATION, names.ERROR) == {"StoreUnavailable": 1}
        assert told.of(names.WRITES) == {}

    async def test_no_metric_has_a_handle_a_user_a_token_or_words_of_a_caller(self, kit: Kit, told: Told) -> None:
        """Who may see the numbers need not be one who may see who is signed in; and their number stays bounded."""
        manager = kit.manager(POLICY)
        told.instrument(manager, live_sessions=True, enduser_id=True)
        token = await kit.signed_in(manager, "ada@shop.example", cart=["the field's value"])
        session = await manager.load(token)
        ticket = await manager.tickets.issue("download", {"file": "a.pdf"}, session=session, ttl=timedelta(minutes=2))
        await manager.tickets.redeem(ticket, "download")
        await kit.fields(manager, "a forged token")
        await manager.revoke_user("ada@shop.example", reason="she lost her laptop")
        seen = [*told.points()]
        known: dict[str, set[Any]] = {kind.attribute: {*kind.values} for kind in names.COUNTERS.values()}
        known[names.OPERATION] |= {*names.READS}
        known |= {names.NAMESPACE: {manager.namespace}, names.AUTHENTICATED: {True, False}}
        assert {name for name, _, _ in seen} >= {*names.COUNTERS, names.DURATION} - {names.LOOKUPS}
        strange = [pair for _, attributes, _ in seen for pair in attributes.items() if pair[1] not in known[pair[0]]]
        assert strange == []

    async def test_two_managers_are_told_apart_by_their_namespaces(self, kit: Kit, told: Told) -> None:
        """And two of one namespace, as Django's synchronous and asynchronous one, are added up."""
        managers = [kit.manager(POLICY), kit.manager(POLICY), kit.manager(POLICY, namespace="staff")]
        for number, manager in enumerate(managers):
            told.instrument(manager)
            for _ in range(number + 1):
                await manager.load(None)
        assert told.of(names.LOADS, namespace="staff") == {"anonymous": 3}
        assert told.of(names.LOADS, namespace=managers[0].namespace) == {"anonymous": 3}


class TestNear(Scenarios):
    """Where there is a near cache."""

    @pytest.mark.parametrize("url", ["sqlite", "redis"], indirect=True)
    async def test_hits_and_misses_of_the_near_cache_are_counted(self, kit: Kit, told: Told) -> None:
        """What may write asks the store, and is neither. A hit is no call of the store."""
        manager = kit.manager(POLICY, near_cache=True)
        near_of(manager)
        told.instrument(manager)
        token = await kit.signed_in(manager, "ada")
        for _ in range(3):
            assert (await manager.load(token)).user_id == "ada"
        await manager.load(token, fresh=True)
        assert told.of(names.LOOKUPS) == {"miss": 1, "hit": 2}
        assert told.of(names.LOADS) == {"anonymous": 1, "live": 4}
        assert told.of(names.DURATION, names.OPERATION) == {"login": 1, "load": 2}


class Switching(int):
    """A number during whose addition another thread runs."""

    def __add__(self, other: int) -> Switching:
        os.sched_yield()
        return Switching(int(self) + other)


def test_what_is_counted_at_once_is_all_counted() -> None:
    """Threads add to the same number, also where no interpreter lock keeps them apart."""
    count, barrier = Count(), threading.Barrier(4)
    count.value = Switching(0)

    def add() -> None:
        barrier.wait()
        for _ in range(1000):
            count.add()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count.value == 4000
