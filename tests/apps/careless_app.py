"""The kit's application over Starlette's own signed cookie: what the kit has to find wanting."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from coatcheck.testing.latch import passed

OK = PlainTextResponse("ok")


async def me(request: Request) -> Response:
    fields = {name: value for name, value in request.session.items() if name != "user"}
    return JSONResponse({"user": request.session.get("user"), "fields": fields})


async def page(request: Request) -> Response:
    request.session.setdefault("visits", "1")
    return OK


async def login(request: Request) -> Response:
    if latch := request.query_params.get("latch"):
        await passed(int(latch))
    request.session["user"] = request.path_params["user"]
    return OK


async def logout(request: Request) -> Response:
    request.session.clear()
    if request.url.path == "/fail-out":
        raise ZeroDivisionError
    return OK


async def write(request: Request) -> Response:
    names = request.path_params
    if latch := request.query_params.get("latch"):
        await passed(int(latch))
    request.session[names["name"]] = names["value"]
    return PlainTextResponse("done", {"fail": 500, "refuse": 403}.get(names["verb"], 200))


async def stream(request: Request) -> Response:
    names = request.path_params

    async def body() -> AsyncIterator[str]:
        yield "started "
        request.session[names["name"]] = names["value"]
        yield "written"

    return StreamingResponse(body())


async def ticket(_: Request) -> Response:
    return PlainTextResponse("any")


async def download(_: Request) -> Response:
    return PlainTextResponse("a.txt")


app = Starlette(
    routes=[
        Route("/me", me),
        Route("/page", page),
        Route("/login/{user}", login, methods=["POST"]),
        Route("/login-slowly/{user}", login, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
        Route("/fail-out", logout, methods=["POST"]),
        Route("/rotate", ticket, methods=["POST"]),
        Route("/stream/{name}/{value}", stream, methods=["POST"]),
        Route("/{verb}/{name}/{value}", write, methods=["POST"]),
        Route("/ticket", ticket),
        Route("/download", download),
    ],
    middleware=[
        Middleware(SessionMiddleware, secret_key=os.environ["COATCHECK_SECRET"], session_cookie="__Host-coatcheck"),
    ],
)
