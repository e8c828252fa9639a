"""Promise 1: concurrent requests merge."""

from __future__ import annotations

import pytest

from ...errors import SessionDataError
from ..kit import Kit, Scenarios

ROOMY = "x" * 150_000
"""Two of these are over the 256 KiB that a session may hold, one is not."""


class Merging(Scenarios):
    """Overlapping requests of one session."""

    async def test_writes_to_different_fields_both_survive(self, kit: Kit) -> None:
        """1: of two overlapping requests neither undoes what the other wrote to a field of its own."""
        manager = kit.manager()
        token = await kit.stored(manager, cart=[1], theme="light")
        first, second = await manager.load(token), await manager.load(token)
        first["cart"] = [1, 2]
        second["theme"] = "dark"
        await manager.commit(second)
        await manager.commit(first)
        assert await kit.fields(manager, token) == {"cart": [1, 2], "theme": "dark"}

    async def test_the_last_write_to_one_field_wins(self, kit: Kit) -> None:
        """1: on one field the last commit wins, whichever request began first."""
        manager = kit.manager()
        token = await kit.stored(manager, theme="light")
        first, second = await manager.load(token), await manager.load(token)
        first["theme"], second["theme"] = "first", "second"
        await manager.commit(second)
        await manager.commit(first)
        assert await kit.fields(manager, token) == {"theme": "first"}

    async def test_a_field_that_was_only_read_is_not_written(self, kit: Kit) -> None:
        """1: a request commits only what it changed, so that what it merely read may change meanwhile."""
        manager = kit.manager()
        token = await kit.stored(manager, cart=[1], theme="light")
        reader, writer = await manager.load(token), await manager.load(token)
        assert reader["cart"] == [1]
        reader["theme"] = "dark"
        writer["cart"].append(2)
        await manager.commit(writer)
        await manager.commit(reader)
        assert await kit.fields(manager, token) == {"cart": [1, 2], "theme": "dark"}

    async def test_a_nested_change_is_noticed(self, kit: Kit) -> None:
        """1: what changes deep inside a value is committed without being assigned."""
        manager = kit.manager()
        token = await kit.stored(manager, cart={"items": [{"id": 1}]})
        session = await manager.load(token)
        session["cart"]["items"][0]["id"] = 2
        await manager.commit(session)
        assert await kit.fields(manager, token) == {"cart": {"items": [{"id": 2}]}}

    async def test_clear_deletes_only_what_it_has_seen(self, kit: Kit) -> None:
        """1: a field that another request adds meanwhile outlives `clear()`."""
        manager = kit.manager()
        token = await kit.stored(manager, cart=[1], theme="light")
        clearing, adding = await manager.load(token), await manager.load(token)
        clearing.clear()
        adding["note"] = "new"
        await manager.commit(adding)
        await manager.commit(clearing)
        assert await kit.fields(manager, token) == {"note": "new"}

    async def test_deleting_one_field_leaves_a_parallel_write_to_another(self, kit: Kit) -> None:
        """1: a deletion is one field's, like every change."""
        manager = kit.manager()
        token = await kit.stored(manager, cart=[1], theme="light")
        deleting, writing = await manager.load(token), await manager.load(token)
        del deleting["cart"]
        writing["theme"] = "dark"
        await manager.commit(deleting)
        await manager.commit(writing)
        assert await kit.fields(manager, token) == {"theme": "dark"}

    async def test_an_anonymous_session_that_is_left_empty_ends(self, kit: Kit) -> None:
        """1: it ends, its cookie is dropped, and its token opens nothing."""
        manager = kit.manager()
        token = await kit.stored(manager, cart=[1])
        session = await manager.load(token)
        session.pop("cart")
        assert (await manager.commit(session)).action == "drop"
        after = await manager.load(token)
        assert after.is_new
        assert after.ended_reason == "logout"

    async def test_a_users_session_that_is_left_empty_lives(self, kit: Kit) -> None:
        """1: somebody is logged in there, whatever it holds."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        session = await manager.load(token)
        session.clear()
        assert (await manager.commit(session)).action == "keep"
        assert (await manager.load(token)).user_id == "ada"

    async def test_emptying_a_session_that_another_request_fills_does_not_end_it(self, kit: Kit) -> None:
        """1: only what the commit really leaves empty ends."""
        manager = kit.manager()
        token = await kit.stored(manager, cart=[1])
        emptying, filling = await manager.load(token), await manager.load(token)
        emptying.clear()
        filling["note"] = "new"
        await manager.commit(filling)
        assert (await manager.commit(emptying)).action == "keep"
        assert await kit.fields(manager, token) == {"note": "new"}

    async def test_the_size_is_checked_after_the_merge(self, kit: Kit) -> None:
        """10: two requests that each stay within 256 KiB cannot exceed it together; the second changes nothing."""
        manager = kit.manager()
        token = await kit.stored(manager, theme="light")
        first, second = await manager.load(token), await manager.load(token)
        first["first"], second["second"] = ROOMY, ROOMY
        await manager.commit(first)
        with pytest.raises(SessionDataError):
            await manager.commit(second)
        assert await kit.fields(manager, token) == {"theme": "light", "first": ROOMY}

    async def test_a_stream_may_commit_again(self, kit: Kit) -> None:
        """1: a second commit of the same session writes what changed since the first, and only that."""
        manager = kit.manager()
        token = await kit.stored(manager, step=1, theme="light")
        stream = await manager.load(token)
        stream["step"] = 2
        await manager.commit(stream)
        await kit.request(manager, token, lambda session: session.update(theme="dark"))
        stream["step"] = 3
        await manager.commit(stream)
        assert await kit.fields(manager, token) == {"step": 3, "theme": "dark"}
