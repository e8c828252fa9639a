"""Promise 4: `revoke_user` misses nobody."""

from __future__ import annotations

import pytest

from ...errors import ReauthenticationRequired
from ...session import Session
from ..kit import Kit, Scenarios


class Gates(Scenarios):
    """Ending all of a user's sessions, also those that are about to begin."""

    async def test_a_login_that_arrived_before_revoke_user_is_refused(self, kit: Kit) -> None:
        """4: the old password was still being checked while it was changed."""
        manager = kit.manager()
        slow = await manager.load(None)
        kit.clock.advance(1)
        assert await manager.revoke_user("ada") == 0
        kit.clock.advance(1)
        slow.login("ada")
        with pytest.raises(ReauthenticationRequired):
            await manager.commit(slow)
        assert await manager.sessions("ada") == []

    async def test_a_login_that_arrives_after_revoke_user_goes_through(self, kit: Kit) -> None:
        """4: also in the same instant, as by a clock that stands still; and other users are not concerned."""
        manager = kit.manager()
        slow = await manager.load(None)
        await manager.revoke_user("ada")
        slow.login("ada")
        assert (await manager.commit(slow)).action == "set"
        kit.clock.advance(1)
        other = await manager.load(None)
        kit.clock.advance(1)
        await manager.revoke_user("ada")
        other.login("bob")
        assert (await manager.commit(other)).action == "set"

    @pytest.mark.parametrize("fraction", [0.0001234, 0.0005, 0.0009876])
    async def test_the_gate_is_exact_within_a_millisecond(self, kit: Kit, fraction: float) -> None:
        """4: however a store rounds its times, the revocation's own request may log in, an earlier one may not."""
        manager = kit.manager()
        kit.clock.advance(fraction)
        early = await manager.load(None)
        kit.clock.advance(0.002)
        same = await manager.load(None)
        await manager.revoke_user("ada")
        same.login("ada")
        assert (await manager.commit(same)).action == "set"
        early.login("ada")
        with pytest.raises(ReauthenticationRequired):
            await manager.commit(early)

    async def test_a_gate_that_closed_later_does_not_open_again(self, kit: Kit) -> None:
        """4: a second revocation, by a server whose clock is behind, leaves the first one's gate where it was."""
        manager = kit.manager()
        slow = await manager.load(None)
        kit.clock.advance(10)
        await manager.revoke_user("ada")
        kit.clock.advance(-20)
        await manager.revoke_user("ada")
        slow.login("ada")
        with pytest.raises(ReauthenticationRequired):
            await manager.commit(slow)

    async def test_revoke_user_ends_all_but_the_one_to_keep(self, kit: Kit) -> None:
        """4: `keep` spares one, by handle or as the session that asks; other users' sessions live."""
        manager = kit.manager()
        tokens = [await kit.signed_in(manager, "ada") for _ in range(4)]
        other = await kit.signed_in(manager, "bob")
        mine = await manager.load(tokens[0])
        assert await manager.revoke_user("ada", keep=mine) == 3
        assert [await kit.lives(manager, token) for token in (*tokens, other)] == [True, *[False] * 3, True]
        assert (await manager.load(tokens[1])).ended_reason == "revoked"
        tokens.append(await kit.signed_in(manager, "ada"))
        assert await manager.revoke_user("ada", keep=mine.handle) == 1
        assert [one.handle for one in await manager.sessions("ada")] == [mine.handle]
        assert await manager.revoke_user("ada") == 1

    @pytest.mark.parametrize("by_handle", [False, True], ids=["session", "handle"])
    async def test_what_to_keep_is_kept_under_its_new_name(self, kit: Kit, by_handle: bool) -> None:
        """4: a double click on "sign out my other devices": the session was renamed by the first, and kept by both."""
        manager = kit.manager()
        token, other = await kit.signed_in(manager, "ada", cart=[1]), await kit.signed_in(manager, "ada")
        second = await manager.load(token)
        new = token
        for _ in range(2):
            new = await kit.request(manager, new, Session.rotate)
        assert await manager.revoke_user("ada", keep=token[:22] if by_handle else second) == 1
        assert await kit.fields(manager, new) == {"cart": [1]}
        assert not await kit.lives(manager, other)

    @pytest.mark.parametrize("first", ["login", "revoke"])
    async def test_a_reset_handler_may_revoke_and_log_in(self, kit: Kit, first: str) -> None:
        """4: with `keep=session` its own login goes through, in whichever order it says so."""
        manager = kit.manager()
        stolen = await kit.signed_in(manager, "ada")
        session = await manager.load(None)
        kit.clock.advance(1)
        if first == "login":
            session.login("ada")
        await manager.revoke_user("ada", keep=session)
        if first == "revoke":
            session.login("ada")
        new = (await manager.commit(session)).token or ""
        assert (await manager.load(new)).user_id == "ada"
        assert not await kit.lives(manager, stolen)

    @pytest.mark.parametrize("first", ["rotate", "revoke"])
    async def test_a_password_change_may_rotate_and_revoke_the_others(self, kit: Kit, first: str) -> None:
        """4: with `keep=session` a session that rotates in the same request is spared as well."""
        manager = kit.manager()
        token, stolen = await kit.signed_in(manager, "ada", cart=[1]), await kit.signed_in(manager, "ada")
        session = await manager.load(token)
        kit.clock.advance(1)
        if first == "rotate":
            session.rotate()
        assert await manager.revoke_user("ada", keep=session) == 1
        if first == "revoke":
            session.rotate()
        new = (await manager.commit(session)).token or ""
        assert await kit.fields(manager, new) == {"cart": [1]}
        assert not await kit.lives(manager, stolen)
