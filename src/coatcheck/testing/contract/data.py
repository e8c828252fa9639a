"""Promises 9 and 10: data round-trips exactly, and who reads the store or a log can take over nothing."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from ...errors import SessionDataError
from ...events import Event
from ...info import Client
from ..kit import KEY, OLD_KEY, Dump, Kit, Scenarios

VALUES: dict[str, Any] = {
    "none": None,
    "true": True,
    "int": -(10**30),
    "float": 1.5,
    "whole float": 1.0,
    "infinity": float("inf"),
    "text": "Zoë \N{SNOWMAN} \U0001f9e5 \x00 \ud800",
    "list": [1, [2, []], {}],
    "dict": {"a": {"b": [1]}, "": None},
    "looks like a tag": {"$dt": "2030-01-01"},
    "datetime": datetime(2030, 1, 2, 3, 4, 5, 678901),  # noqa: DTZ001 (naive ones are stored too)
    "aware": datetime(2030, 1, 2, 3, 4, tzinfo=UTC),
    "date": date(2030, 1, 2),
    "timedelta": timedelta(days=-1, microseconds=1),
    "uuid": UUID(int=7),
    "decimal": Decimal("1.10"),
    "bytes": bytes(range(256)),
    "tuple": (1, (2, [3])),
    "set": {1, 2},
}
NAMES = ["handle_", "secrets", "seq", "fields", "u", "\x00", "a.b[0]", "$t", "ключ", "x" * 200, ""]
"""Names of fields that a careless store would take for its own, or fail to keep apart."""


class Data(Scenarios):
    """What goes in, comes out, and to whom."""

    async def test_every_type_round_trips(self, kit: Kit) -> None:
        """10: the same value and the same type, at every depth."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", **VALUES)
        found = await kit.fields(manager, token)
        assert {name: repr(value) for name, value in found.items()} == {n: repr(v) for n, v in VALUES.items()}
        assert await kit.request(manager, token, lambda session: session.update(VALUES)) == token

    async def test_no_fields_name_gets_in_the_way_of_the_record(self, kit: Kit) -> None:
        """10: data cannot overwrite what the store keeps of the session itself."""
        manager = kit.manager()
        fields = {name: number for number, name in enumerate(NAMES)}
        token = await kit.request(manager, None, lambda session: session.update(fields))
        assert await kit.fields(manager, token) == fields
        session = await manager.load(token)
        for name in NAMES[1:]:
            del session[name]
        await manager.commit(session)
        assert await kit.fields(manager, token) == {NAMES[0]: 0}

    async def test_what_one_request_loaded_is_not_anothers(self, kit: Kit) -> None:
        """10: changing a loaded value changes nothing until it is committed, in memory either."""
        manager = kit.manager()
        value = {"items": [1]}
        token = await kit.signed_in(manager, "ada", cart=value)
        value["items"].append(2)
        abandoned = await manager.load(token)
        abandoned["cart"]["items"].append(3)
        assert await kit.fields(manager, token) == {"cart": {"items": [1]}}

    async def test_what_cannot_be_stored_is_named_and_stores_nothing(self, kit: Kit) -> None:
        """10: the error names the path, at the assignment or at the commit; the session stays as it was."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        session = await manager.load(token)
        with pytest.raises(SessionDataError) as caught:
            session["owner"] = {"user": object()}
        assert caught.value.path == "owner.user"
        session["cart"].append(object())
        with pytest.raises(SessionDataError) as caught:
            await manager.commit(session)
        assert caught.value.path == "cart[1]"
        assert await kit.fields(manager, token) == {"cart": [1]}

    async def test_the_size_limit_holds_for_a_new_session(self, kit: Kit) -> None:
        """10: 256 KiB, at creation and at login as in a merge; nothing is left behind by the refusal."""
        manager = kit.manager()
        for user in (None, "ada"):
            session = await manager.load(None)
            session["first"], session["second"] = "x" * 200_000, "x" * 200_000
            if user:
                session.login(user)
            with pytest.raises(SessionDataError):
                await manager.commit(session)
        assert (await manager.stats()).sessions == 0

    async def test_what_the_store_holds_takes_over_nothing(
        self, kit: Kit, dump: Dump | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        """9: neither the store, a backup of it, an event nor a log line holds a secret, a token or a key."""
        caplog.set_level(logging.DEBUG)
        manager = kit.manager(secret=[KEY, OLD_KEY])
        events: list[Event] = []
        manager.subscribe(events.append)
        tokens = [await kit.stored(manager, cart=["a value"])]
        tokens.append(await kit.signed_in(manager, "ada", tokens[0]))
        kit.clock.advance(timedelta(days=2))
        tokens.append(await kit.request(manager, tokens[1], len))
        session = await manager.load(tokens[2])
        ticket = await manager.tickets.issue("download", {"file": "a.pdf"}, session=session)
        session.rotate()
        tokens.append((await manager.commit(session)).token or "")
        stored = dump() if dump else b""
        assert dump is None or b"a value" in stored, "the dump must hold what the store holds"
        await manager.revoke_user("ada")
        held = stored + repr(events).encode() + caplog.text.encode() + repr(manager).encode()
        assert len(set(tokens)) == 4
        secrets = [part for token in tokens for part in token.split(".")[1:]]
        for secret in [*tokens, *secrets, ticket, ticket.split(".")[2], KEY, OLD_KEY]:
            assert secret.encode() not in held
        assert b"a value" not in repr(events).encode() + caplog.text.encode()

    async def test_a_closed_store_opens_again(self, kit: Kit) -> None:
        """3: closing gives connections back, and loses or ends nothing."""
        manager = kit.manager()
        token = await kit.signed_in(manager, "ada", cart=[1])
        await manager.aclose()
        await manager.aclose()
        assert await kit.fields(manager, token) == {"cart": [1]}

    async def test_who_asked_is_kept_for_the_list_and_bounded(self, kit: Kit) -> None:
        """12: a hostile user agent or label is shortened and loses its control characters."""
        manager = kit.manager()
        session = await manager.load(None, Client("192.0.2.1", "Evil\r\nSet-Cookie: x\x1b[2J" + "x" * 9000))
        session.login("ada", label="Ada's\nlaptop")
        await manager.commit(session)
        (info,) = await manager.sessions("ada")
        agent, label = info.client.user_agent or "", info.label or ""
        assert info.client.ip == "192.0.2.1"
        assert agent.isprintable()
        assert label.isprintable()
        assert len(agent) <= 256
        forgetful = kit.manager(record_client=False)
        session = await forgetful.load(None, Client("192.0.2.1", "Browser/1"))
        session.login("bob")
        await forgetful.commit(session)
        assert (await manager.sessions("bob"))[0].client == Client(None, None)
