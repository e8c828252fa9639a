"""Promise 4's sibling: `update_user` puts fresh data into all of a user's sessions, and nothing stale undoes it."""

from __future__ import annotations

from ...policy import PATCH_MEMORY
from ..kit import Kit, Scenarios


class Updates(Scenarios):
    """A role that was taken away must be gone."""

    async def test_it_reaches_every_live_session_and_no_other(self, kit: Kit) -> None:
        """4: of that user alone; it says how many."""
        manager = kit.manager()
        tokens = [await kit.signed_in(manager, "ada", role="admin", theme=n) for n in range(3)]
        other = await kit.signed_in(manager, "bob", role="admin")
        await manager.revoke(tokens[2][:22])
        assert await manager.update_user("ada", {"role": "reader", "note": [1]}) == 2
        assert await kit.fields(manager, tokens[1]) == {"role": "reader", "theme": 1, "note": [1]}
        assert (await kit.fields(manager, tokens[0]))["role"] == "reader"
        assert await kit.fields(manager, tokens[2]) == {}
        assert (await kit.fields(manager, other))["role"] == "admin"
        assert await manager.update_user("nobody", {"role": "reader"}) == 0

    async def test_a_commit_loaded_before_it_does_not_undo_it(self, kit: Kit) -> None:
        """4: an older reader's value of a patched field is dropped, and its deletion too; the rest is kept."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", role="admin")
        writing, clearing = await manager.load(token), await manager.load(token)
        await manager.update_user("ada", {"role": "reader"})
        writing["role"], writing["note"] = "owner", 1
        await manager.commit(writing)
        clearing.clear()
        await manager.commit(clearing)
        assert await kit.fields(manager, token) == {"role": "reader", "note": 1}

    async def test_a_stream_that_has_not_seen_it_does_not_undo_it_later(self, kit: Kit) -> None:
        """4: a second commit of a session that was loaded before the patch has not seen it either."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", role="admin")
        stream = await manager.load(token)
        await manager.update_user("ada", {"role": "reader"})
        stream["step"] = 1
        await manager.commit(stream)
        stream["role"] = "owner"
        await manager.commit(stream)
        assert (await kit.fields(manager, token))["role"] == "reader"

    async def test_a_commit_loaded_after_it_may_change_the_field(self, kit: Kit) -> None:
        """4: who has seen the patch writes as ever."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", role="admin")
        await manager.update_user("ada", {"role": "reader"})
        await kit.request(manager, token, lambda session: session.update(role="editor"))
        assert await kit.fields(manager, token) == {"role": "editor"}

    async def test_a_login_of_the_next_minute_does_not_undo_it(self, kit: Kit) -> None:
        """4: a login that had read the old role takes the patch over its own data; a minute later it does not."""
        manager = kit.manager()
        await manager.update_user("ada", {"role": "reader"})
        kit.clock.advance(PATCH_MEMORY / 2)
        await manager.update_user("ada", {"note": 2})
        kit.clock.advance(PATCH_MEMORY / 2 - 1)
        stale = await kit.signed_in(manager, "ada", role="admin", theme="dark")
        assert await kit.fields(manager, stale) == {"role": "reader", "theme": "dark", "note": 2}
        kit.clock.advance(1)
        fresh = await kit.signed_in(manager, "ada", role="admin")
        assert await kit.fields(manager, fresh) == {"role": "admin", "note": 2}

    async def test_the_newest_of_several_wins(self, kit: Kit) -> None:
        """4: also within one instant."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada")
        for role in ("editor", "reader"):
            await manager.update_user("ada", {"role": role})
        late = await kit.signed_in(manager, "ada", role="admin")
        assert [(await kit.fields(manager, one))["role"] for one in (token, late)] == ["reader", "reader"]

    async def test_a_full_session_cannot_keep_its_role(self, kit: Kit) -> None:
        """4: a user who fills a session to its limit must not thereby ward off being demoted."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", role="x", ballast="x" * 262_100)
        other = await kit.signed_in(manager, "ada", role="x")
        assert await manager.update_user("ada", {"role": "reader", "why": "y" * 100}) == 2
        assert [(await kit.fields(manager, one))["role"] for one in (token, other)] == ["reader", "reader"]
