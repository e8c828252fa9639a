"""Websockets: the session of the handshake, its cookie at the accept, its data at the close."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from coatcheck import AsyncSessionManager
from coatcheck.errors import CoatcheckError
from coatcheck.integrations.asgi import SessionMiddleware, session_from
from tests.integrations.front import ELSEWHERE, NAME, NAVIGATION, ORIGIN, Front, cookie

Endpoint = Callable[[WebSocket], Awaitable[None]]
DENIAL: dict[str, Any] = {"extensions": {"websocket.http.response": {}}}


async def talk(app: Any, headers: dict[str, str], *texts: str, **parts: Any) -> list[dict[str, Any]]:
    """Open a websocket, say those texts and hang up; what the application sent."""
    waiting: list[dict[str, Any]] = [{"type": "websocket.receive", "text": text} for text in texts]
    waiting = [{"type": "websocket.connect"}, *waiting, {"type": "websocket.disconnect", "code": 1000}]
    sent: list[dict[str, Any]] = []
    pairs = [(name.encode(), value.encode()) for name, value in ({"host": "app.example"} | headers).items()]
    scope = {"type": "websocket", "path": "/ws", "scheme": "wss", "query_string": b"", "headers": pairs} | parts

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def served(front: Front, endpoint: Endpoint, **options: Any) -> SessionMiddleware:
    """A bare application with one websocket endpoint."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await endpoint(WebSocket(scope, receive, send))

    return SessionMiddleware(app, front.manager, **options)


def headers_of(message: dict[str, Any], name: bytes) -> list[str]:
    """The values of a header in what an application sent."""
    return [value.decode() for key, value in message.get("headers", []) if key == name]


async def remembers(socket: WebSocket) -> None:
    """Answers who it talks to, and keeps what it is told."""
    session = session_from(socket)
    await socket.accept()
    while True:
        try:
            text = await socket.receive_text()
        except WebSocketDisconnect:
            return
        session["said"] = [*session.get("said", []), text]
        await socket.send_text(f"{session.user_id} {text}")


async def test_the_session_is_there_at_the_handshake_and_its_data_is_committed_at_the_close(desk: Front) -> None:
    """16: one read, one write, however much is said."""
    token = await desk.signed_in()
    sent = await talk(served(desk, remembers), cookie(token), "a", "b")
    assert [message.get("text") for message in sent] == [None, "7 a", "7 b"]
    assert await desk.fields(token) == {"said": ["a", "b"]}
    assert desk.calls == ["load", "commit"]


async def test_a_login_before_the_accept_sets_its_cookie_there(desk: Front) -> None:
    """The accept is the response's start."""

    async def endpoint(socket: WebSocket) -> None:
        session_from(socket).login("7")
        await socket.accept(subprotocol="chat", headers=[(b"x-own", b"1")])
        with pytest.raises(CoatcheckError, match="the response has started"):
            session_from(socket).login("8")
        session_from(socket)["later"] = 1
        await socket.close()

    accept, close = await talk(served(desk, endpoint), {})
    (header,) = headers_of(accept, b"set-cookie")
    assert header.startswith(f"{NAME}=")
    assert headers_of(accept, b"cache-control") == ["no-store"]
    assert headers_of(accept, b"x-own") == ["1"]
    assert accept["subprotocol"] == "chat"
    assert close["type"] == "websocket.close"
    assert await desk.fields(header.partition("=")[2].partition(";")[0]) == {"later": 1}


async def test_a_loop_that_ends_by_the_disconnect_has_not_failed(desk: Front) -> None:
    """The usual `while True: await receive_text()` leaves by `WebSocketDisconnect`; what it wrote counts."""
    token = await desk.stored()

    async def endpoint(socket: WebSocket) -> None:
        await socket.accept()
        while True:
            session_from(socket)["said"] = await socket.receive_text()

    with pytest.raises(WebSocketDisconnect):
        await talk(served(desk, endpoint), cookie(token), "a")
    assert (await desk.fields(token))["said"] == "a"


