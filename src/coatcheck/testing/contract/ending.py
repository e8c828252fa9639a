"""Promises 2 and 3: what has ended stays ended, and a revocation binds the very next request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from ...change import Change
from ...errors import SessionEnded, StoreUnavailable
from ...policy import Policy
from ...record import Record, Secret
from ...session import Session
from ...token import new_handle
from ..kit import Kit, Scenarios


def _write(session: Session) -> None:
    session["note"] = "late"


LATE_WRITES: dict[str, Callable[[Session], object]] = {
    "write": _write,
    "delete": lambda session: session.pop("cart"),
    "rotate": Session.rotate,
    "lifetime": lambda session: session.set_lifetime(idle=timedelta(days=1)),
}


class Ending(Scenarios):
    """Logout, revocation, and those who come too late."""

    @pytest.mark.parametrize("work", LATE_WRITES.values(), ids=LATE_WRITES)
    async def test_a_late_write_revives_nothing(self, kit: Kit, work: Callable[[Session], object]) -> None:
        """2: a slow request that a logout overtook is told so, and what it wrote is gone."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        slow = await manager.load(token)
        await kit.request(manager, token, Session.logout)
        work(slow)
        with pytest.raises(SessionEnded) as caught:
            await manager.commit(slow)
        assert caught.value.reason == "logout"
        after = await manager.load(token)
        assert after.is_new
        assert dict(after) == {}
        assert await manager.sessions("ada") == []

    async def test_a_session_that_was_told_of_its_end_does_not_start_another(self, kit: Kit) -> None:
        """2: a stream that commits again after `SessionEnded` must not store the ended session's data anew."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        stream = await manager.load(token)
        await kit.request(manager, token, Session.logout)
        _write(stream)
        with pytest.raises(SessionEnded):
            await manager.commit(stream)
        before = await manager.stats()
        try:
            again = await manager.commit(stream)
        except SessionEnded:
            again = None
        assert again is None or again.action == "keep"
        assert await manager.stats() == before

    async def test_a_late_touch_keeps_silent(self, kit: Kit) -> None:
        """2: a request that only looked is not disturbed by the end, and revives nothing."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        kit.clock.advance(timedelta(days=2))
        slow = await manager.load(token)
        assert slow["cart"] == [1]
        await manager.revoke_user("ada")
        assert (await manager.commit(slow)).action == "keep"
        assert not await kit.lives(manager, token)

    async def test_a_late_rotation_keeps_silent_and_issues_nothing(self, kit: Kit) -> None:
        """2: a secret whose step came due dies with its session."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada")
        kit.clock.advance(timedelta(days=1, seconds=1))
        slow = await manager.load(token)
        await kit.request(manager, token, Session.logout)
        result = await manager.commit(slow)
        assert (result.action, result.token) == ("keep", None)
        assert not await kit.lives(manager, token)

    async def test_a_late_login_does_not_revive_the_old_session(self, kit: Kit) -> None:
        """2: who logs in while the old session is logged out gets a new one, and the old one stays dead."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada")
        slow = await manager.load(token)
        await kit.request(manager, token, Session.logout)
        slow.login("ada")
        new = await manager.commit(slow)
        assert new.token is not None
        assert await kit.lives(manager, new.token)
        assert (await manager.load(token)).ended_reason == "logout"

    async def test_only_create_and_login_write_where_nothing_is(self, kit: Kit) -> None:
        """2: absence is ended. A change to a handle that the store does not know is not made, nor its index."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        session = await manager.load(token)
        known = await kit.call("load", session.handle)
        nowhere = known._replace(handle=known.handle[:4] + "B" * 18)
        now = kit.clock()
        change = Change(set={"note": "late"}, seen_at=now)
        assert await kit.call("commit", nowhere.handle, change, now) is None
        assert await kit.call("replace", nowhere.handle, change, nowhere, now) is None
        assert await kit.call("end", nowhere.handle, "ada", "logout", now) is None
        assert await kit.call("load", nowhere.handle) is None
        assert len(await manager.sessions("ada")) == 1

    async def test_a_new_session_is_never_written_over_another(self, kit: Kit) -> None:
        """2: a handle that is taken, by a session that lives or by one that has ended, stays what it is."""
        manager = kit.manager()
        live, gone, spare = [await kit.signed_in(manager, "ada", name=name) for name in ("live", "gone", "spare")]
        new = await kit.call("load", spare[:22])
        await manager.revoke(gone[:22])
        now = kit.clock()
        for handle in (live[:22], gone[:22]):
            assert not await kit.call("create", new._replace(handle=handle, user_id=None), now)
            with pytest.raises(StoreUnavailable):
                await kit.call("login", new._replace(handle=handle), now, now, None, "")
            with pytest.raises(StoreUnavailable):
                await kit.call("replace", spare[:22], Change(), new._replace(handle=handle), now)
        assert [(await kit.fields(manager, one)).get("name") for one in (live, gone, spare)] == ["live", None, "spare"]
        assert len(await manager.sessions("ada")) == 2

    async def test_what_a_purge_forgot_stays_ended(self, kit: Kit) -> None:
        """2: no guard relies on the tombstone: when that is gone too, a late write is still refused."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        slow = await manager.load(token)
        await kit.request(manager, token, Session.logout)
        kit.clock.advance(timedelta(days=2))
        await manager.purge()
        _write(slow)
        with pytest.raises(SessionEnded):
            await manager.commit(slow)
        assert not await kit.lives(manager, token)

    async def test_a_revocation_binds_the_next_request_everywhere(self, kit: Kit) -> None:
        """3: another server, which knew the session, refuses it at the very next request."""
        here, there = kit.manager(), kit.manager()
        token = await kit.signed_in(here, "ada")
        assert await kit.lives(there, token)
        handle = (await here.load(token)).handle
        assert handle is not None
        assert await here.revoke(handle, reason="lost laptop")
        after = await there.load(token)
        assert after.is_new
        assert after.ended_reason == "lost laptop"
        assert await there.info(handle) is None

    async def test_a_revocation_counts_once(self, kit: Kit) -> None:
        """3: the second answers that there was nothing left to end; a handle that never was, likewise."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada")
        handle = (await manager.load(token)).handle or ""
        assert [await manager.revoke(handle), await manager.revoke(handle)] == [True, False]
        assert [await manager.revoke(text) for text in ("", "x", "A" * 22, token)] == [False] * 4

    async def test_a_page_cannot_revoke_another_users_session(self, kit: Kit) -> None:
        """3: with `user_id` given, a guessed or leaked handle of somebody else's is refused."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada")
        handle = (await manager.load(token)).handle or ""
        assert not await manager.revoke(handle, user_id="eve")
        assert await kit.lives(manager, token)
        assert await manager.revoke(handle, user_id="ada")

    async def test_the_first_end_is_the_one_that_is_told(self, kit: Kit) -> None:
        """2: a logout after a revocation does not change the story."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada")
        slow = await manager.load(token)
        await manager.revoke(slow.handle or "", reason="lost laptop")
        slow.logout()
        assert (await manager.commit(slow)).action == "drop"
        assert (await manager.load(token)).ended_reason == "lost laptop"

    async def test_a_reason_of_any_length_is_kept_short(self, kit: Kit) -> None:
        """2: a tombstone stays under 100 bytes, so a long story cannot fill the store."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada")
        await manager.revoke((await manager.load(token)).handle or "", reason="so long " * 1000)
        reason = (await manager.load(token)).ended_reason
        assert reason is not None
        assert reason.startswith("so long")
        assert len(reason) <= 60

    async def test_revoke_all_ends_everybody_up_to_an_instant(self, kit: Kit) -> None:
        """3: sessions from before it end, users' and anonymous ones; a later one lives. None: all of them."""
        manager = kit.manager()
        old = [await kit.signed_in(manager, "ada"), await kit.stored(manager, cart=[1])]
        kit.clock.advance(60)
        instant = kit.clock.now()
        kit.clock.advance(60)
        new = await kit.signed_in(manager, "bob")
        assert await manager.revoke_all(before=instant) == 2
        assert [await kit.lives(manager, token) for token in (*old, new)] == [False, False, True]
        assert await manager.sessions("ada") == []
        assert await manager.revoke_all() == 1
        assert not await kit.lives(manager, new)

    async def test_revoke_all_leaves_what_was_made_after_its_instant(self, kit: Kit) -> None:
        """2: also a record from far ahead, as a claim on an old session is: ended, it would be forgotten a day later,
        and the old session would be exchanged once more."""
        manager, now = kit.manager(), kit.clock()
        claim = Record(
            handle=new_handle(None),
            user_id=None,
            created_at=9_999_999_999.0,
            authenticated_at=None,
            last_seen_at=now,
            idle=None,
            expires_at=now + 20 * 86_400,
            remember=False,
            secrets=(Secret(0, "x" * 43, now),),
            settled=0,
            fields='{"exchanged":"somebody"}',
        )
        assert await kit.call("create", claim, now)
        await manager.revoke_all(before=kit.clock.now() + timedelta(days=3650))
        kit.clock.advance(timedelta(days=19))
        await manager.purge()
        assert await kit.call("load", claim.handle) == claim
        assert not await kit.call("create", claim, kit.clock())

    @pytest.mark.parametrize("verb", ["logout", "revoke", "revoke_user", "revoke_all"])
    async def test_an_end_that_finds_the_time_over_is_final(self, kit: Kit, verb: str) -> None:
        """2: a write that was stamped just before the idle timeout does not go on with what was ended after it."""
        manager = kit.manager(Policy(idle_timeout=timedelta(minutes=10)))
        token = await kit.signed_in(manager, "ada")
        writer, leaver = await manager.load(token), await manager.load(token)
        kit.clock.advance(600.5)
        if verb == "logout":
            leaver.logout()
            await manager.commit(leaver)
        elif verb == "revoke":
            assert not await manager.revoke(token[:22])
        elif verb == "revoke_user":
            assert await manager.revoke_user("ada") == 0
        else:
            assert await manager.revoke_all() == 0
        kit.clock.advance(-1)
        _write(writer)
        with pytest.raises(SessionEnded) as caught:
            await manager.commit(writer)
        assert caught.value.reason == "idle"
        assert not await kit.lives(manager, token)
        assert await manager.sessions("ada") == []

    async def test_a_failed_request_still_logs_out(self, kit: Kit) -> None:
        """2: of a request that failed only its logout happens; data, login and rotation are dropped."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        failing = await manager.load(token)
        failing["cart"] = [2]
        failing.rotate()
        assert (await manager.commit(failing, failed=True)).action == "keep"
        assert await kit.fields(manager, token) == {"cart": [1]}
        leaving = await manager.load(token)
        leaving.logout()
        leaving.login("eve")
        assert (await manager.commit(leaving, failed=True)).action == "drop"
        assert not await kit.lives(manager, token)
        assert await manager.sessions("eve") == []
