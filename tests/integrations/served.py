"""The application that the tests run on a real server; its store is the environment's."""

from __future__ import annotations

import os
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from coatcheck.integrations.gate import TicketGate, ticket_from
from coatcheck.integrations.starlette import SessionMiddleware, manager_from, session_from

CONTENT = b"%PDF" * 10_000
CSRF: Any = os.environ.get("CSRF", "origin")


async def login(request: Request) -> Response:
    """Sign in as whoever the path says."""
    session_from(request).login(request.path_params["user"])
    return PlainTextResponse("in")


async def logout(request: Request) -> Response:
    """Sign out."""
    session_from(request).logout()
    return PlainTextResponse("out")


async def me(request: Request) -> Response:
    """Who one is, what the session holds, its CSRF token, and which process said so."""
    session = session_from(request)
    headers = {"x-process": str(os.getpid()), "x-csrf": session.csrf_token}
    return PlainTextResponse(f"{session.user_id} {dict(session)}", headers=headers)


async def upload(request: Request) -> Response:
    """How many bytes came."""
    count = 0
    async for chunk in request.stream():
        count += len(chunk)
    return PlainTextResponse(str(count))


async def ask(request: Request) -> Response:
    """A ticket for the file."""
    claims, session = {"file": "a.pdf"}, session_from(request)
    return PlainTextResponse(await manager_from(request).tickets.issue("download", claims, session=session))


async def send_file(scope: Any, receive: Any, send: Any) -> None:
    """The file."""
    assert ticket_from(scope).claims == {"file": "a.pdf"}
    await Response(CONTENT, media_type="application/pdf")(scope, receive, send)


async def chat(socket: WebSocket) -> None:
    """Signs in where the path says so, and remembers what it is told."""
    session = session_from(socket)
    if socket.url.path == "/chat/in":
        session.login("7")
    await socket.accept()
    try:
        while True:
            session["said"] = [*session.get("said", []), await socket.receive_text()]
            await socket.send_text(f"{session.user_id} {len(session['said'])}")
    except WebSocketDisconnect:
        pass


app = Starlette(
    routes=[
        Route("/login/{user}", login, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
        Route("/me", me),
        Route("/upload", upload, methods=["POST"]),
        Route("/ask", ask),
        Route("/download", TicketGate(send_file)),
        WebSocketRoute("/chat", chat),
        WebSocketRoute("/chat/in", chat),
    ],
    middleware=[Middleware(SessionMiddleware, csrf=CSRF)],
)
