"""The kit's application in Starlette: what `coatcheck.testing.AppContract` asks for. The environment says the store."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from coatcheck.integrations.gate import TicketGate, ticket_from
from coatcheck.integrations.starlette import SessionMiddleware, manager_from, session_from
from coatcheck.testing.latch import passed
from tests.apps.ticking import TYPE, quiet

OK = PlainTextResponse("ok")


async def me(request: Request) -> Response:
    session = session_from(request)
    return JSONResponse({"user": session.user_id, "fields": dict(session)})


async def page(_: Request) -> Response:
    return PlainTextResponse("the same for everybody")


async def login(request: Request) -> Response:
    if latch := request.query_params.get("latch"):
        await passed(int(latch))
    session_from(request).login(request.path_params["user"])
    return OK


async def logout(request: Request) -> Response:
    session_from(request).logout()
    if request.url.path == "/fail-out":
        raise ZeroDivisionError
    return OK


async def rotate(request: Request) -> Response:
    session_from(request).rotate()
    return OK


async def write(request: Request) -> Response:
    session, names = session_from(request), request.path_params
    session.get(names["name"])
    if latch := request.query_params.get("latch"):
        await passed(int(latch))
    session[names["name"]] = names["value"]
    if names["verb"] == "fail":
        raise ZeroDivisionError
    return PlainTextResponse("done", 403 if names["verb"] == "refuse" else 200)


async def stream(request: Request) -> Response:
    session, names = session_from(request), request.path_params

    async def body() -> AsyncIterator[str]:
        yield "started "
        session[names["name"]] = names["value"]
        yield "written"

    return StreamingResponse(body())


async def events(_: Request) -> Response:
    return StreamingResponse(quiet(), media_type=TYPE)


async def socket(socket: WebSocket) -> None:
    await socket.accept()
    while True:
        await socket.send_text(await socket.receive_text())


async def ticket(request: Request) -> Response:
    tickets = manager_from(request).tickets
    return PlainTextResponse(await tickets.issue("download", {"file": "a.txt"}, session=session_from(request)))


async def download(request: Request) -> Response:
    return PlainTextResponse(ticket_from(request).claims["file"])


app = Starlette(
    routes=[
        Route("/me", me),
        Route("/page", page),
        Route("/login/{user}", login, methods=["POST"]),
        Route("/login-slowly/{user}", login, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
        Route("/fail-out", logout, methods=["POST"]),
        Route("/rotate", rotate, methods=["POST"]),
        Route("/stream/{name}/{value}", stream, methods=["POST"]),
        Route("/{verb}/{name}/{value}", write, methods=["POST"]),
        Route("/events", events),
        WebSocketRoute("/socket", socket),
        Route("/ticket", ticket),
        Route("/download", download, middleware=[Middleware(TicketGate)]),
    ],
    middleware=[Middleware(SessionMiddleware)],
)
