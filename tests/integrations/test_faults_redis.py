"""11: a Redis that stops, hangs or comes back: 503 in bounded time, the cookie untouched, no restart needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import anyio
import httpx
import pytest
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from coatcheck import CookieSettings, Session
from coatcheck.integrations.asgi import SessionMiddleware, session_from
from tests.integrations.front import NAVIGATION, Answer, Front, cookie, set_cookies
from tests.integrations.gatehouse import CONTENT, Gatehouse
from tests.servers import RedisServer

pytestmark = pytest.mark.redis

PATIENCE = 10
"""Seconds: far from the minute that a driver's own retries would take, and from what a busy machine needs."""


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A server that these tests stop and pause; what it holds survives."""
    with RedisServer("--appendonly", "yes", "--appendfsync", "no") as server:
        yield server


def go_on(server: RedisServer) -> None:
    """Let a paused server run again, and wait until it answers."""
    server.resume()
    server.cli("PING")


@pytest.fixture
async def front(server: RedisServer) -> AsyncIterator[Front]:
    """An application on that server."""
    front = Front(store=server.url, namespace=token_hex(8), cookie=CookieSettings(name="coatcheck"))
    yield front
    await front.aclose()
    await front.manager.aclose()


async def handler(session: Session, request: Request) -> Answer:
    """Reads, writes or signs in or out, by the path."""
    match request.url.path:
        case "/write":
            session["written"] = True
        case "/login":
            session.login("9")
        case "/logout":
            session.logout()
    return f"{session.user_id} {session.get('cart')}"


def check_unavailable(response: httpx.Response) -> None:
    """503 in plain words, when to come back, and nothing that signs anybody out."""
    assert response.status_code == 503
    assert 1 <= int(response.headers["retry-after"]) <= 60
    assert set_cookies(response) == []
    assert "you are not signed out" in response.text


@pytest.mark.parametrize("fault", ["stopped", "paused"])
async def test_a_store_that_is_down_is_503_and_recovers_by_itself(
    front: Front, server: RedisServer, fault: str
) -> None:
    """Whether it refuses connections or holds them in silence; public pages are served anonymously."""
    token = await front.signed_in(cart=1)
    browser = front.browser(front.app(handler, public_paths=["/about"]), headers=cookie(token))
    assert (await browser.get("/")).text == "7 1"
    server.stop() if fault == "stopped" else server.pause()
    try:
        async with asyncio.timeout(PATIENCE):
            many = [browser.get(path, headers=NAVIGATION) for path in ("/", "/write", "/login", "/logout") * 5]
            for response in await asyncio.gather(*many):
                check_unavailable(response)
            public = await browser.get("/about", headers=NAVIGATION)
            assert (public.status_code, public.text, set_cookies(public)) == (200, "None None", [])
            visitor = front.browser(front.app(handler))
            assert (await visitor.get("/")).status_code == 200
            check_unavailable(await visitor.get("/write"))
            check_unavailable(await visitor.get("/login"))
    finally:
        server.start() if fault == "stopped" else go_on(server)
    assert (await browser.get("/")).text == "7 1"
    assert (await browser.get("/write")).status_code == 200
    assert await front.fields(token) == {"cart": 1, "written": True}
    assert await front.sessions() == 1


@pytest.mark.parametrize("path", ["/write", "/login", "/logout"])
async def test_a_store_that_fails_at_the_commit_replaces_the_response(
    front: Front, server: RedisServer, path: str
) -> None:
    """Nobody is told "saved", "welcome" or "goodbye" that is not so."""
    token = await front.signed_in(cart=1)

    async def fails(session: Session, request: Request) -> Answer:
        answer = await handler(session, request)
        server.pause()
        return answer

    browser = front.browser(front.app(fails), headers=cookie(token))
    try:
        async with asyncio.timeout(PATIENCE):
            check_unavailable(await browser.get(path))
    finally:
        go_on(server)
    # What was sent may still have arrived: it is repeatable, and nothing but what was asked for.
    assert (await front.fields(token)).items() <= {"cart": 1, "written": True}.items()
    again = front.browser(front.app(handler), headers=cookie(token))
    assert (await again.get(path)).status_code == 200


async def test_a_touch_that_fails_does_not_fail_the_request(front: Front, server: RedisServer) -> None:
    """A page that only reads is served."""
    token = await front.signed_in(cart=1)
    front.clock.advance(2 * 86400)

    async def fails(session: Session, request: Request) -> Answer:
        server.pause()
        return await handler(session, request)

    try:
        async with asyncio.timeout(PATIENCE):
            response = await front.browser(front.app(fails)).get("/", headers=cookie(token))
    finally:
        go_on(server)
    assert (response.status_code, response.text, set_cookies(response)) == (200, "7 1", [])


async def test_a_late_commit_that_fails_is_logged_and_the_response_stands(
    front: Front, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A background task's change is lost, and said to be."""
    token = await front.signed_in()

    async def fails(session: Session, request: Request) -> Response:
        async def work() -> None:
            session["late"] = 1
            server.pause()

        return PlainTextResponse("sent", background=BackgroundTask(work))

    try:
        async with asyncio.timeout(PATIENCE):
            response = await front.browser(front.app(fails)).get("/", headers=cookie(token))
    finally:
        go_on(server)
    assert response.text == "sent"
    assert "is lost" in caplog.text
    assert token[23:] not in caplog.text


async def test_a_download_waits_for_a_store_that_can_say_once(server: RedisServer, tmp_path: Path) -> None:
    """13: not a byte goes out before the ticket is taken; one that is whole stays so."""
    house = Gatehouse(tmp_path, server.url)
    token = await house.signed_in()
    ticket = await house.issue(token)
    assert (await house.fetch("garbage", token)).status_code == 403
    server.pause()
    try:
        async with asyncio.timeout(PATIENCE):
            check_unavailable(await house.fetch(ticket, token))
    finally:
        go_on(server)
    response = await house.fetch(ticket, token)
    assert (response.status_code, response.content) == (200, CONTENT)
    await house.aclose()
    await house.manager.aclose()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_request_that_is_cut_off_by_a_timeout_still_signs_out(front: Front, when: str) -> None:
    """16: a logout happens whatever else does, also where a middleware outside cancels the request for good."""
    token = await front.signed_in()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if when == "after":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        session_from(scope).logout()
        await anyio.sleep(60)

    async def nothing(_: Any) -> None: ...

    unread: Any = None
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "scheme": "https", "query_string": b""}
    scope["headers"] = [(b"cookie", cookie(token)["cookie"].encode())]
    with anyio.move_on_after(0.05) as timeout:
        await SessionMiddleware(app, front.manager)(scope, unread, nothing)
    assert timeout.cancelled_caught
    for _ in range(1000):
        if not await front.lives(token):
            break
    assert not await front.lives(token)
