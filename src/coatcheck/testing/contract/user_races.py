"""Every interleaving of one request with what is done to all of a user's sessions."""

from __future__ import annotations

from itertools import count

from ...errors import ReauthenticationRequired
from ...session import Session
from ..kit import Kit, Scenarios
from ..schedule import Outcome, Race, every_order, request, signs_in, writes
from .rotating import DUE


class UserRaces(Scenarios):
    """A request against an operator. Each order has a user of its own."""

    async def test_a_login_against_revoke_user(self, kit: Kit) -> None:
        """4: in every order a login that arrived first is refused or ended, and one that arrived after it lives."""
        manager, plans, users = kit.manager(), kit.planner(), map("user-{}".format, count())

        async def prepare() -> Race:
            user = next(users)
            other, anonymous = await kit.signed_in(manager, user), await kit.stored(manager, cart=[1])

            async def check(outcome: Outcome) -> None:
                login, revoked = outcome.results
                live = [info.handle for info in await manager.sessions(user)]
                assert not await kit.lives(manager, other)
                issued = getattr(login, "token", "")
                assert isinstance(login, ReauthenticationRequired) or (issued[:22] in live) is (revoked == 1)
                if outcome.started[0] < outcome.started[1]:
                    assert live == []
                elif outcome.order[:2] == [1, 1]:
                    assert live == [issued[:22]]

            return [request(plans, anonymous, signs_in(user)), plans.revoke_user(user)], check

        assert await every_order(kit, prepare) >= 10

    async def test_rotate_against_revoke(self, kit: Kit) -> None:
        """5: a revocation wins in every order, also over the name that the session has taken meanwhile."""
        manager, plans, users = kit.manager(), kit.planner(), map("user-{}".format, count())

        async def prepare() -> Race:
            user = next(users)
            token = await kit.signed_in(manager, user)

            async def check(outcome: Outcome) -> None:
                rotated, revoked = outcome.results
                assert revoked is True
                assert await manager.sessions(user) == []
                assert not await kit.lives(manager, token)
                issued = getattr(rotated, "token", None)
                assert issued is None or not await kit.lives(manager, issued)

            return [request(plans, token, Session.rotate), plans.revoke(token[:22])], check

        assert await every_order(kit, prepare) >= 10

    async def test_rotate_against_revoke_user(self, kit: Kit) -> None:
        """4: a session that changes its handle meanwhile is not missed."""
        manager, plans, users = kit.manager(), kit.planner(), map("user-{}".format, count())

        async def prepare() -> Race:
            user = next(users)
            token = await kit.signed_in(manager, user)

            async def check(outcome: Outcome) -> None:
                issued = getattr(outcome.results[0], "token", None)
                assert outcome.results[1] == 1
                assert await manager.sessions(user) == []
                assert not await kit.lives(manager, token)
                assert issued is None or not await kit.lives(manager, issued)

            return [request(plans, token, Session.rotate), plans.revoke_user(user)], check

        assert await every_order(kit, prepare) >= 6

    async def test_update_user_against_a_login(self, kit: Kit) -> None:
        """4: a login that had read the old role never brings it back, over an old session or over none."""
        manager, plans, users = kit.manager(), kit.planner(), map("user-{}".format, count())

        async def prepare() -> Race:
            user = next(users)
            token = await kit.signed_in(manager, user, role="admin")

            async def check(outcome: Outcome) -> None:
                found = await kit.fields(manager, outcome.results[1].token)
                assert found["role"] == "reader"

            plan = request(plans, token, signs_in(user, role="admin"))
            return [plans.update_user(user, {"role": "reader"}), plan], check

        assert await every_order(kit, prepare) >= 10

    async def test_update_user_against_a_commit(self, kit: Kit) -> None:
        """4: the patch stands in every order but the one in which the commit had seen it."""
        manager, plans, users = kit.manager(), kit.planner(), map("user-{}".format, count())

        async def prepare() -> Race:
            user = next(users)
            token = await kit.signed_in(manager, user, role="admin")
            seen: list[str] = []

            def work(session: Session) -> None:
                seen.append(session["role"])
                session.update(role="owner", note=1)

            async def check(outcome: Outcome) -> None:
                assert outcome.results[0] == 1
                role = "owner" if seen == ["reader"] else "reader"
                assert await kit.fields(manager, token) == {"role": role, "note": 1}

            return [plans.update_user(user, {"role": "reader"}), request(plans, token, work)], check

        assert await every_order(kit, prepare) >= 6

    async def test_update_user_against_rotate(self, kit: Kit) -> None:
        """4: a session that changes its handle meanwhile takes the patch along."""
        manager, plans, users = kit.manager(), kit.planner(), map("user-{}".format, count())

        async def prepare() -> Race:
            user = next(users)
            token = await kit.signed_in(manager, user, role="admin")

            async def check(outcome: Outcome) -> None:
                # Inside of a store's call the new session may get the patch from the gate: then it is not counted.
                assert outcome.results[0] in (0, 1)
                assert await kit.fields(manager, outcome.results[1].token) == {"role": "reader"}

            return [plans.update_user(user, {"role": "reader"}), request(plans, token, Session.rotate)], check

        assert await every_order(kit, prepare) >= 10

    async def test_revoke_user_against_a_request_whose_rotation_is_due(self, kit: Kit) -> None:
        """4: neither the write nor the next secret outlives the revocation."""
        manager, plans, users = kit.manager(), kit.planner(), map("user-{}".format, count())

        async def prepare() -> Race:
            user = next(users)
            token = await kit.signed_in(manager, user)
            kit.clock.advance(DUE)

            async def check(outcome: Outcome) -> None:
                issued = getattr(outcome.results[1], "token", None)
                assert outcome.results[0] == 1
                assert await manager.sessions(user) == []
                assert not await kit.lives(manager, token)
                assert issued is None or issued[:22] != token[:22] or not await kit.lives(manager, issued)

            return [plans.revoke_user(user), request(plans, token, writes(note="late"))], check

        assert await every_order(kit, prepare) >= 10