async def test_a_fault_in_an_open_websocket_drops_its_data_but_not_its_logout(desk: Front) -> None:
    """16: as for a stream."""
    kept, ended = await desk.stored(cart=1), await desk.stored(cart=1)

    async def endpoint(socket: WebSocket) -> None:
        session = session_from(socket)
        await socket.accept()
        session["cart"] = 2
        if await socket.receive_text() == "out":
            session.logout()
        raise ZeroDivisionError

    for token, text in ((kept, "stay"), (ended, "out")):
        with pytest.raises(ZeroDivisionError):
            await talk(served(desk, endpoint), cookie(token), text)
    assert await desk.fields(kept) == {"cart": 1}
    assert not await desk.lives(ended)


async def test_a_session_revoked_while_its_websocket_is_open_stays_ended(desk: Front) -> None:
    """2: the write at the close is late."""
    token = await desk.signed_in()

    async def endpoint(socket: WebSocket) -> None:
        await socket.accept()
        await desk.aside.revoke(token[:22])
        session_from(socket)["cart"] = 1

    await talk(served(desk, endpoint), cookie(token))
    assert not await desk.lives(token)
    assert len(desk.told("late_write")) == 1


# -- refused handshakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [{}, {"method": "CONNECT"}, {"method": "GET"}, DENIAL], ids=str)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": ELSEWHERE},
        {"origin": "null"},
        {"origin": "https://app.example.evil.example"},
        {"origin": "http://app.example"},
        {"origin": "wss://app.example"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "websocket"},
        {"sec-fetch-site": "same-site", "origin": "https://sub.app.example"},
    ],
    ids=lambda headers: headers.get("origin", "fetch metadata"),
)
async def test_a_handshake_from_elsewhere_is_refused_before_the_application(
    desk: Front, headers: dict[str, str], parts: dict[str, Any]
) -> None:
    """ASVS 4.4.2: cookies come along and no preflight protects; whatever method the handshake has."""

    async def endpoint(socket: WebSocket) -> None:
        raise AssertionError("the application was called")

    token = await desk.signed_in()
    sent = await talk(served(desk, endpoint), cookie(token) | headers, **parts)
    if parts is DENIAL:
        assert sent[0]["type"] == "websocket.http.response.start"
        assert sent[0]["status"] == 403
        assert b"another site" in sent[1]["body"]
    else:
        assert sent == [{"type": "websocket.close", "code": 1008}]
    assert desk.calls == []
    assert len(desk.told("csrf_refused")) == 1


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": ORIGIN}, {"origin": "https://front.example"}, {"sec-fetch-site": "same-origin", "origin": ORIGIN}],
    ids=["none", "own", "trusted", "metadata"],
)
@pytest.mark.parametrize("csrf", ["origin", "token"])
async def test_a_handshake_from_here_a_trusted_origin_or_no_browser_is_served(
    desk: Front, headers: dict[str, str], csrf: Any
) -> None:
    """Nobody can put a form's token into a handshake: its origin is what counts in every mode."""
    token = await desk.signed_in()
    app = served(desk, remembers, csrf=csrf, trusted_origins=["https://front.example"])
    assert (await talk(app, cookie(token) | headers, "a"))[1]["text"] == "7 a"


@pytest.mark.parametrize("options", [{"csrf": "off"}, {"csrf": "report"}, {"csrf_exempt": ["/ws"]}], ids=str)
async def test_the_check_is_off_where_the_settings_say_so(desk: Front, options: dict[str, Any]) -> None:
    """The same settings as for requests."""
    sent = await talk(served(desk, remembers, **options), {"origin": ELSEWHERE}, "a")
    assert sent[1]["text"] == "None a"


@pytest.mark.parametrize("parts", [{}, DENIAL], ids=["close", "response"])
async def test_a_store_that_is_down_refuses_the_handshake(tmp_path: Path, parts: dict[str, Any]) -> None:
    """11: closed with "try again later", or answered 503; never served anonymously."""
    (tmp_path / "sessions.db").write_bytes(b"this is no database, but long enough to be read as one " * 20)
    front = Front(store=f"sqlite:///{tmp_path}/sessions.db")
    token = await Front().signed_in()
    sent = await talk(served(front, remembers), cookie(token), "a", **parts)
    if parts:
        assert sent[0]["status"] == 503
        assert headers_of(sent[0], b"retry-after")
    else:
        assert sent == [{"type": "websocket.close", "code": 1013}]
    assert headers_of(sent[0], b"set-cookie") == []
    await front.aclose()


