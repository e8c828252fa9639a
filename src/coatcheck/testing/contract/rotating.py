"""Promise 6: periodic rotation keeps in-flight requests and crashed browsers alive, and finds thieves."""

from __future__ import annotations

from datetime import timedelta

from ...events import Event
from ...manager import AsyncSessionManager
from ...policy import SETTLING
from ...session import Session
from ...token import new_secret
from ..kit import KEY, OLD_KEY, Kit, Scenarios

DUE = timedelta(days=1, seconds=1)
"""After this the default policy wants another secret."""


async def _step(kit: Kit, manager: AsyncSessionManager, token: str) -> str:
    """Let the secret's time come, and the next token be issued."""
    kit.clock.advance(DUE)
    new = await kit.request(manager, token, len)
    assert new not in (token, "")
    return new


async def _settle(kit: Kit, manager: AsyncSessionManager, token: str) -> None:
    """Show the token again, so much later that its browser must have kept it."""
    kit.clock.advance(SETTLING)
    assert await kit.request(manager, token, len) == token


class Rotating(Scenarios):
    """From one secret to the next, and back."""

    async def test_a_step_keeps_handle_user_and_data(self, kit: Kit) -> None:
        """6: only the secret changes, so an index, a ticket or an audit line does not dangle."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        new = await _step(kit, manager, token)
        old, after = await manager.load(token), await manager.load(new)
        assert new[:22] == token[:22] == after.handle == old.handle
        assert (after.user_id, dict(after)) == ("ada", {"cart": [1]})

    async def test_of_parallel_requests_one_steps(self, kit: Kit) -> None:
        """6: the others send no cookie, so the browser is left with the one that counts."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada")
        kit.clock.advance(DUE)
        burst = [await manager.load(token) for _ in range(5)]
        results = [await manager.commit(session) for session in burst]
        assert [result.action for result in results].count("set") == 1
        issued = next(result.token for result in results if result.token)
        assert await kit.lives(manager, issued)

    async def test_the_old_secret_serves_until_the_next_has_settled(self, kit: Kit) -> None:
        """6: a browser that crashed before it saved the new cookie comes back with the old one, even tomorrow."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        new = await _step(kit, manager, token)
        kit.clock.advance(SETTLING - 1)
        assert await kit.request(manager, new, len) == new
        kit.clock.advance(timedelta(hours=8))
        back = await kit.request(manager, token, len)
        assert back not in (token, new)
        assert await kit.fields(manager, back) == {"cart": [1]}
        assert (await manager.load(None)).ended_reason is None

    async def test_a_lost_response_does_not_log_anybody_out(self, kit: Kit) -> None:
        """6: whoever shows the old secret long after the step gets another successor, again and again."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        for _ in range(5):
            kit.clock.advance(DUE)
            assert await kit.request(manager, token, len) not in (token, "")
        assert await kit.fields(manager, token) == {"cart": [1]}

    async def test_a_copied_cookie_that_comes_back_ends_the_session(self, kit: Kit) -> None:
        """6: a secret from before a settled one can only be a copy: both lose, with an event, in every process."""
        manager = kit.manager()
        events: list[Event] = []
        manager.subscribe(events.append)
        copied = await kit.signed_in(manager, "ada", cart=[1])
        token = await _step(kit, manager, copied)
        await _settle(kit, manager, token)
        thief = await manager.load(copied)
        assert (thief.is_new, thief.ended_reason, dict(thief)) == (True, "stolen", {})
        assert [(event.name, event.user_id) for event in events if event.reason == "stolen"] == [("ended", "ada")]
        assert (await kit.manager().load(token)).ended_reason == "stolen"
        assert await manager.sessions("ada") == []

    async def test_a_thief_who_rotates_first_is_found_by_the_owner(self, kit: Kit) -> None:
        """6: it does not matter which of the two comes back with the older secret."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada")
        thief = await _step(kit, manager, token)
        await _settle(kit, manager, thief)
        assert (await manager.load(token)).ended_reason == "stolen"
        assert not await kit.lives(manager, thief)

    async def test_a_step_that_the_store_has_forgotten_ends_nothing(self, kit: Kit) -> None:
        """6: after a failover clients are ahead of the store. They are anonymous, and no session ends for it."""
        manager = kit.manager()
        events: list[Event] = []
        manager.subscribe(events.append)
        token = await kit.signed_in(manager, "ada")
        handle = (await manager.load(token)).handle or ""
        ahead = await manager.load(kit.sign(handle, new_secret(7)))
        assert (ahead.is_new, ahead.ended_reason, dict(ahead)) == (True, None, {})
        assert [event.name for event in events if event.reason] == ["token_unknown"]
        assert (await manager.load(token)).user_id == "ada"

    async def test_rotation_counts_from_the_requests_arrival(self, kit: Kit) -> None:
        """6: a request that arrived before the next secret had settled is no thief, however late it is loaded."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada")
        new = await _step(kit, manager, token)
        kit.clock.advance(SETTLING - 1)
        arrived = kit.clock()
        kit.clock.advance(5)
        session = await manager.load(new, began=arrived)
        await manager.commit(session)
        assert await kit.lives(manager, token)

    async def test_what_a_request_wrote_is_kept_when_its_step_loses(self, kit: Kit) -> None:
        """6: the compare-and-set guards the secret alone; data of both requests is merged."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada")
        kit.clock.advance(DUE)
        first, second = await manager.load(token), await manager.load(token)
        first["first"], second["second"] = 1, 2
        await manager.commit(first)
        assert (await manager.commit(second)).action == "keep"
        assert await kit.fields(manager, token) == {"first": 1, "second": 2}

    async def test_a_stolen_session_frees_nothing_that_a_logout_would_not(self, kit: Kit) -> None:
        """6: the owner who was thrown out signs in again, and the old tokens stay dead."""
        manager = kit.manager()
        copied = await kit.signed_in(manager, "ada")
        token = await _step(kit, manager, copied)
        await _settle(kit, manager, token)
        await manager.load(copied)
        new = await kit.signed_in(manager, "ada", token)
        assert [await kit.lives(manager, one) for one in (copied, token, new)] == [False, False, True]

    async def test_a_new_key_re_tags_the_token_with_the_next_touch(self, kit: Kit) -> None:
        """6: a token signed with an old key serves, and is signed anew when something is written anyway."""
        old = kit.manager(secret=[OLD_KEY])
        both, new = kit.manager(secret=[KEY, OLD_KEY]), kit.manager(secret=[KEY])
        token = await kit.signed_in(old, "ada", cart=[1])
        assert await kit.request(both, token, len) == token
        assert not await kit.lives(new, token)
        session = await both.load(token)
        session["cart"] = [2]
        result = await both.commit(session)
        assert result.action == "set"
        assert await kit.fields(new, result.token or "") == {"cart": [2]}
        assert await kit.lives(both, token)

    async def test_logout_ends_a_session_whichever_secret_it_shows(self, kit: Kit) -> None:
        """6: a logout with the secret from before the step ends the session for the next one too."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada")
        new = await _step(kit, manager, token)
        await kit.request(manager, token, Session.logout)
        assert not await kit.lives(manager, new)
