"""starsessions in Starlette, as its README sets it up, with its autoload middleware."""

# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starsessions import SessionAutoloadMiddleware, SessionMiddleware
from starsessions.session import regenerate_session_id
from starsessions.stores.redis import RedisStore

from . import gate


async def login(request: Request) -> JSONResponse:
    regenerate_session_id(request)
    request.session["user"] = "ada"
    return JSONResponse({})


async def logout(request: Request) -> JSONResponse:
    request.session.clear()
    return JSONResponse({})


async def write(request: Request) -> JSONResponse:
    saw = request.session.get("user")
    if "gate" in request.query_params:
        await gate.passed()
    request.session[request.query_params["field"]] = 1
    return JSONResponse({"saw": saw})


async def show(request: Request) -> JSONResponse:
    return JSONResponse(gate.shown(request.session))


async def versions(_: Request) -> JSONResponse:
    return JSONResponse(gate.versions("starsessions", "starlette", "redis", "uvicorn"))


app = Starlette(
    routes=[
        Route("/login", login, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
        Route("/write", write, methods=["POST"]),
        Route("/session", show),
        Route("/versions", versions),
    ],
    middleware=[
        Middleware(SessionMiddleware, store=RedisStore(connection=Redis.from_url(gate.REDIS)), lifetime=3600 * 24 * 14),
        Middleware(SessionAutoloadMiddleware),
    ],
)
