"""Litestar's server-side sessions on its Redis store, as its documentation sets them up."""

# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request, get, post
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.stores.redis import RedisStore

from . import gate


async def login(request: Request[Any, Any, Any]) -> dict[str, Any]:
    request.set_session({"user": "ada"})
    return {}


async def logout(request: Request[Any, Any, Any]) -> dict[str, Any]:
    request.clear_session()
    return {}


async def write(request: Request[Any, Any, Any]) -> dict[str, Any]:
    saw = request.session.get("user")
    if "gate" in request.query_params:
        await gate.passed()
    request.session[request.query_params["field"]] = 1
    return {"saw": saw}


async def show(request: Request[Any, Any, Any]) -> dict[str, Any]:
    return gate.shown(request.session)


async def versions() -> dict[str, str]:
    return gate.versions("litestar", "redis", "uvicorn")


app = Litestar(
    [
        post("/login")(login),
        post("/logout")(logout),
        post("/write")(write),
        get("/session")(show),
        get("/versions")(versions),
    ],
    middleware=[ServerSideSessionConfig().middleware],
    stores={"sessions": RedisStore.with_client(url=gate.REDIS)},
)
