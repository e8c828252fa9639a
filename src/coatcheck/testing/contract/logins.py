"""Promise 5: a login replaces the session, at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ...errors import SessionEnded
from ...policy import Policy
from ...token import TOKEN_LENGTH, new_handle, new_secret
from ..kit import Kit, Scenarios


class Logins(Scenarios):
    """From one session to the next."""

    async def test_a_login_replaces_handle_secret_and_csrf_token(self, kit: Kit) -> None:
        """5: nothing that an attacker knew or planted before a login serves after it."""
        manager = kit.manager()
        planted = await kit.stored(manager, cart=[1])
        before = await manager.load(planted)
        session = await manager.load(planted)
        session.login("ada")
        result = await manager.commit(session)
        assert result.action == "set"
        assert result.token is not None
        after = await manager.load(result.token)
        assert (after.user_id, after.handle) == ("ada", session.handle)
        assert after.handle != before.handle
        assert not manager.engine.csrf_matches(after, before.csrf_token)
        assert manager.engine.csrf_matches(after, session.csrf_token)

    async def test_the_token_from_before_a_login_is_merely_unknown(self, kit: Kit) -> None:
        """5: its request is anonymous, and nothing else ends for it."""
        manager = kit.manager()
        planted = await kit.stored(manager, cart=[1])
        token = await kit.signed_in(manager, "ada", planted)
        old = await manager.load(planted)
        assert old.is_new
        assert dict(old) == {}
        assert old.ended_reason == "replaced"
        assert (await manager.load(token)).user_id == "ada"

    async def test_a_slow_request_of_the_attackers_cannot_write_into_the_victims_login(self, kit: Kit) -> None:
        """5: a planted anonymous session is over before the login is acknowledged."""
        manager = kit.manager()
        planted = await kit.stored(manager, cart=[1])
        attacker = await manager.load(planted)
        token = await kit.signed_in(manager, "victim", planted)
        attacker["cart"] = ["poison"]
        with pytest.raises(SessionEnded) as caught:
            await manager.commit(attacker)
        assert caught.value.reason == "replaced"
        assert await kit.fields(manager, token) == {"cart": [1]}

    async def test_a_token_that_a_client_made_up_is_never_adopted(self, kit: Kit) -> None:
        """5: a handle that the store does not know stays unknown, even with a valid tag."""
        manager = kit.manager()
        shown = await kit.stored(manager, cart=[1])
        unknown = "A" * 22 + shown[22:]
        store_lost_it = kit.sign(new_handle(None), new_secret(0))
        wrong_secret = kit.sign((await manager.load(shown)).handle or "", new_secret(0))
        for text in (unknown, store_lost_it, wrong_secret, "", "x" * TOKEN_LENGTH, shown[:-1], shown + "A"):
            session = await manager.load(text)
            assert session.is_new
            assert dict(session) == {}
            session["mine"] = 1
            token = (await manager.commit(session)).token
            assert token is not None
            assert token[:22] != text[:22]
        assert await kit.fields(manager, shown) == {"cart": [1]}

    @pytest.mark.parametrize("carry", [True, False, ("cart",)], ids=["all", "none", "named"])
    @pytest.mark.parametrize("before", [None, "ada"], ids=["anonymous", "same user"])
    async def test_a_login_carries_what_it_is_told_to(
        self, kit: Kit, before: str | None, carry: bool | tuple[str, ...]
    ) -> None:
        """5: all, nothing, or the named fields; and what a parallel request wrote to those comes along."""
        manager = kit.manager()
        old: dict[str, Any] = {"cart": [1], "theme": "light", "gone": 1}
        token = await (kit.signed_in(manager, before, **old) if before else kit.stored(manager, **old))
        session, parallel = await manager.load(token), await manager.load(token)
        parallel.update(cart=[1, 2], note="new")
        del parallel["gone"]
        await manager.commit(parallel)
        session.login("ada", carry=carry)
        session["greeting"] = "hello"
        new = (await manager.commit(session)).token
        expected = {
            True: {"cart": [1, 2], "theme": "light", "note": "new", "greeting": "hello"},
            False: {"greeting": "hello"},
            ("cart",): {"cart": [1, 2], "greeting": "hello"},
        }[carry]
        assert await kit.fields(manager, new or "") == expected

    async def test_the_login_requests_own_writes_win_over_parallel_ones(self, kit: Kit) -> None:
        """5: on a field that both wrote, the login's is the later commit."""
        manager = kit.manager()
        token = await kit.stored(manager, cart=[1], theme="light")
        session, parallel = await manager.load(token), await manager.load(token)
        parallel.update(cart=["parallel"], theme="parallel")
        await manager.commit(parallel)
        session["cart"] = ["own"]
        del session["theme"]
        session.login("ada")
        new = (await manager.commit(session)).token
        assert await kit.fields(manager, new or "") == {"cart": ["own"]}

    @pytest.mark.parametrize("times", [1, 2])
    async def test_a_login_over_another_users_session_starts_empty(self, kit: Kit, times: int) -> None:
        """5: what Ada stored is not Bob's, nor what a parallel request of hers still writes; however often
        the handler calls `login`."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", secret="Ada's")
        session, parallel = await manager.load(token), await manager.load(token)
        parallel["note"] = "Ada's too"
        await manager.commit(parallel)
        for _ in range(times):
            session.login("bob")
        new = (await manager.commit(session)).token or ""
        assert (await manager.load(new)).user_id == "bob"
        assert await kit.fields(manager, new) == {}
        assert not await kit.lives(manager, token)

    async def test_a_login_after_a_logout_starts_empty(self, kit: Kit) -> None:
        """5: `logout()` and `login()` in one request end the one and start the other, with nothing carried."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        session = await manager.load(token)
        session.logout()
        session.login("ada")
        new = (await manager.commit(session)).token or ""
        assert await kit.fields(manager, new) == {}
        assert (await manager.load(token)).ended_reason == "logout"

    async def test_rotate_replaces_handle_and_secret_at_once(self, kit: Kit) -> None:
        """5: `rotate()` keeps user, data and lifetime; the old token is unknown, and parallel writes are kept."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        session, parallel = await manager.load(token), await manager.load(token)
        parallel["note"] = "new"
        await manager.commit(parallel)
        before = session.info
        session.rotate()
        session["role"] = "editor"
        new = (await manager.commit(session)).token or ""
        after = await manager.load(new)
        assert dict(after) == {"cart": [1], "note": "new", "role": "editor"}
        assert before is not None
        assert after.info is not None
        assert (after.user_id, after.info.created_at) == ("ada", before.created_at)
        assert after.handle == session.handle != before.handle
        assert (await manager.load(token)).ended_reason == "replaced"
        assert [one.handle for one in await manager.sessions("ada")] == [after.handle]

    async def test_a_login_above_the_limit_ends_the_oldest(self, kit: Kit) -> None:
        """5: `max_sessions` holds at every login, and tells the one that it ended why."""
        manager = kit.manager(Policy(max_sessions=2))
        tokens = []
        for _ in range(4):
            kit.clock.advance(1)
            tokens.append(await kit.signed_in(manager, "ada"))
            assert len(await manager.sessions("ada")) <= 2
        other = await kit.signed_in(manager, "bob")
        assert [await kit.lives(manager, token) for token in (*tokens, other)] == [False, False, *[True] * 3]
        assert (await manager.load(tokens[0])).ended_reason == "too many sessions"

    async def test_a_lowered_limit_ends_all_above_it(self, kit: Kit) -> None:
        """5: the limit is what the policy says at the login, however many there were."""
        manager = kit.manager()
        for _ in range(5):
            kit.clock.advance(1)
            await kit.signed_in(manager, "ada")
        newest = await kit.signed_in(kit.manager(Policy(max_sessions=1)), "ada")
        assert [one.handle for one in await manager.sessions("ada")] == [(await manager.load(newest)).handle]

    async def test_remember_decides_how_long_the_cookie_lives(self, kit: Kit) -> None:
        """5: remembered, it lives as long as the session; else it ends with the browser."""
        policy = Policy(
            idle_timeout=timedelta(hours=1),
            absolute_timeout=timedelta(hours=8),
            remember=False,
            remember_timeout=timedelta(days=30),
        )
        manager = kit.manager(policy)
        ages = []
        for remember in (True, False, None):
            session = await manager.load(None)
            session.login("ada", remember=remember)
            result = await manager.commit(session)
            ages.append(result.max_age)
            kit.clock.advance(timedelta(days=1))
            assert await kit.lives(manager, result.token or "") is bool(remember)
        assert ages == [30 * 86_400, None, None]

    async def test_a_user_id_of_any_kind_is_the_same_user(self, kit: Kit) -> None:
        """5: ids are kept as text, odd ones too; 7 and "7" are one user."""
        manager = kit.manager()
        for user in (7, "7", "Zoë \N{SNOWMAN} {x}:*", "x" * 255):
            session = await manager.load(None)
            session.login(user)
            token = (await manager.commit(session)).token or ""
            assert (await manager.load(token)).user_id == str(user)
        counts = [len(await manager.sessions(user)) for user in (7, "Zoë \N{SNOWMAN} {x}:*", "x" * 255)]
        assert counts == [2, 1, 1]
        assert await manager.revoke_user("7") == 2
