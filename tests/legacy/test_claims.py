"""One old credential, one session, ever: every interleaving of the exchange, over every store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from coatcheck import Policy, Session
from coatcheck.legacy import Old, Source
from coatcheck.legacy.claim import exchange
from coatcheck.offload import Inline
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing.kit import Kit, Mode, OpenStore, Scenarios, Steps
from coatcheck.testing.schedule import Outcome, Race, every_order
from tests.stores.test_redis_contract import RoundTrips

DAY = 86_400.0
NUMBERS = count()
SOURCE = Source(until=datetime(2030, 1, 20, tzinfo=UTC), user="user")


def credential(kit: Kit, user: str | None = "ada", **changes: Any) -> Old:
    """A new one, a minute old, good for 20 days, that somebody may have a copy of."""
    known: dict[str, Any] = {
        "identity": b"%d" % next(NUMBERS),
        "proof": b"p",
        "user_id": user,
        "issued_at": kit.clock() - 60,
        "expires_at": kit.clock() + 20 * DAY,
        "data": {"cart": [1]},
    }
    return Old(**known | changes)


def arrives(plans: Any, old: Old, work: Callable[[Session], object] = len, token: str | None = None) -> Any:
    """A request that shows it: the handle and the token that its client holds afterwards, if any."""
    session = yield from plans.load(token)
    session = (yield from exchange(plans.engine, SOURCE, old, session)).session
    work(session)
    result = yield from plans.commit(session)
    if result.action == "keep":
        result = plans.engine.retold(session)
    return result.token


async def show(kit: Kit, old: Old, work: Callable[[Session], object] = len, token: str | None = None) -> str | None:
    """The same, carried out."""
    shown: str | None = await carried_out(kit, arrives(kit.planner(), old, work, token))
    return shown


async def carried_out(kit: Kit, plan: Any) -> Any:
    """What a plan returns."""
    try:
        method, arguments = next(plan)
        while True:
            method, arguments = plan.send(await kit.call(method, *arguments))
    except StopIteration as done:
        return done.value


async def forgotten(kit: Kit, days: float = 3) -> None:
    """Let all that is only remembered for a while be gone."""
    kit.clock.advance(days * DAY)
    await kit.manager().purge()


class Claims(Scenarios):
    """The exchange, alone and against what ends sessions. Each order has a credential of its own."""

    @pytest.fixture
    def steps(self) -> Steps | None:
        return None

    @pytest.fixture(params=["sync", "async"])
    def mode(self, request: pytest.FixtureRequest) -> Mode:
        mode: Mode = request.param
        return mode

    @pytest.fixture
    def kit(self, mode: Mode, open_store: OpenStore, steps: Steps | None) -> Kit:
        return Kit(mode, open_store, None, steps)

    @pytest.mark.parametrize("limit", [None, 1])
    async def test_two_parallel_first_requests_of_a_browser(self, kit: Kit, limit: int | None) -> None:
        """In every order both get the same token of the one session; with `max_sessions=1`, too."""
        policy = Policy(max_sessions=limit)
        manager, plans, users = kit.manager(policy), kit.planner(policy), map("user-{}".format, count())

        async def prepare() -> Race:
            user = next(users)
            old = credential(kit, user)

            async def check(outcome: Outcome) -> None:
                first, second = outcome.results
                assert isinstance(first, str)
                assert first == second
                assert [info.handle for info in await manager.sessions(user)] == [first[:22]]
                assert await kit.fields(manager, first) == {"cart": [1]}

            return [arrives(plans, old), arrives(plans, old)], check

        assert await every_order(kit, prepare) >= 20

    async def test_two_parallel_first_requests_that_write(self, kit: Kit) -> None:
        """Neither's field is lost, for both have one session."""
        manager, plans = kit.manager(), kit.planner()

        async def prepare() -> Race:
            old = credential(kit, None)

            async def check(outcome: Outcome) -> None:
                first, second = outcome.results
                assert first == second
                assert await kit.fields(manager, first) == {"cart": [1], "a": 1, "b": 2}

            works = (lambda session: session.update(a=1)), (lambda session: session.update(b=2))
            return [arrives(plans, old, work) for work in works], check

        assert await every_order(kit, prepare) >= 20

    @pytest.mark.parametrize("known", [True, False])
    async def test_the_exchange_against_revoke_user(self, kit: Kit, known: bool) -> None:
        """In every order nobody is signed in afterwards: at once, and when the gate and the tombstones are gone."""
        manager, plans, users = kit.manager(), kit.planner(), map("user-{}".format, count())
        shown: list[tuple[str, Old]] = []

        async def prepare() -> Race:
            user = next(users)
            old = credential(kit, user, **({} if known else {"issued_at": None, "expires_at": kit.clock() + 90 * DAY}))
            shown.append((user, old))

            async def check(outcome: Outcome) -> None:
                assert await manager.sessions(user) == []
                assert await show(kit, old) is None
                assert outcome.results[0] is None or not await kit.lives(manager, outcome.results[0])

            return [arrives(plans, old), plans.revoke_user(user)], check

        assert await every_order(kit, prepare) >= 6
        for days in (3, 32):
            await forgotten(kit, days)
            for user, old in shown:
                assert await show(kit, old) is None
                assert await manager.sessions(user) == []

    async def test_the_exchange_against_a_revocation_of_what_is_listed(self, kit: Kit) -> None:
        """Whichever session the list showed meanwhile: one at most is left, and what was revoked stays away."""
        manager, plans, users = kit.manager(), kit.planner(), map("user-{}".format, count())
        dead: list[Old] = []

        def revoke_listed(user: str) -> Any:
            listed = yield from plans.sessions(user)
            for info in listed:
                yield from plans.revoke(info.handle)
            return {info.handle for info in listed}

        async def prepare() -> Race:
            user = next(users)
            old = credential(kit, user)

            async def check(outcome: Outcome) -> None:
                shown, revoked = outcome.results
                again = await show(kit, old)
                assert [info.handle for info in await manager.sessions(user)] == ([again[:22]] if again else [])
                assert shown in (again, None) or not again
                # The one that is left was not in the list: its exchange came after it.
                assert not again or again[:22] not in revoked
                if revoked:
                    dead.append(old)

            return [arrives(plans, old), revoke_listed(user)], check

        assert await every_order(kit, prepare) >= 10
        await forgotten(kit)
        assert dead
        assert [await show(kit, old) for old in dead] == [None] * len(dead)

    async def test_the_exchange_against_a_logout(self, kit: Kit) -> None:
        """A logout in one of two first requests ends the session for both, in every order, and for good."""
        manager, plans, users = kit.manager(), kit.planner(), map("user-{}".format, count())
        shown: list[tuple[str, Old]] = []

        async def prepare() -> Race:
            user = next(users)
            old = credential(kit, user)
            shown.append((user, old))

            async def check(outcome: Outcome) -> None:
                assert outcome.results[0] is None
                assert outcome.results[1] is None or not await kit.lives(manager, outcome.results[1])
                assert await manager.sessions(user) == []

            return [arrives(plans, old, Session.logout), arrives(plans, old)], check

        assert await every_order(kit, prepare) >= 20
        await forgotten(kit)
        for user, old in shown:
            assert await show(kit, old) is None
            assert await manager.sessions(user) == []

    async def test_a_lost_response_logs_nobody_out(self, kit: Kit) -> None:
        """Whoever shows it again gets the same token, and so after the signing secret was changed."""
        manager, old = kit.manager(), credential(kit)
        token = await show(kit, old)
        assert token is not None
        kit.clock.advance(30)
        assert await show(kit, old) == token
        [info] = await manager.sessions("ada")
        assert info.handle == token[:22]
        newer = kit.planner(secret="another key that guards nothing, but newer")
        signed_anew = await carried_out(kit, arrives(newer, old))
        assert signed_anew[:53] == token[:53]
        assert signed_anew != token

    async def test_a_crash_between_the_two_steps_logs_nobody_out(self, kit: Kit) -> None:
        """The session that was stored without its claim belongs to nobody; the next request gets another."""
        old, plans = credential(kit), kit.planner()
        plan = arrives(plans, old)
        method, arguments = next(plan)
        while method != "create":
            method, arguments = plan.send(await kit.call(method, *arguments))
        plan.close()
        token = await show(kit, old)
        assert token
        assert await show(kit, old) == token
        assert len(await kit.manager().sessions("ada")) == 2

    async def test_a_twin_of_the_signature_is_nobody(self, kit: Kit) -> None:
        """What names the same credential and is signed otherwise neither makes a session nor joins one."""
        manager, old = kit.manager(), credential(kit)
        token = await show(kit, old)
        twin = Old(identity=old.identity, proof=b"q", user_id="ada", expires_at=old.expires_at, data={"cart": [1]})
        assert await show(kit, twin) is None
        assert len(await manager.sessions("ada")) == 1
        assert await kit.lives(manager, token or "")

    async def test_revoke_all_ends_the_session_and_not_the_claim(self, kit: Kit) -> None:
        """Else a day later the credential would make a new session."""
        manager, old = kit.manager(), credential(kit)
        await show(kit, old)
        await manager.revoke_all(before=kit.clock.now() + timedelta(days=400))
        assert await show(kit, old) is None
        await forgotten(kit)
        assert await show(kit, old) is None
        assert await manager.sessions("ada") == []

    async def test_a_session_whose_time_is_over_does_not_come_back(self, kit: Kit) -> None:
        """Nor by idleness: the credential, though good by itself, is spent."""
        policy = Policy(idle_timeout=timedelta(hours=1))
        plans, old = kit.planner(policy), credential(kit)
        for expected in (True, False):
            token = await carried_out(kit, arrives(plans, old))
            assert (token is not None) is expected
            await forgotten(kit)

    async def test_an_exchange_is_no_fresh_login(self, kit: Kit) -> None:
        """`is_fresh` asks when the user showed who they are, and the last write does not say that."""
        seen: list[bool] = []

        def work(session: Session) -> None:
            seen.append(session.is_fresh(timedelta(days=1)))

        await show(kit, credential(kit), work)
        await show(kit, credential(kit, authenticated_at=kit.clock() - 5), work)
        assert seen == [False, True]

    async def test_what_the_policy_would_have_ended_is_not_exchanged(self, kit: Kit) -> None:
        """Older than the absolute timeout: `revoke_user` has forgotten by then whom it barred."""
        assert await show(kit, credential(kit, issued_at=kit.clock() - 31 * DAY)) is None
        assert await show(kit, credential(kit, issued_at=kit.clock() - 29 * DAY))

    async def test_a_visitors_session_comes_along(self, kit: Kit) -> None:
        """A visitor of ours who shows who they were: the cart of now, the user of before, one session."""
        manager = kit.manager()
        token, old = await kit.stored(manager, cart=[2], note="new"), credential(kit)
        moved = await show(kit, old, token=token)
        assert moved
        assert await kit.fields(manager, moved) == {"cart": [2], "note": "new"}
        assert not await kit.lives(manager, token)
        assert (await manager.load(moved)).user_id == "ada"

    async def test_somebodys_own_lifetimes_come_along(self, kit: Kit) -> None:
        """`set_expiry(300)` on a shared machine still ends it, and so does a date."""
        manager = kit.manager()
        for name in ("idle", "ends_at"):
            seconds = 300.0 if name == "idle" else kit.clock() + 300
            token = await show(kit, credential(kit, None, **{name: seconds}))
            kit.clock.advance(299)
            assert await kit.lives(manager, token or "")
            kit.clock.advance(2)
            assert not await kit.lives(manager, token or "")

    async def test_an_exchange_signs_nobody_else_out(self, kit: Kit) -> None:
        """With `max_sessions=1` the next login does that, which somebody makes on purpose."""
        policy = Policy(max_sessions=1)
        manager = kit.manager(policy)
        phone = await kit.signed_in(manager, "ada")
        assert await show(kit, credential(kit))
        assert await kit.lives(manager, phone)

    async def test_a_user_in_a_field_is_no_second_login(self, kit: Kit) -> None:
        """Where `user_field` names it: else each of two parallel first requests would log in, with a session each."""
        manager, plans = kit.manager(user_field="uid"), kit.planner(user_field="uid")

        async def prepare() -> Race:
            old = credential(kit, None, data={"uid": f"u{next(NUMBERS)}"})

            async def check(outcome: Outcome) -> None:
                first, second = outcome.results
                assert first == second
                assert len(await manager.sessions(old.data["uid"])) == 1

            return [arrives(plans, old), arrives(plans, old)], check

        assert await every_order(kit, prepare) >= 20


class TestMemory(Claims):
    """In one process's memory."""

    @pytest.fixture
    def open_store(self) -> OpenStore:
        store = MemoryStore()
        return lambda mode: store if mode == "sync" else Inline(store)


class TestSQLite(Claims):
    """In a file."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        return f"sqlite:///{tmp_path}/sessions.db"


class TestRedis(Claims):
    """In a real redis-server; the sync store is stopped between its round trips, too."""

    @pytest.fixture
    def open_store(self, redis_url: str) -> OpenStore:
        return redis_url

    @pytest.fixture
    def steps(self, mode: Mode) -> Steps | None:
        return RoundTrips() if mode == "sync" else None
