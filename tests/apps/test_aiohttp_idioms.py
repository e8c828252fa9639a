"""aiohttp: what is its own. HTTP exceptions, streams, websockets, clients that hang up, middleware around ours."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import ClientPayloadError, FormData, WSMsgType, WSServerHandshakeError, web

from coatcheck import Event
from coatcheck.errors import CoatcheckError, ConfigurationError, ReauthenticationRequired, StoreUnavailable
from coatcheck.integrations.aiohttp import manager_from, session_from, setup
from tests.apps.aiohttp_tools import Held, application, client, login, manager, me, post, seen

NAME = "coatcheck-insecure"


# -- HTTP exceptions -----------------------------------------------------------------------------------------


async def test_a_redirect_that_is_raised_is_a_response_like_any_other() -> None:
    """As logins are written in aiohttp; and an error that is raised drops what was written, but not a logout."""

    async def sign_in(request: web.Request) -> web.Response:
        session_from(request).login("ada")
        raise web.HTTPFound("/me")

    async def broken(request: web.Request) -> web.Response:
        session_from(request)["lost"] = 1
        raise web.HTTPBadGateway

    async def out(request: web.Request) -> web.Response:
        session_from(request).logout()
        raise web.HTTPServiceUnavailable

    app = application(web.post("/in", sign_in), web.post("/broken", broken), web.post("/out", out))
    async with client(app) as browser:
        assert (await post(browser, "/in"))[0] == 302
        assert await seen(browser) == ["ada", {}]
        assert (await post(browser, "/broken"))[0] == 502
        assert await seen(browser) == ["ada", {}]
        async with browser.post("/out") as response:
            assert response.status == 503
            assert response.cookies[NAME]["max-age"] == "0"
        assert await seen(browser) == [None, {}]


@pytest.mark.parametrize("fault", [StoreUnavailable("gone"), ReauthenticationRequired("once more")])
async def test_what_a_handler_lets_through_is_answered(fault: CoatcheckError) -> None:
    """11: 503 or 401, in plain words; aiohttp's own pages have their sessions, too."""

    async def handler(_: web.Request) -> web.Response:
        raise fault

    async with client(application(web.get("/", handler))) as browser:
        async with browser.get("/", headers={"accept": "text/html"}) as response:
            assert response.status == (503 if isinstance(fault, StoreUnavailable) else 401)
            assert response.content_type == "text/html"
        async with browser.post("/nowhere", headers={"origin": "https://evil.example"}) as response:
            assert response.status == 403
        async with browser.get("/nowhere") as response:
            assert response.status == 404


# -- what the handler starts itself --------------------------------------------------------------------------


@pytest.mark.parametrize("caught", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
async def test_a_stream_whose_commit_is_refused_does_not_go_out(caught: bool, compressed: bool) -> None:
    """4: 401, whole and readable, in place of a chunked page that welcomes; also where the handler goes on."""
    sessions = manager()

    async def stream(request: web.Request) -> web.StreamResponse:
        session_from(request).login("ada")
        await sessions.revoke_user("ada")
        response = web.StreamResponse()
        if compressed:
            response.enable_compression(web.ContentCoding.gzip)
        try:
            await response.prepare(request)
        except ReauthenticationRequired:
            if not caught:
                raise
            return web.Response(text="welcome")
        await response.write(b"welcome")
        return response

    async with client(application(web.post("/", stream), manager=sessions)) as browser:
        status, text = await post(browser, "/")
        assert status == 401
        assert "sign in again" in text.lower()
        assert await seen(browser) == [None, {}]


async def test_a_stream_has_its_cookie_at_the_start_and_its_data_at_the_end() -> None:
    """16: a login before the first byte; after it, `login` raises, data is stored, an error drops it."""

    async def stream(request: web.Request) -> web.StreamResponse:
        session = session_from(request)
        session.login("ada")
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"started ")
        with pytest.raises(CoatcheckError, match="the response has started"):
            session.login("bob")
        session["word"] = request.query["word"]
        if request.query["word"] == "lost":
            raise ZeroDivisionError
        return response

    async with client(application(web.post("/", stream))) as browser:
        assert await post(browser, "/?word=kept") == (200, "started ")
        assert await seen(browser) == ["ada", {"word": "kept"}]
        async with browser.post("/?word=lost") as response:
            with pytest.raises(ClientPayloadError):
                await response.read()
        assert await seen(browser) == ["ada", {"word": "kept"}]


