"""The kit's application in Litestar: what `coatcheck.testing.AppContract` asks for. The environment says the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, Request, WebSocket, get, post, route, websocket
from litestar.di import NamedDependency, Provide
from litestar.exceptions import PermissionDeniedException
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from coatcheck import Session
from coatcheck.integrations.litestar import (
    SessionConfig,
    manager_from,
    provide_session,
    session_from,
    ticket_from,
    ticket_gate,
)
from coatcheck.testing.latch import passed
from tests.apps.ticking import TYPE, quiet

sessions = SessionConfig()


@get("/me")
async def me(session: NamedDependency[Session]) -> dict[str, Any]:
    return {"user": session.user_id, "fields": dict(session)}


@get("/page", media_type="text/plain")
async def page() -> str:
    return "the same for everybody"


@post(["/login/{user:str}", "/login-slowly/{user:str}"], status_code=200)
async def login(session: NamedDependency[Session], user: FromPath[str], latch: FromQuery[int] = 0) -> str:
    if latch:
        await passed(latch)
    session.login(user)
    return "ok"


@post("/logout", status_code=200)
async def logout(request: Request[Any, Any, Any]) -> str:
    request.clear_session()
    return "ok"


@post("/fail-out")
async def fail_out(request: Request[Any, Any, Any]) -> str:
    request.clear_session()
    raise ZeroDivisionError


@post("/rotate", status_code=200)
async def rotate(session: NamedDependency[Session]) -> str:
    session.rotate()
    return "ok"


@post("/{verb:str}/{name:str}/{value:str}", status_code=200)
async def write(
    request: Request[Any, Any, Any],
    verb: FromPath[str],
    name: FromPath[str],
    value: FromPath[str],
    latch: FromQuery[int] = 0,
) -> str:
    request.session.get(name)
    if latch:
        await passed(latch)
    request.session[name] = value
    if verb == "fail":
        raise ZeroDivisionError
    if verb == "refuse":
        raise PermissionDeniedException
    return "done"


@post("/stream/{name:str}/{value:str}", status_code=200)
async def stream(session: NamedDependency[Session], name: FromPath[str], value: FromPath[str]) -> Stream:
    async def body() -> AsyncIterator[str]:
        yield "started "
        session[name] = value
        yield "written"

    return Stream(body())


@get("/events")
async def events() -> Stream:
    return Stream(quiet(), media_type=TYPE)


@websocket("/socket")
async def socket(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    while True:
        await socket.send_text(await socket.receive_text())


@get("/ticket", media_type="text/plain")
async def ticket(request: Request[Any, Any, Any]) -> str:
    tickets = manager_from(request).tickets
    return await tickets.issue("download", {"file": "a.txt"}, session=session_from(request))


@route(
    "/download",
    http_method=["GET", "HEAD", "POST"],
    middleware=[ticket_gate()],
    media_type="text/plain",
    status_code=200,
)
async def download(request: Request[Any, Any, Any]) -> str:
    file: str = ticket_from(request).claims["file"]
    return file


app = Litestar(
    [me, page, login, logout, fail_out, rotate, write, stream, events, socket, ticket, download],
    dependencies={"session": Provide(provide_session)},
    on_app_init=[sessions.on_app_init],
)
