"""Coatcheck in Starlette, as its README sets it up."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from coatcheck.integrations.starlette import SessionMiddleware, session_from

from . import gate

ON_REDIS = os.environ["RACES_STORE"] == "redis"


async def login(request: Request) -> JSONResponse:
    session_from(request).login("ada")
    return JSONResponse({})


async def logout(request: Request) -> JSONResponse:
    session_from(request).logout()
    return JSONResponse({})


async def write(request: Request) -> JSONResponse:
    session = session_from(request)
    saw = session.user_id
    if "gate" in request.query_params:
        await gate.passed()
    session[request.query_params["field"]] = 1
    return JSONResponse({"saw": saw})


async def show(request: Request) -> JSONResponse:
    session = session_from(request)
    return JSONResponse(gate.shown({**session, "user": session.user_id}))


async def versions(_: Request) -> JSONResponse:
    drivers = ["redis"] if ON_REDIS else []
    return JSONResponse(gate.versions("coatcheck", "starlette", *drivers, "uvicorn"))


app = Starlette(
    routes=[
        Route("/login", login, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
        Route("/write", write, methods=["POST"]),
        Route("/session", show),
        Route("/versions", versions),
    ],
    middleware=[
        Middleware(
            SessionMiddleware,
            store=gate.REDIS if ON_REDIS else f"sqlite:///{gate.FOLDER}/sessions.db",
            secret=gate.SECRET if ON_REDIS else None,
        )
    ],
)
