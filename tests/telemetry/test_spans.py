"""What spans say of a session, and what they never say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.trace import StatusCode

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck.errors import SessionDataError, StoreUnavailable
from coatcheck.integrations import asgi
from coatcheck.telemetry import names
from coatcheck.testing.kit import KEY, Kit, Scenarios

from .telling import Told

HANDLE, SIGNED_IN, USER = names.HANDLE, names.AUTHENTICATED, names.ENDUSER


class TestSpans(Scenarios):
    """Over every store, both ways."""

    async def test_the_current_span_says_whose_request_it_is(self, kit: Kit, told: Told) -> None:
        """By the handle, and whether somebody is signed in; not who, unless that was asked for."""
        manager = kit.manager()
        told.instrument(manager)
        token = await kit.signed_in(manager, "ada@shop.example")
        tracer = told.tracers.get_tracer("app")
        with tracer.start_as_current_span("signed in"):
            session = await manager.load(token)
        with tracer.start_as_current_span("nobody"):
            await manager.load(None)
        signed_in, nobody = (span for span in told.spans() if span.name in ("signed in", "nobody"))
        assert dict(signed_in.attributes or {}) == {HANDLE: session.handle, SIGNED_IN: True}
        assert dict(nobody.attributes or {}) == {SIGNED_IN: False}

    async def test_the_users_id_is_on_spans_only_where_that_is_asked_for(self, kit: Kit, told: Told) -> None:
        """It may be a name or an address."""
        manager = kit.manager()
        told.instrument(manager, enduser_id=True)
        token = await kit.signed_in(manager, "ada@shop.example")
        with told.tracers.get_tracer("app").start_as_current_span("page"):
            await manager.load(token)
        page = told.spans()[-1]
        assert (page.attributes or {})[USER] == "ada@shop.example"

    async def test_a_login_tells_the_span_of_the_new_session(self, kit: Kit, told: Told) -> None:
        """Else the one request of a login would be told of a session that it has ended."""
        manager = kit.manager()
        told.instrument(manager)
        token = await kit.stored(manager, cart=[1])
        with told.tracers.get_tracer("app").start_as_current_span("login"):
            session = await manager.load(token)
            before = session.handle
            session.login("ada")
            await manager.commit(session)
        login = told.spans()[-1]
        assert session.handle != before
        assert dict(login.attributes or {}) == {HANDLE: session.handle, SIGNED_IN: True}

    async def test_calls_of_the_store_are_spans_within_a_recorded_one(self, kit: Kit, told: Told) -> None:
        """And begin no trace of their own."""
        manager = kit.manager()
        told.instrument(manager)
        token = await kit.stored(manager, cart=[1])
        assert told.spans() == ()
        with told.tracers.get_tracer("app").start_as_current_span("page") as page:
            session = await manager.load(token)
            session["cart"] = [2]
            await manager.commit(session)
        calls = told.spans()[:-1]
        assert [span.name for span in calls] == ["coatcheck.store load", "coatcheck.store commit"]
        assert {span.parent and span.parent.span_id for span in calls} == {page.get_span_context().span_id}
        assert dict(calls[0].attributes or {}) == {names.NAMESPACE: manager.namespace, names.OPERATION: "load"}

    async def test_no_span_has_a_token_a_field_or_an_errors_text(self, kit: Kit, told: Told) -> None:
        """A trace is read by many, and kept for long."""
        manager = kit.manager()
        told.instrument(manager, enduser_id=True)
        with told.tracers.get_tracer("app").start_as_current_span("page"):
            token = await kit.signed_in(manager, "ada", card="hers alone")
            session = await manager.load(token)
            await kit.fields(manager, token[:-1] + ("0" if token[-1] != "0" else "1"))
            session["card"] = "too long for it " * 20_000
            with pytest.raises(SessionDataError):
                await manager.commit(session)
        text = "\n".join(span.to_json() for span in told.spans())
        assert str(session.handle) in text
        for secret in (token, *token.split(".")[1:], "hers alone", "too long"):
            assert secret not in text

    async def test_to_look_at_a_session_for_a_span_does_not_mark_it_as_looked_at(self, kit: Kit, told: Told) -> None:
        """A middleware would say `Vary: Cookie` of every response, and no cache could keep one."""
        manager = kit.manager()
        told.instrument(manager, enduser_id=True)
        token = await kit.signed_in(manager, "ada")
        with told.tracers.get_tracer("app").start_as_current_span("page"):
            session = await manager.load(token)
        assert not session.accessed


def test_a_failed_call_of_the_store_is_a_failed_span(told: Told) -> None:
    """It names the kind of error."""

    def down(_: str) -> None:
        message = "no answer from cache.internal"
        raise StoreUnavailable(message)

    with SessionManager("memory://", secret=KEY, namespace="down") as manager:
        session = manager.load(None)
        session["a"] = 1
        token = manager.commit(session).token
        store: Any = manager.store
        vars(store)["load"] = down
        uninstrument = told.instrument(manager)  # type: ignore[arg-type]
        with told.tracers.get_tracer("app").start_as_current_span("page"), pytest.raises(StoreUnavailable):
            manager.load(token)
        uninstrument()
        del vars(store)["load"]
    (call,) = (span for span in told.spans() if span.name == "coatcheck.store load")
    assert call.status.status_code is StatusCode.ERROR
    assert (call.attributes or {})[names.ERROR] == "StoreUnavailable"
    assert "cache.internal" not in call.to_json()


async def test_behind_a_middleware_the_requests_span_has_the_session(told: Told, tmp_path: Path) -> None:
    """Also in a login's request, whose commit runs in a task of its own; a form from elsewhere is counted."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"].login("ada")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with AsyncSessionManager(f"sqlite:///{tmp_path}/s.db", secret=KEY) as manager:
        told.instrument(manager)
        inner = asgi.SessionMiddleware(app, manager)

        async def traced(scope: Any, receive: Any, send: Any) -> None:
            with told.tracers.get_tracer("server").start_as_current_span("request"):
                await inner(scope, receive, send)

        origin = "https://app.example"
        async with httpx.AsyncClient(transport=httpx.ASGITransport(traced), base_url=origin) as client:
            assert (await client.post("/", headers={"Origin": origin})).status_code == 200
            assert (await client.post("/", headers={"Origin": "https://evil.example"})).status_code == 403
        (one,) = await manager.sessions("ada")
    first = next(span for span in told.spans() if span.name == "request")
    assert dict(first.attributes or {}) == {HANDLE: one.handle, SIGNED_IN: True}
    assert told.of(names.REFUSALS) == {"csrf": 1}