async def talk(request: web.Request) -> web.WebSocketResponse:
    """Writes each word; "out" signs out, "raise" raises."""
    session, socket = session_from(request), web.WebSocketResponse()
    session["opened"] = True
    await socket.prepare(request)
    await socket.send_str(str(session.user_id))
    async for message in socket:
        if message.data == "out":
            session.logout()
        elif message.data == "raise":
            raise ZeroDivisionError
        else:
            session["word"] = message.data
        await socket.send_str(message.data)
    return socket


async def test_a_websocket_has_the_session_of_its_handshake() -> None:
    """14, 16: a cookie at the handshake, data at the end, an error drops data, a logout happens, and another site's
    page gets none."""
    async with client(application(web.get("/ws", talk))) as browser:
        async with browser.ws_connect("/ws") as socket:
            assert await socket.receive_str() == "None"
        assert await seen(browser) == [None, {"opened": True}]
        await post(browser, "/login/ada")
        async with browser.ws_connect("/ws") as socket:
            assert await socket.receive_str() == "ada"
            await socket.send_str("hello")
            await socket.receive_str()
        assert await seen(browser) == ["ada", {"opened": True, "word": "hello"}]
        async with browser.ws_connect("/ws") as socket:
            await socket.receive_str()
            await socket.send_str("lost")
            await socket.receive_str()
            await socket.send_str("raise")
            assert (await socket.receive()).type in (WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.ERROR)
        assert await seen(browser) == ["ada", {"opened": True, "word": "hello"}]
        with pytest.raises(WSServerHandshakeError, match="403"):
            await browser.ws_connect("/ws", headers={"origin": "https://evil.example"})
        origin = f"http://{browser.host}:{browser.port}"
        async with browser.ws_connect("/ws", headers={"origin": origin}) as socket:
            await socket.receive_str()
            await socket.send_str("out")
            await socket.receive_str()
        assert await seen(browser) == [None, {}]


# -- clients that hang up ------------------------------------------------------------------------------------


async def hang_up(browser: Any, path: str, when: asyncio.Event) -> None:
    """Send a form, and close the connection when the server has come so far."""
    cookies = "; ".join(f"{one.key}={one.value}" for one in browser.session.cookie_jar)
    _, writer = await asyncio.open_connection(browser.host, browser.port)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: {browser.host}\r\nCookie: {cookies}\r\n\r\n".encode())
    await when.wait()
    writer.close()
    await writer.wait_closed()


async def test_a_logout_happens_though_the_client_hangs_up() -> None:
    """16: aiohttp cancels the handler in its middle; what it wrote is dropped, its logout is not."""
    store, cancelled = Held(), asyncio.Event()
    waits = asyncio.Event()

    async def out(request: web.Request) -> web.Response:
        session_from(request).logout()
        waits.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    sessions = manager(store)
    ended = _noted(sessions, "ended")
    async with client(application(web.post("/out", out), manager=sessions)) as browser:
        await post(browser, "/login/ada")
        await hang_up(browser, "/out", waits)
        await cancelled.wait()
        await store.began.wait()
        store.go.set()
        await ended.wait()
        assert await seen(browser) == [None, {}]


async def test_a_logout_that_has_begun_is_not_cancelled_half_way() -> None:
    """16: the client hangs up while the store works on it; the request is cancelled, and the store is not."""
    store, asked = Held(), list[web.Request]()

    async def out(request: web.Request) -> web.Response:
        asked.append(request)
        session_from(request).logout()
        return web.Response()

    sessions = manager(store)
    ended = _noted(sessions, "ended")
    async with client(application(web.post("/out", out), manager=sessions)) as browser:
        await post(browser, "/login/ada")
        await hang_up(browser, "/out", store.began)
        while asked[0].transport is not None:  # noqa: ASYNC110 (aiohttp tells nobody)
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        store.go.set()
        await ended.wait()
        assert not store.cancelled.is_set()
        assert await seen(browser) == [None, {}]


def _noted(sessions: Any, name: str) -> asyncio.Event:
    happened = asyncio.Event()

    def note(event: Event) -> None:
        if event.name == name:
            happened.set()

    sessions.subscribe(note)
    return happened


# -- around ours, and in it ----------------------------------------------------------------------------------