@pytest.mark.parametrize("how", ["close", "return"])
async def test_a_login_in_a_handshake_that_the_application_refuses_does_not_happen(desk: Front, how: str) -> None:
    """No cookie can go out with a close: the old session must not end for a new one that nobody holds."""
    token = await desk.stored(cart=1)

    async def endpoint(socket: WebSocket) -> None:
        session_from(socket).login("7")
        if how == "close":
            await socket.close(1008)

    await talk(served(desk, endpoint), cookie(token))
    assert await desk.fields(token) == {"cart": 1}
    assert await desk.sessions() == 1


async def test_a_denial_response_carries_the_cookie_like_any_response(desk: Front) -> None:
    """Where the server can answer a handshake with a page, a logout's deletion goes with it."""
    token = await desk.signed_in()

    async def endpoint(socket: WebSocket) -> None:
        session_from(socket).logout()
        await socket.send_denial_response(Response("bye", 403))

    start, body = await talk(served(desk, endpoint), cookie(token) | NAVIGATION, **DENIAL)
    assert (start["status"], body["body"]) == (403, b"bye")
    assert headers_of(start, b"set-cookie")[0].startswith(f"{NAME}=; Max-Age=0")
    assert not await desk.lives(token)


def test_through_starlettes_test_client() -> None:
    """Handshake, cookie and data, as an application's own tests see them."""
    desk = Front()

    async def endpoint(socket: WebSocket) -> None:
        socket.session["visits"] = socket.session.get("visits", 0) + 1
        await socket.accept()
        await socket.send_json(dict(socket.session))
        await socket.close()

    stack = [Middleware(SessionMiddleware, manager=desk.manager)]
    client = TestClient(Starlette(routes=[WebSocketRoute("/ws", endpoint)], middleware=stack))
    for visits in (1, 2):
        with client.websocket_connect("/ws") as socket:
            assert socket.receive_json() == {"visits": visits}
            headers: Any = socket.extra_headers
            for header in headers:
                if header[0] == b"set-cookie":
                    client.cookies.set(*header[1].decode().partition(";")[0].split("=", 1))
    elsewhere = {"origin": ELSEWHERE}
    with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/ws", headers=elsewhere):
        pass
    assert refused.value.status_code == 403


async def test_a_browsers_handshake_on_localhost_has_the_pages_session(desk: Front) -> None:
    """Chromium sends its Secure cookie there and no Sec-Fetch header; a test client sends the other cookie."""
    token = await desk.signed_in()

    async def who(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(str(session_from(socket).user_id))

    for name in (NAME, "coatcheck-insecure"):
        headers = {"host": "localhost:8000", "origin": "http://localhost:8000", "cookie": f"{name}={token}"}
        sent = await talk(served(desk, who), headers, scheme="ws")
        assert sent[-1]["text"] == "7"


# -- under another event loop --------------------------------------------------------------------------------


def test_without_asyncio_a_write_and_a_websocket_work() -> None:
    """Starlette's test client runs on trio if one asks it to: with a store in memory nothing here needs asyncio."""
    manager = AsyncSessionManager("memory://", namespace="trio", secret="one-that-guards-nothing-for-tests-alone")

    async def endpoint(socket: WebSocket) -> None:
        session_from(socket)["seen"] = 1
        await socket.accept()
        await socket.close()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await endpoint(WebSocket(scope, receive, send))

    middleware = SessionMiddleware(app, manager)
    talking = talk(middleware, {})
    with pytest.raises(StopIteration) as over:  # noqa: PT012 (any of its steps may be the last)
        while True:
            talking.send(None)  # as a loop that is nobody's
    accept, close = over.value.value
    assert headers_of(accept, b"set-cookie")
    assert close["type"] == "websocket.close"
