"""Every interleaving of two requests of one session, and what must hold after each of them."""

from __future__ import annotations

from functools import partial
from itertools import count

import pytest

from ...engine import Commit
from ...errors import SessionEnded
from ...policy import Policy
from ...session import Session
from ..kit import Kit, Scenarios
from ..schedule import Outcome, Race, every_order, request, signs_in, writes
from .rotating import DUE


class Races(Scenarios):
    """Two requests at a time. Each order has a session of its own."""

    async def test_a_login_against_the_old_sessions_logout(self, kit: Kit) -> None:
        """5: the old session is dead after any order, and the new one lives if it was acknowledged."""
        manager, plans, users = kit.manager(), kit.planner(), map("user-{}".format, count())

        async def prepare() -> Race:
            user = next(users)
            token = await kit.signed_in(manager, user, cart=[1])

            async def check(outcome: Outcome) -> None:
                login, logout = outcome.results
                assert isinstance(login, Commit)
                assert isinstance(logout, Commit)
                assert not await kit.lives(manager, token)
                assert [info.handle for info in await manager.sessions(user)] == [(login.token or "")[:22]]

            return [request(plans, token, signs_in(user)), request(plans, token, Session.logout)], check

        assert await every_order(kit, prepare) >= 10

    @pytest.mark.parametrize("limit", [1, 2])
    async def test_a_double_click_on_the_sign_in_button(self, kit: Kit, limit: int) -> None:
        """5: two logins over one session with `max_sessions`: as many live as may, with what their requests had."""
        policy = Policy(max_sessions=limit)
        manager, plans, users = kit.manager(policy), kit.planner(policy), map("user-{}".format, count())

        async def prepare() -> Race:
            user = next(users)
            token = await kit.signed_in(manager, user, cart=[1])
            had: list[dict[str, object]] = [{}, {}]

            def work(number: int, session: Session) -> None:
                had[number] = dict(session)
                session.login(user)

            async def check(outcome: Outcome) -> None:
                tokens = [result.token or "" for result in outcome.results]
                live = [number for number in (0, 1) if await kit.lives(manager, tokens[number])]
                assert len(live) == limit
                for number in live:
                    assert await kit.fields(manager, tokens[number]) == had[number]
                assert {"cart": [1]} in had
                assert not await kit.lives(manager, token)
                assert len(await manager.sessions(user)) == limit

            return [request(plans, token, partial(work, number)) for number in (0, 1)], check

        assert await every_order(kit, prepare) >= 20

    async def test_a_logout_against_rotate(self, kit: Kit) -> None:
        """5: a logout whose request had the session wins in every order, whatever name the session has by then."""
        manager, plans, users = kit.manager(), kit.planner(), map("user-{}".format, count())

        async def prepare() -> Race:
            user = next(users)
            token = await kit.signed_in(manager, user)

            async def check(outcome: Outcome) -> None:
                logout = outcome.results[1]
                assert isinstance(logout, Commit)
                live = await manager.sessions(user)
                # "keep": it came with the old token after the new one was issued, and had nothing to end.
                assert len(live) == (logout.action == "keep")

            return [request(plans, token, Session.rotate), request(plans, token, Session.logout)], check

        assert await every_order(kit, prepare) >= 6

    async def test_a_login_against_a_parallel_write(self, kit: Kit) -> None:
        """5: what was acknowledged before the old session ended comes along; later it is refused, or goes
        into a session of its own."""
        manager, plans, users = kit.manager(), kit.planner(), map("user-{}".format, count())

        async def prepare() -> Race:
            user = next(users)
            token = await kit.stored(manager, cart=[1])

            async def check(outcome: Outcome) -> None:
                login, write = outcome.results
                found = await kit.fields(manager, login.token)
                assert not await kit.lives(manager, token)
                if isinstance(write, Commit) and write.action == "keep":
                    assert found == {"cart": [1], "note": "new"}
                else:
                    assert found == {"cart": [1]}
                    assert isinstance(write, SessionEnded) or await kit.fields(manager, write.token or "") == {
                        "note": "new"
                    }

            return [request(plans, token, signs_in(user)), request(plans, token, writes(note="new"))], check

        assert await every_order(kit, prepare) >= 10

    async def test_a_login_submitted_twice(self, kit: Kit) -> None:
        """5: two sessions, both of them live and listed; the one before is dead."""
        manager, plans, users = kit.manager(), kit.planner(), map("user-{}".format, count())

        async def prepare() -> Race:
            user = next(users)
            token = await kit.stored(manager, cart=[1])

            async def check(outcome: Outcome) -> None:
                tokens = [result.token for result in outcome.results]
                assert not await kit.lives(manager, token)
                assert {info.handle for info in await manager.sessions(user)} == {one[:22] for one in tokens}
                assert {"cart": [1]} in [await kit.fields(manager, one) for one in tokens]

            return [request(plans, token, signs_in(user)) for _ in range(2)], check

        assert await every_order(kit, prepare) >= 20

    async def test_a_logout_against_a_slow_write(self, kit: Kit) -> None:
        """2: the session is dead after any order; a write that came too late was told so."""
        manager, plans = kit.manager(), kit.planner()

        async def prepare() -> Race:
            token = await kit.signed_in(manager, "ada", cart=[1])

            async def check(outcome: Outcome) -> None:
                logout, write = outcome.results
                assert logout.action == "drop"
                assert not await kit.lives(manager, token)
                assert await manager.sessions("ada") == []
                if isinstance(write, Commit) and write.token:
                    assert await kit.fields(manager, write.token) == {"note": "new"}
                else:
                    assert isinstance(write, SessionEnded) or write.action == "keep"

            return [request(plans, token, Session.logout), request(plans, token, writes(note="new"))], check

        assert await every_order(kit, prepare) >= 10

    async def test_a_logout_against_a_rotation_that_is_due(self, kit: Kit) -> None:
        """2: a logout with the old secret ends the session for the one that was just issued."""
        manager, plans = kit.manager(), kit.planner()

        async def prepare() -> Race:
            token = await kit.signed_in(manager, "ada")
            kit.clock.advance(DUE)

            async def check(outcome: Outcome) -> None:
                issued = outcome.results[1].token
                assert not await kit.lives(manager, token)
                assert issued is None or not await kit.lives(manager, issued)
                assert await manager.sessions("ada") == []

            return [request(plans, token, Session.logout), request(plans, token, len)], check

        assert await every_order(kit, prepare) >= 10

    async def test_two_commits(self, kit: Kit) -> None:
        """1: both fields survive every order."""
        manager, plans = kit.manager(), kit.planner()

        async def prepare() -> Race:
            token = await kit.stored(manager, cart=[1])

            async def check(outcome: Outcome) -> None:
                assert [result.action for result in outcome.results] == ["keep", "keep"]
                assert await kit.fields(manager, token) == {"cart": [1], "first": 1, "second": 2}

            return [request(plans, token, writes(first=1)), request(plans, token, writes(second=2))], check

        assert await every_order(kit, prepare) >= 20

    async def test_two_rotations_that_are_due(self, kit: Kit) -> None:
        """6: exactly one steps, and afterwards both the old and the new secret serve."""
        manager, plans = kit.manager(), kit.planner()

        async def prepare() -> Race:
            token = await kit.signed_in(manager, "ada")
            kit.clock.advance(DUE)

            async def check(outcome: Outcome) -> None:
                issued = [result.token for result in outcome.results if result.token]
                assert len(issued) == 1
                assert await kit.lives(manager, token)
                assert await kit.lives(manager, issued[0])

            return [request(plans, token, len), request(plans, token, len)], check

        assert await every_order(kit, prepare) >= 10

    async def test_two_that_rotate_at_once(self, kit: Kit) -> None:
        """5: one replaces the session, the other is told that it came too late, or that it has no session."""
        manager, plans, users = kit.manager(), kit.planner(), map("user-{}".format, count())

        async def prepare() -> Race:
            user = next(users)
            token = await kit.signed_in(manager, user, cart=[1])

            async def check(outcome: Outcome) -> None:
                issued = [one.token for one in outcome.results if isinstance(one, Commit) and one.token]
                assert len(issued) == 1
                assert [info.handle for info in await manager.sessions(user)] == [issued[0][:22]]
                assert await kit.fields(manager, issued[0]) == {"cart": [1]}
                assert not await kit.lives(manager, token)

            return [request(plans, token, Session.rotate) for _ in range(2)], check

        assert await every_order(kit, prepare) >= 10