async def test_middleware_around_ours_may_clone_the_request_and_replace_the_response() -> None:
    """As aiohttp-remotes and pages for errors do: the cookie goes out with whatever does."""

    @web.middleware
    async def around(request: web.Request, handler: Any) -> web.StreamResponse:
        await handler(request.clone(remote="192.0.2.7"))
        return web.Response(text="another", status=404)

    sessions = manager()
    app = application(manager=sessions)
    app.middlewares.insert(0, around)
    async with client(app) as browser:
        assert await post(browser, "/login/ada") == (404, "another")
        (info,) = await sessions.sessions("ada")
        assert info.client.ip == "192.0.2.7"
        assert NAME in {one.key for one in browser.session.cookie_jar}


async def test_a_login_in_middleware_around_ours_is_told_that_it_comes_too_late() -> None:
    """It would be lost without a word."""

    @web.middleware
    async def around(request: web.Request, handler: Any) -> web.StreamResponse:
        response: web.StreamResponse = await handler(request)
        with pytest.raises(CoatcheckError, match="the response has started"):
            session_from(request).login("ada")
        return response

    app = application()
    app.middlewares.insert(0, around)
    async with client(app) as browser:
        assert await seen(browser) == [None, {}]


async def test_an_application_in_an_application_shares_its_sessions() -> None:
    """Set up in the outer one, in the inner one, or in both alike; set up differently in both, it is named."""
    sessions = manager()
    inner, other, bare = web.Application(), web.Application(), web.Application()
    setup(inner, sessions)
    setup(other, manager())
    for app in (inner, other, bare):
        app.add_routes([web.get("/me", me), web.post("/login/{user}", login)])
    outer = application(manager=sessions)
    outer.add_subapp("/inner", inner)
    outer.add_subapp("/other", other)
    outer.add_subapp("/bare", bare)
    async with client(outer) as browser:
        await post(browser, "/inner/login/ada")
        await post(browser, "/bare/login/bob")
        assert await seen(browser) == ["bob", {}]
        async with browser.get("/other/me") as response:
            assert response.status == 500


async def test_settings_that_cannot_be_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """At start-up."""
    monkeypatch.delenv("COATCHECK_SECRET", raising=False)
    app = application()
    with pytest.raises(ConfigurationError, match="before"):
        setup(app, manager())
    with pytest.raises(ConfigurationError, match="belong to the manager"):
        setup(web.Application(), manager(), store="memory://")
    with pytest.raises(ConfigurationError, match="keygen"):
        setup(web.Application(), store="redis://127.0.0.1:1/0")
    with pytest.raises(ConfigurationError, match="call setup"):
        manager_from(web.Application())
    assert manager_from(app).namespace == "coatcheck"


async def test_an_excluded_path_has_no_session_and_is_shut_to_other_sites() -> None:
    """A webhook is in `csrf_exempt`."""

    async def hook(request: web.Request) -> web.Response:
        with pytest.raises(ConfigurationError, match="exclude="):
            session_from(request)
        return web.Response()

    async with client(application(web.post("/hook", hook), exclude=["/hook"])) as browser:
        assert (await post(browser, "/hook"))[0] == 200
        assert (await post(browser, "/hook", headers={"origin": "https://evil.example"}))[0] == 403


@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
@pytest.mark.parametrize("size", [10, 300_000])
async def test_a_form_token_is_found_and_the_handler_reads_the_whole_body(kind: str, size: int) -> None:
    """14: without keeping an upload in memory."""

    async def token(request: web.Request) -> web.Response:
        return web.Response(text=session_from(request).csrf_token)

    async def save(request: web.Request) -> web.Response:
        form = await request.post()
        return web.Response(text=str(len(str(form["text"]))))

    async with client(application(web.get("/token", token), web.post("/", save), csrf="token")) as browser:
        await post(browser, "/login/ada")
        async with browser.get("/token") as response:
            shown = await response.text()

        def form(token: str) -> FormData:
            data = FormData()
            # What says its type is sent as multipart.
            data.add_field("_csrf", token, content_type="text/plain" if kind == "multipart" else None)
            data.add_field("text", "x" * size)
            return data

        assert await post(browser, "/", data=form(shown)) == (200, str(size))
        assert (await post(browser, "/", data=form("wrong")))[0] == 403
        assert (await post(browser, "/"))[0] == 403
        assert await post(browser, "/", data={"text": "abc"}, headers={"x-coatcheck-csrf": shown}) == (200, "3")
