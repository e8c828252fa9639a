"""aiohttp-session on Redis, as its documentation sets it up, on aiohttp's own server."""

# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

import socket

import aiohttp_session
from aiohttp import web
from aiohttp_session.redis_storage import RedisStorage
from redis.asyncio import Redis

from . import gate


async def login(request: web.Request) -> web.Response:
    session = await aiohttp_session.new_session(request)
    session["user"] = "ada"
    return web.json_response({})


async def logout(request: web.Request) -> web.Response:
    session = await aiohttp_session.get_session(request)
    session.invalidate()
    return web.json_response({})


async def write(request: web.Request) -> web.Response:
    session = await aiohttp_session.get_session(request)
    saw = session.get("user")
    if "gate" in request.query:
        await gate.passed()
    session[request.query["field"]] = 1
    return web.json_response({"saw": saw})


async def show(request: web.Request) -> web.Response:
    return web.json_response(gate.shown(await aiohttp_session.get_session(request)))


async def versions(_: web.Request) -> web.Response:
    return web.json_response(gate.versions("aiohttp-session", "aiohttp", "redis"))


def main() -> None:
    app = web.Application()
    aiohttp_session.setup(app, RedisStorage(Redis.from_url(gate.REDIS)))
    for post in (login, logout, write):
        app.router.add_post(f"/{post.__name__}", post)
    app.router.add_get("/session", show)
    app.router.add_get("/versions", versions)
    web.run_app(app, sock=socket.socket(fileno=gate.FD), print=None)


if __name__ == "__main__":
    main()
