"""Promise 13: single use means once, and a ticket dies with its session."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from ...errors import StoreUnavailable, TicketExpired, TicketInvalid, TicketRevoked, TicketSpent
from ...session import Session
from ...tickets import Ticket
from ..kit import Kit, Scenarios
from ..schedule import Outcome, Race, every_order, request


class Ticketing(Scenarios):
    """From issue to redemption."""

    async def test_a_ticket_is_redeemed_once(self, kit: Kit) -> None:
        """13: the second time it says when it was used; on another server as well."""
        manager = kit.manager()
        session = await manager.load(await kit.signed_in(manager, "ada"))
        jwt = await manager.tickets.issue("download", {"file": "a.pdf"}, session=session)
        ticket = await manager.tickets.redeem(jwt, "download")
        assert (ticket.claims, ticket.user_id, ticket.session_handle) == ({"file": "a.pdf"}, "ada", session.handle)
        used_at = kit.clock.now()
        kit.clock.advance(30)
        for again in (manager, kit.manager()):
            with pytest.raises(TicketSpent) as caught:
                await again.tickets.redeem(jwt, "download")
            assert caught.value.used_at == used_at

    async def test_looking_does_not_spend(self, kit: Kit) -> None:
        """13: HEAD requests and prefetches see what a redemption would say, any number of times."""
        manager = kit.manager()
        session = await manager.load(await kit.signed_in(manager, "ada"))
        jwt = await manager.tickets.issue("download", {}, session=session)
        for _ in range(3):
            assert (await manager.tickets.peek(jwt, "download", session)).user_id == "ada"
        await manager.tickets.redeem(jwt, "download", session)
        with pytest.raises(TicketSpent):
            await manager.tickets.peek(jwt, "download", session)

    @pytest.mark.parametrize("end", ["logout", "revoke", "revoke_user", "rotate", "login", "idle"])
    async def test_a_ticket_dies_with_its_session(self, kit: Kit, end: str) -> None:
        """13: however that ended, and though the ticket itself is whole."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada")
        session = await manager.load(token)
        if end == "idle":
            session.set_lifetime(idle=timedelta(seconds=30))
            await manager.commit(session)
        jwt = await manager.tickets.issue("download", {}, session=session)
        reasons = {"revoke": "revoked", "revoke_user": "revoked", "rotate": "replaced", "login": "replaced"}
        match end:
            case "logout":
                await kit.request(manager, token, Session.logout)
            case "revoke":
                await manager.revoke(session.handle or "")
            case "revoke_user":
                await manager.revoke_user("ada")
            case "rotate":
                await kit.request(manager, token, Session.rotate)
            case "login":
                await kit.signed_in(manager, "ada", token)
            case _:
                kit.clock.advance(31)
        for attempt in (manager.tickets.peek, manager.tickets.redeem):
            with pytest.raises(TicketRevoked) as caught:
                await attempt(jwt, "download")
            assert caught.value.reason == reasons.get(end, end)

    async def test_another_session_cannot_redeem_it_nor_spend_it(self, kit: Kit) -> None:
        """13: a leaked link is refused, and stays whole for the session that asked for it."""
        manager = kit.manager()
        session = await manager.load(await kit.signed_in(manager, "ada"))
        stranger = await manager.load(await kit.signed_in(manager, "ada"))
        jwt = await manager.tickets.issue("download", {}, session=session)
        for other in (stranger, await manager.load(None)):
            with pytest.raises(TicketInvalid):
                await manager.tickets.redeem(jwt, "download", other)
        assert (await manager.tickets.redeem(jwt, "download", session)).user_id == "ada"

    async def test_a_bearer_ticket_serves_whoever_holds_it_once(self, kit: Kit) -> None:
        """13: and still dies with the session that it was issued to."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada")
        session, stranger = await manager.load(token), await manager.load(None)
        first, second = [await manager.tickets.issue("download", {}, session=session, bearer=True) for _ in range(2)]
        assert (await manager.tickets.redeem(first, "download", stranger)).session_handle == session.handle
        with pytest.raises(TicketSpent):
            await manager.tickets.redeem(first, "download", session)
        await kit.request(manager, token, Session.logout)
        with pytest.raises(TicketRevoked):
            await manager.tickets.redeem(second, "download", stranger)

    async def test_a_ticket_is_for_one_purpose_and_its_time(self, kit: Kit) -> None:
        """13: for another purpose, altered or too late it is refused, before the store is asked."""
        manager = kit.manager()
        session = await manager.load(await kit.signed_in(manager, "ada"))
        jwt = await manager.tickets.issue("download", {}, session=session, ttl=timedelta(minutes=2))
        calls = kit.watch(manager)
        for text, purpose in ((jwt, "upload"), (jwt[:-3] + "AAA", "download"), ("", "download")):
            with pytest.raises(TicketInvalid):
                await manager.tickets.redeem(text, purpose)
        kit.clock.advance(timedelta(minutes=3))
        with pytest.raises(TicketExpired):
            await manager.tickets.redeem(jwt, "download")
        assert calls == []

    async def test_a_retried_redemption_is_the_same_use(self, kit: Kit) -> None:
        """13: the same nonce wins again after a lost answer; what the first use noted is what is told."""
        manager = kit.manager()
        handle = (await kit.signed_in(manager, "ada"))[:22]
        now = kit.clock()
        first = await kit.call("redeem", handle, "j" * 22, "nonce", "a.pdf", now, now + 300)
        again = await kit.call("redeem", handle, "j" * 22, "nonce", "b.pdf", now + 1, now + 300)
        other = await kit.call("redeem", handle, "j" * 22, "other", "c.pdf", now + 2, now + 300)
        seen = await kit.call("taken", handle, "j" * 22, now + 2)
        whole = await kit.call("taken", handle, "k" * 22, now + 2)
        assert [answer.won for answer in (first, again, other, seen, whole)] == [True, True, False, False, True]
        assert {(answer.at, answer.note) for answer in (first, again, other, seen)} == {(now, "a.pdf")}

    async def test_a_spent_ticket_is_remembered_until_it_has_expired(self, kit: Kit) -> None:
        """13: a purge in between must not make it whole again."""
        manager = kit.manager()
        session = await manager.load(await kit.signed_in(manager, "ada"))
        jwt = await manager.tickets.issue("download", {}, session=session, ttl=timedelta(hours=1))
        await manager.tickets.redeem(jwt, "download")
        kit.clock.advance(timedelta(minutes=59))
        await manager.purge()
        with pytest.raises(TicketSpent):
            await manager.tickets.redeem(jwt, "download")
        kit.clock.advance(timedelta(days=1))
        await manager.purge()
        assert (await manager.stats()).tickets == 0

    async def test_of_fifty_redemptions_one_wins(self, kit: Kit) -> None:
        """13: at the same time, on two servers: exactly one gets the file."""
        managers = [kit.manager(), kit.manager()]
        session = await managers[0].load(await kit.signed_in(managers[0], "ada"))
        jwt = await managers[0].tickets.issue("download", {}, session=session)

        async def redeem(number: int) -> Ticket:
            return await managers[number % 2].tickets.redeem(jwt, "download")

        results = await kit.together(*(partial(redeem, number) for number in range(50)))
        assert sum(isinstance(result, Ticket) for result in results) == 1
        # Refused as spent, or on a slow machine by a store too busy to answer in time: never accepted twice.
        assert sum(isinstance(result, TicketSpent | StoreUnavailable) for result in results) == 49

    async def test_two_redemptions(self, kit: Kit) -> None:
        """13: exactly one wins, in every order."""
        manager, plans = kit.manager(), kit.planner()
        token = await kit.signed_in(manager, "ada")

        async def prepare() -> Race:
            session = await manager.load(token)
            jwt = await manager.tickets.issue("download", {}, session=session)

            async def check(outcome: Outcome) -> None:
                assert sorted(type(result).__name__ for result in outcome.results) == ["Spent", "Ticket"]
                assert any(isinstance(result, TicketSpent) for result in outcome.results)

            return [plans.tickets.redeem(jwt, "download") for _ in range(2)], check

        assert await every_order(kit, prepare) >= 6

    async def test_a_redemption_against_the_sessions_logout(self, kit: Kit) -> None:
        """13: it wins before the end or is refused after it; afterwards the ticket is dead."""
        manager, plans = kit.manager(), kit.planner()

        async def prepare() -> Race:
            token = await kit.signed_in(manager, "ada")
            session = await manager.load(token)
            jwt = await manager.tickets.issue("download", {}, session=session)
            logout = request(plans, token, Session.logout)

            async def check(outcome: Outcome) -> None:
                assert isinstance(outcome.results[0], Ticket | TicketRevoked)
                # The last of three steps of the logout is the end itself.
                ended = [step for step, plan in enumerate(outcome.order) if plan == 1][-1]
                took = [step for step, plan in enumerate(outcome.order) if plan == 0][-1]
                assert isinstance(outcome.results[0], Ticket) is (took < ended)

            return [plans.tickets.redeem(jwt, "download"), logout], check

        assert await every_order(kit, prepare) >= 10
