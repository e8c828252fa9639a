"""A session library as many are: each request loads the whole session and writes the whole back."""

from __future__ import annotations

import secrets

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bench.races.peers import gate

SESSIONS: dict[str, dict[str, object]] = {}


def _answer(body: object, key: str, session: dict[str, object]) -> JSONResponse:
    SESSIONS[key] = session
    response = JSONResponse(body)
    response.set_cookie("careless", key)
    return response


async def login(_: Request) -> JSONResponse:
    return _answer({}, secrets.token_urlsafe(), {"user": "ada"})


async def logout(request: Request) -> JSONResponse:
    del SESSIONS[request.cookies["careless"]]
    return JSONResponse({})


async def write(request: Request) -> JSONResponse:
    key = request.cookies["careless"]
    session = dict(SESSIONS[key])
    if "gate" in request.query_params:
        await gate.passed()
    session[request.query_params["field"]] = 1
    return _answer({"saw": session["user"]}, key, session)


async def show(request: Request) -> JSONResponse:
    return JSONResponse(gate.shown(SESSIONS.get(request.cookies.get("careless", ""), {})))


async def versions(_: Request) -> JSONResponse:
    return JSONResponse({})


app = Starlette(
    routes=[
        Route("/login", login, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
        Route("/write", write, methods=["POST"]),
        Route("/session", show),
        Route("/versions", versions),
    ]
)
