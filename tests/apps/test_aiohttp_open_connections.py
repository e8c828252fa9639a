"""aiohttp's streams and websockets whose session ends: at the start, and by errors of the application's own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import CookieJar, WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from coatcheck import AsyncSessionManager
from tests.apps.aiohttp_tools import Client, application, manager

Write = Callable[[], Awaitable[None]]
EVENTS = {"Content-Type": "text/event-stream"}


@pytest.fixture
async def desk() -> AsyncIterator[AsyncSessionManager]:
    """The manager of an application."""
    made = manager()
    yield made
    await made.aclose()


class Server(TestServer):
    """As in production: a handler is not cancelled when its client hangs up."""

    async def _make_runner(self, **settings: Any) -> Any:
        return await super()._make_runner(**settings | {"handler_cancellation": False})


async def ends(desk: AsyncSessionManager) -> None:
    """Ada's sessions end, and the feed says so."""
    assert await desk.revoke_user("ada") == 1
    desk.hearing.watches.changed(None)


async def signed_in(app: web.Application) -> Client:
    """A browser that is."""
    browser = TestClient(Server(app), cookie_jar=CookieJar(unsafe=True))
    await browser.start_server()
    await (await browser.post("/login/ada")).read()
    return browser


async def waits(_request: Any, _response: Any) -> None:
    """Another's `on_response_prepare`, which asks a database for a header."""
    await asyncio.sleep(0.1)


@pytest.mark.parametrize("kind", ["stream", "websocket"])
async def test_a_session_that_ends_while_its_response_is_prepared(desk: AsyncSessionManager, kind: str) -> None:
    """The head goes out before its end does: else the client reads a body's bytes as a response."""
    seen = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        await ends(desk)
        response = web.WebSocketResponse() if kind == "websocket" else web.StreamResponse(headers=EVENTS)
        await response.prepare(request)
        await seen.wait()
        return response

    async def sees(browser: Client) -> None:
        if kind == "stream":
            async with browser.get("/") as response:
                assert (response.status, await response.read()) == (200, b"")
        else:
            async with browser.ws_connect("/") as socket:
                message = await socket.receive(timeout=10)
                assert (message.type, message.data) == (WSMsgType.CLOSE, 4401)

    app = application(web.get("/", handler), manager=desk)
    app.on_response_prepare.append(waits)
    browser = await signed_in(app)
    async with browser, asyncio.timeout(15):
        await sees(browser)
        seen.set()


async def test_a_response_that_never_starts_holds_up_nothing(desk: AsyncSessionManager) -> None:
    """Another's signal fails, and the session has ended meanwhile: the server answers 500, at once."""

    async def fails(request: Any, response: Any) -> None:
        if request.path == "/" and response.status == 200:
            await asyncio.sleep(0.1)
            raise ZeroDivisionError

    async def handler(request: web.Request) -> web.StreamResponse:
        await ends(desk)
        response = web.StreamResponse(headers=EVENTS)
        await response.prepare(request)
        return response

    async def outside(request: Any, handler: Any) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
        except ZeroDivisionError:
            request.writer.chunked = False
            return web.Response(status=500)
        return response

    app = application(web.get("/", handler), manager=desk)
    app.middlewares.insert(0, web.middleware(outside))
    app.on_response_prepare.append(fails)
    browser = await signed_in(app)
    async with browser, asyncio.timeout(15), browser.get("/") as response:
        assert response.status == 500


async def test_a_whole_response_is_not_watched(desk: AsyncSessionManager) -> None:
    """One that the handler returns goes out at once: each would leave a task behind, for as long as its session."""

    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"data: 1\n\n", headers=EVENTS)

    browser = await signed_in(application(web.get("/", handler), manager=desk))
    async with browser, browser.get("/") as response:
        assert await response.read() == b"data: 1\n\n"
        assert desk.hearing.watches._of == {}


async def writes(write: Write) -> None:
    """Write until it fails."""
    while True:
        await write()
        await asyncio.sleep(0.001)


async def in_a_group(write: Write) -> None:
    """Two tasks do."""
    async with asyncio.TaskGroup() as group:
        group.create_task(writes(write))
        group.create_task(writes(write))


async def a_bug(_write: Write) -> None:
    """It raises what aiohttp does, of another matter."""
    await asyncio.sleep(0.2)
    raise RuntimeError("the application's own bug")


async def a_lost_connection(_write: Write) -> None:
    """That to its database."""
    await asyncio.sleep(0.2)
    raise ConnectionResetError(104, "the database has gone")


async def in_cleanup(write: Write) -> None:
    """After the write failed."""
    try:
        await writes(write)
    except (RuntimeError, ConnectionError):
        raise KeyError("the cleanup's own bug")  # noqa: B904 (as a bug does it)


@pytest.mark.parametrize(
    ("how", "logged"),
    [(writes, False), (in_a_group, False), (a_bug, True), (a_lost_connection, True), (in_cleanup, True)],
    ids=lambda part: getattr(part, "__name__", ""),
)
@pytest.mark.parametrize("kind", ["stream", "websocket"])
async def test_the_applications_own_error_after_the_close_is_logged_and_a_late_write_is_not(
    desk: AsyncSessionManager, caplog: pytest.LogCaptureFixture, kind: str, how: Any, logged: bool
) -> None:
    """Each end of a session would be an error in the log, or no bug at all."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if kind == "stream":
            response = web.StreamResponse(headers=EVENTS)
            await response.prepare(request)
            await ends(desk)
            await how(lambda: response.write(b"data: tick\n\n"))
            return response
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await ends(desk)
        await how(lambda: socket.send_str("tick"))
        return socket

    browser = await signed_in(application(web.get("/", handler), manager=desk))
    with caplog.at_level(logging.ERROR):
        async with browser, asyncio.timeout(15):
            if kind == "stream":
                async with browser.get("/") as response:
                    await response.read()
            else:
                async with browser.ws_connect("/") as socket:
                    while (await socket.receive(timeout=10)).type != WSMsgType.CLOSE:
                        pass
            await asyncio.sleep(0.4)
    assert ("Error handling request" in caplog.text) == logged
