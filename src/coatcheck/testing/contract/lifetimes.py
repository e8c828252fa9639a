"""Promises 7 and 8: both timeouts hold, reading writes nothing, nothing is created until something is stored."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ...errors import SessionEnded
from ...events import Event
from ...policy import Policy
from ...session import Session
from ...token import TOKEN_LENGTH
from ..kit import Kit, Scenarios

SHORT = Policy(idle_timeout=timedelta(minutes=10), absolute_timeout=timedelta(hours=1), rotation_interval=None)


class Lifetimes(Scenarios):
    """Time, and what requests cost."""

    async def test_the_idle_timeout_holds_to_the_second(self, kit: Kit) -> None:
        """7: the session lives until just before, and not from the instant on."""
        manager = kit.manager(SHORT)
        token = await kit.signed_in(manager, "ada")
        kit.clock.advance(599.9)
        assert await kit.lives(manager, token)
        kit.clock.advance(0.1)
        after = await manager.load(token)
        assert after.is_new
        assert after.ended_reason == "idle"
        assert await manager.sessions("ada") == []

    async def test_the_absolute_timeout_holds_however_busy(self, kit: Kit) -> None:
        """7: activity moves the idle deadline on, never the absolute one."""
        manager = kit.manager(SHORT)
        token = await kit.signed_in(manager, "ada")
        for _ in range(7):
            kit.clock.advance(510)
            await kit.request(manager, token, lambda session: session.update(seen=kit.clock()))
        assert await kit.lives(manager, token)
        kit.clock.advance(30)
        assert (await manager.load(token)).ended_reason == "absolute"

    async def test_a_write_after_the_deadline_is_refused(self, kit: Kit) -> None:
        """7: a request that was loaded in time and commits too late is told so."""
        manager = kit.manager(SHORT)
        token = await kit.signed_in(manager, "ada")
        slow = await manager.load(token)
        kit.clock.advance(600)
        slow["note"] = "late"
        with pytest.raises(SessionEnded) as caught:
            await manager.commit(slow)
        assert caught.value.reason == "idle"
        assert not await kit.lives(manager, token)

    async def test_a_request_is_judged_by_its_arrival(self, kit: Kit) -> None:
        """7: who loads lazily, after waiting, still finds the session that lived when the request came."""
        manager = kit.manager(SHORT)
        token = await kit.signed_in(manager, "ada")
        arrived = kit.clock()
        kit.clock.advance(600)
        assert (await manager.load(token, began=arrived)).user_id == "ada"

    async def test_the_touch_is_throttled(self, kit: Kit) -> None:
        """7: a session that is only read is written at most every tenth of its idle timeout."""
        manager = kit.manager(SHORT)
        token = await kit.signed_in(manager, "ada")
        calls = kit.watch(manager)
        for _ in range(30):
            kit.clock.advance(10)
            await kit.request(manager, token, len)
        assert calls.count("load") == 30
        assert len(calls) - 30 == calls.count("commit") == 5

    async def test_last_seen_only_grows(self, kit: Kit) -> None:
        """7: a slow request, or a server whose clock is behind, does not bring the deadline nearer."""
        manager = kit.manager(SHORT)
        token = await kit.signed_in(manager, "ada")
        kit.clock.advance(300)
        await kit.request(manager, token, lambda session: session.update(a=1))
        kit.clock.advance(-200)
        await kit.request(manager, token, lambda session: session.update(b=1))
        kit.clock.advance(200 + 599)
        assert await kit.fields(manager, token) == {"a": 1, "b": 1}

    async def test_a_server_whose_clock_is_a_day_ahead_ends_nobody(self, kit: Kit) -> None:
        """7: a reader never writes an end: to that server all are over, to the others they live on."""
        manager = kit.manager(SHORT)
        token = await kit.signed_in(manager, "ada", cart=[1])
        anonymous = await kit.stored(manager, cart=[2])
        kit.clock.advance(timedelta(hours=23, minutes=59))
        for one in (token, anonymous):
            ahead = await manager.load(one)
            assert ahead.is_new
            assert ahead.ended_reason in ("idle", "absolute")
            await manager.commit(ahead)
        assert await manager.sessions("ada") == []
        await manager.purge()
        await kit.signed_in(manager, "bob")
        kit.clock.advance(-timedelta(hours=23, minutes=59))
        assert await kit.fields(manager, token) == {"cart": [1]}
        assert await kit.fields(manager, anonymous) == {"cart": [2]}
        assert len(await manager.sessions("ada")) == 1

    async def test_what_is_over_and_forgotten_is_purged(self, kit: Kit) -> None:
        """7: a day after its deadline nothing is left of a session; a live one stays."""
        manager = kit.manager(SHORT)
        tokens = [await kit.signed_in(manager, "ada"), await kit.stored(manager, cart=[1])]
        await kit.request(manager, tokens[1], lambda session: session.clear())
        kit.clock.advance(timedelta(days=1, minutes=11))
        live = await kit.stored(manager, cart=[2])
        await manager.purge()
        assert await manager.purge() == 0
        assert [(await manager.load(token)).is_new for token in tokens] == [True, True]
        stats = await manager.stats()
        assert (stats.sessions, stats.users) == (1, 0)
        assert await kit.lives(manager, live)

    async def test_a_purge_takes_no_more_than_its_batch(self, kit: Kit) -> None:
        """7: so that it holds nobody up, however much there is; a store that forgets by itself has nothing to do."""
        manager = kit.manager(SHORT)
        for number in range(5):
            await kit.stored(manager, number=number)
        kit.clock.advance(timedelta(days=2))
        for _ in range(10):
            if (taken := await kit.call("purge", kit.clock(), 2)) == 0:
                break
            assert taken <= 2
        assert await kit.call("purge", kit.clock(), 2) == 0

    async def test_what_is_over_counts_for_nothing(self, kit: Kit) -> None:
        """7: nothing needs to be written for time to end a session: whoever counts or lists, leaves it out."""
        manager = kit.manager(SHORT)
        await kit.signed_in(manager, "ada", role="admin")
        await kit.stored(manager, cart=[1])
        kit.clock.advance(600)
        assert (await manager.stats()).sessions == 0
        assert await manager.update_user("ada", {"role": "reader"}) == 0
        assert await manager.revoke_user("ada") == 0
        assert await manager.revoke_all() == 0
        limited = kit.manager(Policy(max_sessions=1))
        events: list[Event] = []
        limited.subscribe(events.append)
        await kit.signed_in(limited, "ada")
        assert [event.name for event in events] == ["authenticated"]

    async def test_set_lifetime_changes_one_sessions_timeouts(self, kit: Kit) -> None:
        """7: shorter or longer, idle or absolute, for this session alone; the cookie is told."""
        manager = kit.manager(SHORT)
        token, other = await kit.signed_in(manager, "ada"), await kit.signed_in(manager, "ada")
        session = await manager.load(token)
        session.set_lifetime(idle=timedelta(hours=3), absolute=timedelta(hours=5))
        result = await manager.commit(session)
        assert (result.action, result.max_age) == ("set", 5 * 3600)
        kit.clock.advance(timedelta(hours=3) - timedelta(seconds=1))
        assert [await kit.lives(manager, one) for one in (token, other)] == [True, False]
        kit.clock.advance(1)
        assert (await manager.load(token)).ended_reason == "idle"

    async def test_whether_the_cookie_survives_the_browser_can_change(self, kit: Kit) -> None:
        """8: of a stored session (Flask's `permanent`): the same token is told again, with Max-Age or without."""
        manager = kit.manager(SHORT)
        token = await kit.signed_in(manager, "ada")
        for wish, age in ((False, None), (True, 3600)):
            session = await manager.load(token)
            session._persist(wish)  # noqa: SLF001 (for integrations: it has no verb)
            result = await manager.commit(session)
            assert (result.action, result.token, result.max_age) == ("set", token, age)
            assert (await manager.commit(await manager.load(token))).action == "keep"

    async def test_a_lengthened_session_is_still_found_by_its_user(self, kit: Kit) -> None:
        """4: whatever a store keeps beside the record (index, gate) lives as long as the session does."""
        manager = kit.manager(SHORT)
        token = await kit.signed_in(manager, "ada")
        lifetime = timedelta(days=90)
        await kit.request(manager, token, lambda session: session.set_lifetime(lifetime, lifetime))
        kit.clock.advance(timedelta(days=60))
        await manager.purge()
        assert len(await manager.sessions("ada")) == 1
        assert await manager.revoke_user("ada") == 1
        assert not await kit.lives(manager, token)

    async def test_nothing_is_created_until_something_is_stored(self, kit: Kit) -> None:
        """8: bots and health checks cost no store call, leave no row and get no cookie."""
        manager = kit.manager()
        calls = kit.watch(manager)
        for work in (lambda _: None, dict, lambda session: session.get("cart"), Session.clear, Session.logout):
            session = await manager.load(None)
            work(session)
            assert await manager.commit(session) == ("keep", None, None)
        assert calls == []
        assert (await manager.stats()).sessions == 0

    async def test_a_forged_token_never_reaches_the_store(self, kit: Kit) -> None:
        """8: guessing costs the store nothing: the tag is checked before."""
        manager = kit.manager()
        token = await kit.stored(manager, cart=[1])
        calls = kit.watch(manager)
        for forged in (
            token[:-1] + ("A" if token[-1] != "A" else "B"),
            "A" * TOKEN_LENGTH,
            "",
            "x",
            token[22:],
            "é" * TOKEN_LENGTH,
        ):
            assert (await manager.commit(await manager.load(forged))).action == "keep"
        assert calls == []

    async def test_a_read_only_request_costs_one_read_and_no_write(self, kit: Kit) -> None:
        """8: of a session with nested data as well, which has to be compared."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", cart=[{"id": 1}])
        calls = kit.watch(manager)
        session = await manager.load(token)
        assert session["cart"][0]["id"] == 1
        assert session.is_authenticated
        assert await manager.commit(session) == ("keep", None, None)
        assert calls == ["load"]

    async def test_a_write_costs_one_read_and_one_write(self, kit: Kit) -> None:
        """8: whatever it writes; and only the commit that issued a token says so."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        calls = kit.watch(manager)
        session = await manager.load(token)
        session["cart"] = [2]
        assert await manager.commit(session) == ("keep", None, None)
        assert calls == ["load", "commit"]
