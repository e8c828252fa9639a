"""An application with a page that holds a websocket and a stream of events open; the environment says the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from coatcheck.integrations.starlette import SessionMiddleware, manager_from, session_from

PAGE = """<!doctype html><title>Listening</title>
<form method="post" action="/login"><button>Sign in</button></form>
<p id="socket"></p><p id="stream"></p>
<script>
const say = (id, text) => { document.getElementById(id).textContent = text }
const socket = new WebSocket(`ws://${location.host}/socket`)
socket.onopen = () => say("socket", "open")
socket.onclose = event => say("socket", `closed ${event.code}`)
const stream = new EventSource("/events")
stream.onmessage = event => say("stream", event.data)
stream.onerror = () => { say("stream", `over after ${document.getElementById("stream").textContent}`); stream.close() }
</script>"""


async def home(_: Request) -> Response:
    return HTMLResponse(PAGE)


async def login(request: Request) -> Response:
    session_from(request).login("ada")
    return PlainTextResponse("in")


async def end(request: Request) -> Response:
    """The other device's: ends every session of the user."""
    return PlainTextResponse(str(await manager_from(request).revoke_user("ada")))


async def events(request: Request) -> Response:
    user = session_from(request).user_id

    async def body() -> AsyncIterator[str]:
        yield f"data: hello {user}\n\n"
        await asyncio.sleep(60)

    return StreamingResponse(body(), media_type="text/event-stream")


async def socket(socket: WebSocket) -> None:
    await socket.accept()
    with suppress(WebSocketDisconnect):
        await socket.receive_text()


app = Starlette(
    routes=[
        Route("/", home),
        Route("/login", login, methods=["POST"]),
        Route("/end", end, methods=["POST"]),
        Route("/events", events),
        WebSocketRoute("/socket", socket),
    ],
    middleware=[Middleware(SessionMiddleware)],
)
