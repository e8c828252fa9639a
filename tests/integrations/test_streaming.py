"""What a request changes once its response has started: streams, background tasks, and what can't be done any more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from coatcheck import Session
from coatcheck.errors import CoatcheckError
from coatcheck.integrations.asgi import SessionMiddleware, session_from
from tests.integrations.front import Front, cookie, set_cookies, token_in


async def test_data_is_committed_before_the_response_starts_and_again_at_its_end(front: Front) -> None:
    """16: whoever has seen the first byte finds the data; what the body changes later is there after the last."""
    token = await front.stored(cart=[1])
    seen: list[dict[str, Any]] = []

    async def handler(session: Session, request: Request) -> Response:
        session["before"] = 1

        async def body() -> AsyncIterator[bytes]:
            seen.append(await front.fields(token))
            session["during"] = 2
            session["cart"].append(3)
            yield b"first"
            seen.append(await front.fields(token))
            yield b"last"

        return StreamingResponse(body())

    response = await front.browser(front.app(handler)).get("/", headers=cookie(token))
    assert response.text == "firstlast"
    assert seen == [{"cart": [1], "before": 1}] * 2
    assert await front.fields(token) == {"cart": [1, 3], "before": 1, "during": 2}
    assert front.calls == ["load", "commit", "commit"]


async def test_a_stream_that_changes_nothing_commits_nothing_more(front: Front) -> None:
    """Reading in a stream is as cheap as anywhere, also when a touch was due at its start."""
    token = await front.stored(cart=[1])
    front.clock.advance(2 * 86400)

    async def handler(session: Session, request: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield str(session["cart"]).encode()

        return StreamingResponse(body())

    response = await front.browser(front.app(handler)).get("/", headers=cookie(token))
    assert response.text == "[1]"
    assert front.calls == ["load", "commit"]


async def test_a_background_task_commits_too(front: Front) -> None:
    """16: it runs after the last byte."""
    token = await front.stored()

    async def handler(session: Session, request: Request) -> Response:
        async def work() -> None:
            assert "mailed" not in await front.fields(token)
            session["mailed"] = True

        return PlainTextResponse("", background=BackgroundTask(work))

    await front.browser(front.app(handler)).get("/", headers=cookie(token))
    assert (await front.fields(token))["mailed"] is True


async def test_login_and_rotate_after_the_start_raise_at_once_and_logout_works(front: Front) -> None:
    """16: a login that could not set its cookie would be a session that nobody holds."""
    token = await front.signed_in(cart=1)
    refused: list[str] = []

    async def handler(session: Session, request: Request) -> Response:
        async def work() -> None:
            with pytest.raises(CoatcheckError, match="the response has started"):
                session.login("8")
            refused.append(str(session.user_id))
            with pytest.raises(CoatcheckError, match="the response has started"):
                session.rotate()
            refused.append(str(session.user_id))
            session.logout()

        return PlainTextResponse("", background=BackgroundTask(work))

    response = await front.browser(front.app(handler)).get("/", headers=cookie(token))
    assert refused == ["7", "7"]
    assert set_cookies(response) == []
    assert not await front.lives(token)
    assert await front.sessions() == 0
    assert [event.reason for event in front.told("ended")] == ["logout"]


async def test_a_visitor_who_writes_after_the_start_leaves_no_row(front: Front) -> None:
    """8: no cookie can carry the new session's token any more; the lost write is reported."""

    async def handler(session: Session, request: Request) -> Response:
        return PlainTextResponse("", background=BackgroundTask(session.update, cart=1))

    response = await front.browser(front.app(handler)).get("/")
    assert set_cookies(response) == []
    assert await front.sessions() == 0
    assert len(front.told("late_write")) == 1


async def test_a_session_that_this_response_announced_takes_later_writes(front: Front) -> None:
    """The cookie went out with the first byte, so the rest of the stream belongs to that session."""

    async def handler(session: Session, request: Request) -> Response:
        session.login("7")
        return PlainTextResponse("", background=BackgroundTask(session.update, later=1))

    response = await front.browser(front.app(handler)).get("/")
    assert await front.fields(token_in(response)) == {"later": 1}
    assert await front.sessions() == 1


