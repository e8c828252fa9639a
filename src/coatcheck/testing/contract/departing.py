"""What a store owes a live move, if sessions can be moved to it and away: `coatcheck.moves`."""

from __future__ import annotations

from typing import Any

import pytest

from ...change import Change
from ...errors import SessionMoved, StoreUnavailable
from ...gate import Gate
from ...moves import Departed, Movable
from ...record import Ended, Record
from ...token import new_handle
from ..kit import Kit, Scenarios
from ..schedule import Outcome, Plan, Race, every_order

DAY = 86_400.0


async def movable(kit: Kit) -> Kit:
    """The kit of a store that can be moved; other stores' tests end here."""
    if not isinstance(kit.store, Movable):
        pytest.skip("sessions cannot be moved to this store, or away")
    return kit


async def live(kit: Kit, handle: str) -> Record:
    """A session that is there."""
    value = await kit.call("load", handle)
    assert isinstance(value, Record)
    return value


class Departing(Scenarios):
    """One store's part in a move."""

    async def test_a_session_that_has_departed_is_served_by_nobody(self, kit: Kit) -> None:
        """Not as anonymous, not as ended: a process that knows only this store answers 503."""
        manager = (await movable(kit)).manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        handle, now = token[:22], kit.clock()
        before = await live(kit, handle)
        for closed in (False, True):
            if closed:
                await kit.call("close_departed", [handle], now)
            else:
                await kit.call("depart", [handle], now)
            for method, arguments in {
                "load": (handle,),
                "commit": (handle, Change(set={"a": 1}), now),
                "replace": (handle, Change(), before._replace(handle=new_handle("ada")), now),
                "end": (handle, "ada", "logout", now),
                "redeem": (handle, "jti", "nonce", "", now, now + 60),
                "taken": (handle, "jti", now),
            }.items():
                with pytest.raises(SessionMoved):
                    await kit.call(method, *arguments)
            with pytest.raises(StoreUnavailable):
                await manager.load(token)
            assert await manager.sessions("ada") == []
            assert (await kit.call("stats", now)).sessions == 0
            assert await kit.call("revoke_user", "ada", None, "revoked", now, now + DAY) == []
            assert await manager.revoke_all() == 0
            found = await kit.call("depart", [handle], None)
            assert found[handle].record == (None if closed else before)

    async def test_to_depart_again_changes_nothing(self, kit: Kit) -> None:
        """Whoever comes later, after a crash, finds what the first one froze; only to look freezes nothing."""
        manager = (await movable(kit)).manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        visitor = await kit.stored(manager, cart=[2])
        ended = await kit.signed_in(manager, "ada")
        await manager.revoke(ended[:22])
        handles = [token[:22], visitor[:22], ended[:22], new_handle(None)]
        assert await kit.call("depart", handles, None) == {}
        records = {handle: await live(kit, handle) for handle in handles[:2]}
        first = await kit.call("depart", handles, kit.clock())
        assert {handle: one.record for handle, one in first.items()} == records
        kit.clock.advance(5)
        assert await kit.call("depart", handles, kit.clock()) == first
        assert await kit.call("depart", handles, None) == first
        assert await kit.call("depart", [], kit.clock()) == {}

    async def test_a_session_arrives_as_it_was(self, kit: Kit) -> None:
        """Every part of it: its secrets, its times, its fields, and its place in its user's list."""
        manager = (await movable(kit)).manager()
        made = {}
        for user in (None, "ada", "bob"):
            data: dict[str, Any] = {"text": "a\ud800\x00\u2028", "deep": [{"n": None}], "big": "x" * 200_000}
            token = await (kit.stored(manager, **data) if user is None else kit.signed_in(manager, user, **data))
            one = await live(kit, token[:22])
            name = new_handle(user)
            made[name] = one._replace(handle=name, label="laptop", settled=0, created_at=one.created_at + 1)
        await kit.call("arrive", [self._departed(kit, one) for one in made.values()], kit.clock())
        for handle, record in made.items():
            assert await kit.call("load", handle) == record
            if record.user_id is not None:
                assert (await kit.call("sessions", record.user_id, kit.clock(), 9, None))[0] == record
                assert set(await kit.call("members", record.user_id)) >= {handle}
        assert await manager.revoke_user("ada") == 2
        assert len(await manager.sessions("bob")) == 2

    @staticmethod
    def _departed(kit: Kit, record: Record) -> Departed:
        return Departed(kit.clock(), record.forget_at, record)

    @pytest.mark.parametrize("there", ["live", "ended", "departed"])
    async def test_a_session_arrives_only_where_nothing_is(self, kit: Kit, there: str) -> None:
        """Whoever is late does not undo what happened since: no write, and no end."""
        manager = (await movable(kit)).manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        handle, stale = token[:22], await live(kit, token[:22])
        await kit.request(manager, token, lambda session: session.update(cart=[2]))
        if there == "ended":
            await manager.revoke(handle)
        elif there == "departed":
            await kit.call("depart", [handle], kit.clock())
        kit.clock.advance(10)
        await kit.call("arrive", [self._departed(kit, stale)], kit.clock())
        if there == "departed":
            found = (await kit.call("depart", [handle], None))[handle]
            assert found.record.fields == '{"cart":[2]}'
        else:
            value = await kit.call("load", handle)
            assert isinstance(value, Ended) if there == "ended" else value.fields == '{"cart":[2]}'

    async def test_a_mark_gives_way_to_who_departed_after_it(self, kit: Kit) -> None:
        """A move the other way brings a session back; who is late from the first way does not."""
        manager = (await movable(kit)).manager()
        token = await kit.signed_in(manager, "ada")
        handle, record = token[:22], await live(kit, token[:22])
        early = self._departed(kit, record)
        kit.clock.advance(10)
        await kit.call("depart", [handle], kit.clock())
        await kit.call("close_departed", [handle], kit.clock())
        await kit.call("arrive", [early], kit.clock())
        with pytest.raises(SessionMoved):
            await kit.call("load", handle)
        kit.clock.advance(10)
        await kit.call("arrive", [self._departed(kit, record)], kit.clock())
        assert await live(kit, handle) == record
        assert [one.handle for one in await manager.sessions("ada")] == [handle]

    async def test_who_arrives_has_the_patches_of_the_last_minute(self, kit: Kit) -> None:
        """A demotion reaches a session that was on its way."""
        manager = (await movable(kit)).manager()
        token = await kit.signed_in(manager, "ada", role="admin")
        record = await live(kit, token[:22])
        await manager.update_user("ada", {"role": "editor"})
        name = new_handle("ada")
        await kit.call("arrive", [self._departed(kit, record._replace(handle=name))], kit.clock())
        value = await live(kit, name)
        assert (value.fields, value.seq > 0) == ('{"role":"editor"}', True)

    async def test_what_is_closed_leaves_a_mark_and_no_member(self, kit: Kit) -> None:
        """Closing is for those that have departed: it may be repeated, and harms nobody else."""
        manager = (await movable(kit)).manager()
        gone, stays = [(await kit.signed_in(manager, "ada"))[:22] for _ in range(2)]
        await kit.call("depart", [gone], kit.clock())
        assert {*await kit.call("members", "ada")} == {gone, stays}
        for _ in range(2):
            await kit.call("close_departed", [gone, stays, new_handle(None)], kit.clock())
        assert await kit.call("members", "ada") == [stays]
        assert await live(kit, stays)
        assert (await kit.call("depart", [gone, stays], None))[gone].record is None

    async def test_nothing_is_stored_behind_a_mark(self, kit: Kit) -> None:
        """A mark is left only where nothing is, and keeps out who would create there."""
        manager = (await movable(kit)).manager()
        token = await kit.stored(manager, a=1)
        handle, now = token[:22], kit.clock()
        record = await live(kit, handle)
        assert not await kit.call("bar", handle, now, now + DAY)
        await kit.call("depart", [handle], now)
        assert not await kit.call("bar", handle, now, now + DAY)
        await kit.call("close_departed", [handle], now)
        assert await kit.call("bar", handle, now, now + DAY)
        other = new_handle(None)
        for _ in range(2):
            assert await kit.call("bar", other, now, now + DAY)
        assert not await kit.call("create", record._replace(handle=other), now)
        ended = (await kit.stored(manager, a=1))[:22]
        await manager.revoke(ended)
        assert not await kit.call("bar", ended, now, now + DAY)

    async def test_marks_are_taken_away_and_nothing_else(self, kit: Kit) -> None:
        """After a move the other way: what they named has ended, and is nobody's any more."""
        manager = (await movable(kit)).manager()
        token = await kit.stored(manager, a=1)
        ended, departed, gone = [(await kit.signed_in(manager, "ada"))[:22] for _ in range(3)]
        await manager.revoke(ended)
        await kit.call("depart", [departed, gone], kit.clock())
        await kit.call("close_departed", [gone], kit.clock())
        found: list[str] = []
        after = None
        while True:
            page = await kit.call("unbar", after, 100)
            found += page.items
            if (after := page.after) is None:
                break
        assert found == [gone]
        assert await kit.call("load", gone) is None
        assert await live(kit, token[:22])
        assert isinstance(await kit.call("load", ended), Ended)
        assert {*await kit.call("depart", [departed, gone], None)} == {departed}

    async def test_what_another_store_knows_of_a_user_counts(self, kit: Kit) -> None:
        """Since when logins are refused, and the latest patches: of both, whichever is later."""
        manager = (await movable(kit)).manager()
        record = await live(kit, (await kit.signed_in(manager, "ada", role="admin"))[:22])
        now = kit.clock()
        theirs = Gate().closed(now).with_patch({"role": "editor"}, now)
        for _ in range(2):
            await kit.call("join", "ada", theirs, now + 9 * DAY, now)
        gate, until = await kit.call("gate", "ada", now)
        assert gate == theirs
        assert until >= now + 9 * DAY - 2
        assert (await kit.call("gate", "nobody", now))[0] == Gate()
        late = record._replace(handle=new_handle("ada"))
        assert (await kit.call("login", late, now - 1, now, None, "")).record is None
        done = await kit.call("login", late, now, now, None, "")
        assert done.record.fields == '{"role":"editor"}'
        await kit.call("join", "ada", Gate(now - 5, 3), now, now)
        assert (await kit.call("gate", "ada", now))[0] == theirs
        await manager.update_user("ada", {"role": "none"})
        assert (await live(kit, late.handle)).fields == '{"role":"none"}'

    async def test_a_ticket_that_was_used_is_known_without_its_session(self, kit: Kit) -> None:
        """Single use goes on when the session is elsewhere."""
        manager = (await movable(kit)).manager()
        handle, now = (await kit.signed_in(manager, "ada"))[:22], kit.clock()
        assert await kit.call("spent", handle, "jti", "nonce") is None
        await kit.call("redeem", handle, "jti", "nonce", "a note", now, now + 60)
        await kit.call("depart", [handle], now)
        assert await kit.call("spent", handle, "jti", "nonce") == (True, now, "a note", None)
        assert (await kit.call("spent", handle, "jti", "another")).won is False
        assert await kit.call("spent", handle, "other", "nonce") is None

    async def test_a_walk_meets_everybody_who_is_here(self, kit: Kit) -> None:
        """In pages of any size: who lives, and who has departed; nobody who has ended or is closed."""
        manager = (await movable(kit)).manager()
        handles = [(await kit.stored(manager, n=number))[:22] for number in range(12)]
        handles += [(await kit.signed_in(manager, f"user-{number}"))[:22] for number in range(12)]
        await manager.revoke(handles[0])
        await kit.call("depart", handles[1:3], kit.clock())
        await kit.call("close_departed", handles[1:2], kit.clock())
        for limit in (1, 5, 1000):
            found: list[Any] = []
            after = None
            while True:
                page = await kit.call("roll", after, limit)
                found += page.items
                after = page.after
                if after is None:
                    break
            assert {*found} == {*handles[2:]}, limit

    async def test_a_walk_meets_the_users(self, kit: Kit) -> None:
        """Those whose id the store knows: Redis knows none."""
        manager = (await movable(kit)).manager()
        for number in range(7):
            await manager.revoke_user(f"user-{number}\u00e9")
        found: list[Any] = []
        after = None
        while True:
            page = await kit.call("gates", after, 3)
            found += page.items
            after = page.after
            if after is None:
                break
        if found:
            assert {user for user, *_ in found} == {f"user-{number}\u00e9" for number in range(7)}
            assert all(gate.not_before == kit.clock() and until > kit.clock() for _, gate, until in found)

    @pytest.mark.parametrize("what", ["write", "end", "rotate", "revoke_user", "update_user", "redeem"])
    async def test_a_departure_against_everything(self, kit: Kit, what: str) -> None:
        """In every order: what was acknowledged is in what departs, and what ended does not depart."""
        await movable(kit)

        async def prepare() -> Race:
            manager = kit.manager()
            handle = (await kit.signed_in(manager, user := f"ada-{new_handle(None)}", a=1))[:22]
            record, now = await live(kit, handle), kit.clock() + 60

            def leaves() -> Plan:
                return (yield "depart", ([handle], now))

            def does() -> Plan:
                call: tuple[str, tuple[Any, ...]] = {
                    "write": ("commit", (handle, Change(set={"b": 2}), now)),
                    "end": ("end", (handle, user, "logout", now)),
                    "rotate": ("replace", (handle, Change(), record._replace(handle=new_handle(user)), now)),
                    "revoke_user": ("revoke_user", (user, None, "revoked", now, now + DAY)),
                    "update_user": ("update_user", (user, {"role": "none"}, now, now + DAY)),
                    "redeem": ("redeem", (handle, "jti" + handle, "nonce", "", now, now + 60)),
                }[what]
                return (yield call)

            async def check(outcome: Outcome) -> None:
                left, done = outcome.results
                frozen = left[handle].record if left else None
                refused = isinstance(done, SessionMoved)
                match what:
                    case "write":
                        assert frozen is not None
                        assert frozen.fields == ('{"a":1}' if refused else '{"a":1,"b":2}')
                    case "end" | "rotate":
                        assert refused is (frozen is not None)
                        assert refused or isinstance(done, Record)
                    case "revoke_user":
                        assert done == ([] if frozen else [handle])
                        assert (await kit.call("gate", user, now))[0].not_before == now
                    case "update_user":
                        assert frozen is not None
                        assert ("role" in frozen.fields) is not refused
                        assert (await kit.call("gate", user, now))[0].patches[-1].set == {"role": "none"}
                    case "redeem":
                        mark = await kit.call("spent", handle, "jti" + handle, "nonce")
                        assert (mark is None) is refused
                if frozen is not None:
                    assert (await kit.call("depart", [handle], None))[handle].record == frozen

            return [leaves(), does()], check

        assert await every_order(kit, prepare) >= 2
