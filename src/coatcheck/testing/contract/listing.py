"""Promise 3's other half: who may ask finds every live session of a user, and no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from ...info import Client
from ...policy import Policy
from ...session import Session
from ...store import Ages
from ..kit import Kit, Scenarios


class Listing(Scenarios):
    """Your devices, and the operator's view."""

    async def test_a_users_sessions_are_listed_newest_first(self, kit: Kit) -> None:
        """3: all that live, only that user's, whatever they did since."""
        manager = kit.manager()
        tokens = []
        for _ in range(5):
            kit.clock.advance(1)
            tokens.append(await kit.signed_in(manager, "ada"))
        await kit.signed_in(manager, "bob")
        await kit.stored(manager, cart=[1])
        await kit.request(manager, tokens[0], lambda session: session.update(seen=1))
        await kit.request(manager, tokens[2], Session.logout)
        listed = [info.handle for info in await manager.sessions("ada")]
        assert listed == [tokens[n][:22] for n in (4, 3, 1, 0)]
        assert await manager.sessions("nobody") == []

    async def test_pages_of_a_list_neither_repeat_nor_skip(self, kit: Kit) -> None:
        """3: also of sessions created in the same instant, and when some end between two pages."""
        manager = kit.manager()
        handles = set()
        for number in range(7):
            kit.clock.advance(number % 2)
            handles.add((await kit.signed_in(manager, "ada"))[:22])
        pages = [await manager.sessions("ada", limit=3)]
        while page := await manager.sessions("ada", limit=3, after=pages[-1][-1].handle):
            pages.append(page)
        assert [len(page) for page in pages] == [3, 3, 1]
        listed = [info.handle for page in pages for info in page]
        assert len(listed) == 7
        assert set(listed) == handles
        assert listed == [info.handle for info in await manager.sessions("ada")]
        await manager.revoke(listed[0])
        rest = await manager.sessions("ada", after=listed[2])
        assert [info.handle for info in rest] == listed[3:]

    async def test_what_is_told_of_a_session(self, kit: Kit) -> None:
        """3: times, client and label; the one that asks is marked; its data and secret are not told."""
        manager = kit.manager()
        started = kit.clock.now()
        token = await kit.signed_in(manager, "ada", cart=["a value"])
        kit.clock.advance(timedelta(days=2))
        token = await kit.request(manager, token, len)
        await kit.signed_in(manager, "ada")
        mine = await manager.load(token)
        other, info = await manager.sessions("ada", current=mine)
        assert (other.current, info.current) == (False, True)
        assert (info.created_at, info.authenticated_at, info.last_seen_at) == (started, started, kit.clock.now())
        assert info.expires_at == kit.clock.now() + timedelta(days=14)
        assert (info.user_id, info.handle, info.client.ip) == ("ada", mine.handle, "192.0.2.1")
        assert mine.info == info
        assert await manager.info(info.handle) == replace(info, current=False)
        assert "a value" not in repr(info)
        assert token.split(".")[1] not in repr(info)

    async def test_info_of_nothing_is_none(self, kit: Kit) -> None:
        """3: for a handle that never was, is no handle, or names what has ended."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada")
        handle = token[:22]
        assert await manager.info(handle) is not None
        await manager.revoke(handle)
        assert [await manager.info(text) for text in (handle, "A" * 22, "", token)] == [None] * 4

    async def test_the_counts_add_up(self, kit: Kit) -> None:
        """3: live sessions, users' sessions, users; what has ended is counted apart."""
        manager = kit.manager()
        for user in ("ada", "ada", "bob"):
            await kit.signed_in(manager, user)
        ended = await kit.stored(manager, cart=[1])
        await kit.stored(manager, cart=[2])
        before = await manager.stats()
        await kit.request(manager, ended, lambda session: session.clear())
        after = await manager.stats()
        assert (before.sessions, before.authenticated, before.users) == (5, 3, 2)
        assert (after.sessions, after.authenticated, after.users) == (4, 3, 2)

    async def test_live_sessions_are_counted_by_age_and_by_browser(self, kit: Kit) -> None:
        """3: each in one group of each kind; what has ended or is over is in none; and a quick look at few sees all."""
        manager = kit.manager(Policy(idle_timeout=timedelta(days=90), absolute_timeout=timedelta(days=90)))
        agents = ("Mozilla/5.0 (X11) Firefox/121.0", "Mozilla/5.0 (Windows NT 10.0) Chrome/120.0 Safari/537.36", "x")
        for days, agent in zip((40, 10, 3), agents, strict=True):
            session = await manager.load(None, Client("192.0.2.1", agent))
            session.login("ada")
            await manager.commit(session)
            kit.clock.advance(timedelta(days=days))
        await kit.request(manager, await kit.stored(manager, cart=[1]), lambda session: session.clear())
        kit.clock.advance(timedelta(hours=2))
        session = await manager.load(None)
        session["cart"] = [1]
        await manager.commit(session)
        found = await manager.stats()
        assert found.ages == Ages(hour=1, day=0, week=1, month=1, older=1)
        assert found.clients == {"Chrome": 1, "Firefox": 1, "none": 1, "other": 1}
        assert (found.sessions, found.sampled, found.exact) == (4, 4, True)
        assert await manager.stats(within=0.5) == found

    async def test_a_quick_look_adds_up(self, kit: Kit) -> None:
        """3: however little time there is, it says whether it is exact, and its parts are those of one whole."""
        manager = kit.manager()
        for number in range(40):
            await kit.signed_in(manager, f"user-{number}")
        exact, found = await manager.stats(), await manager.stats(within=0.0)
        assert found == exact or not found.exact
        assert found.users <= found.authenticated <= found.sessions
        if found.ages is not None:
            assert sum(found.ages) == found.sessions
        if found.clients is not None:
            assert sum(found.clients.values()) == found.sessions

    async def test_namespaces_share_nothing(self, kit: Kit) -> None:
        """3: two applications on one store see, and end, only their own; unless the store itself is shared."""
        first, second = kit.manager(namespace="first"), kit.manager(namespace="second")
        token = await kit.signed_in(first, "ada")
        await kit.signed_in(second, "ada")
        assert not await kit.lives(second, token)
        if first.store is not second.store and len(await first.sessions("ada")) == 1:
            assert await second.revoke_all() == 1
            assert await kit.lives(first, token)