async def test_a_session_revoked_in_the_middle_of_a_stream_stays_ended(front: Front) -> None:
    """2: the late write is an event, never a revival and never an error of the response."""
    token = await front.signed_in(cart=1)

    async def handler(session: Session, request: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield b"first"
            await front.aside.revoke(token[:22])
            session["cart"] = 2
            yield b"last"

        return StreamingResponse(body())

    response = await front.browser(front.app(handler)).get("/", headers=cookie(token))
    assert response.text == "firstlast"
    assert not await front.lives(token)
    assert [event.reason for event in front.told("late_write")] == ["revoked"]


async def test_a_patch_during_a_stream_is_not_undone_by_its_end(front: Front) -> None:
    """B: a demotion can't be lost to a response that had read the old role."""
    token = await front.signed_in(role="admin")

    async def handler(session: Session, request: Request) -> Response:
        session["seen"] = 1

        async def body() -> AsyncIterator[bytes]:
            yield b"first"
            await front.aside.update_user("7", {"role": "none"})
            session["role"] = "admin, still"
            session["seen"] = 2

        return StreamingResponse(body())

    await front.browser(front.app(handler)).get("/", headers=cookie(token))
    assert await front.fields(token) == {"role": "none", "seen": 2}


async def test_an_exception_in_a_stream_drops_what_came_after_the_start(front: Front) -> None:
    """16: what the first byte announced is kept; of the rest only a logout."""
    token = await front.stored(cart=1)

    async def handler(session: Session, request: Request) -> Response:
        session["before"] = 1

        async def body() -> AsyncIterator[bytes]:
            yield b"first"
            session["during"] = 2
            raise ZeroDivisionError

        return StreamingResponse(body())

    browser = front.browser(front.app(handler))
    with pytest.raises((ZeroDivisionError, ExceptionGroup)):  # Starlette before 0.42 leaves it in its group
        await browser.get("/", headers=cookie(token))
    assert await front.fields(token) == {"cart": 1, "before": 1}


async def test_a_value_that_cannot_be_stored_is_told_by_its_path_in_the_log(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    """10: after the response there is nobody left to answer."""
    token = await front.stored(cart=[{"owner": "me"}])

    async def handler(session: Session, request: Request) -> Response:
        return PlainTextResponse("", background=BackgroundTask(session["cart"][0].update, owner=object()))

    with caplog.at_level(logging.ERROR, "coatcheck"):
        response = await front.browser(front.app(handler)).get("/", headers=cookie(token))
    assert response.status_code == 200
    assert "cart[0].owner" in caplog.text
    assert await front.fields(token) == {"cart": [{"owner": "me"}]}


async def test_a_client_that_hangs_up_does_not_undo_what_the_stream_did(desk: Front) -> None:
    """A download that is broken off is no failed request: Starlette just stops sending."""
    token = await desk.stored()
    waiting = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def body() -> AsyncIterator[bytes]:
            session_from(scope)["sent"] = 1
            yield b"first"
            waiting.set()
            await asyncio.sleep(60)

        await StreamingResponse(body())(scope, receive, send)

    async def receive() -> dict[str, Any]:
        await waiting.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None: ...

    headers = [(b"host", b"app.example"), (b"cookie", cookie(token)["cookie"].encode())]
    scope = {"type": "http", "method": "GET", "path": "/", "scheme": "https", "headers": headers, "query_string": b""}
    await SessionMiddleware(app, desk.manager)(scope, receive, send)
    assert (await desk.fields(token))["sent"] == 1


@pytest.mark.parametrize("verb", ["login", "logout"])
async def test_an_application_that_never_answers_commits_nothing_but_a_logout(desk: Front, verb: str) -> None:
    """Its server answers 500: a failed request, and no cookie could tell of a login."""
    token = await desk.stored(cart=1)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        session = session_from(scope)
        session["cart"] = 2
        session.login("7") if verb == "login" else session.logout()

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "scheme": "https", "query_string": b""}
    scope["headers"] = [(b"cookie", cookie(token)["cookie"].encode())]
    nothing: Any = None
    await SessionMiddleware(app, desk.manager)(scope, nothing, nothing)
    assert await desk.fields(token) == ({"cart": 1} if verb == "login" else {})
    assert await desk.sessions() == (1 if verb == "login" else 0)
