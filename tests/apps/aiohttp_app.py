"""The kit's application in aiohttp: what `coatcheck.testing.AppContract` asks for. The environment says the store."""

from __future__ import annotations

import os
import socket

from aiohttp import web

from coatcheck.integrations.aiohttp import manager_from, session_from, setup, ticket_from, ticket_gate
from coatcheck.testing.latch import passed
from tests.apps.ticking import TYPE, quiet

routes = web.RouteTableDef()


@routes.get("/me")
async def me(request: web.Request) -> web.Response:
    session = session_from(request)
    return web.json_response({"user": session.user_id, "fields": dict(session)})


@routes.get("/page")
async def page(_: web.Request) -> web.Response:
    return web.Response(text="the same for everybody")


@routes.post("/login/{user}")
@routes.post("/login-slowly/{user}")
async def login(request: web.Request) -> web.Response:
    if latch := request.query.get("latch"):
        await passed(int(latch))
    session_from(request).login(request.match_info["user"])
    return web.Response(text="ok")


@routes.post("/logout")
@routes.post("/fail-out")
async def logout(request: web.Request) -> web.Response:
    session_from(request).logout()
    if request.path == "/fail-out":
        raise ZeroDivisionError
    return web.Response(text="ok")


@routes.post("/rotate")
async def rotate(request: web.Request) -> web.Response:
    session_from(request).rotate()
    return web.Response(text="ok")


@routes.post("/stream/{name}/{value}")
async def stream(request: web.Request) -> web.StreamResponse:
    session, names = session_from(request), request.match_info
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"started ")
    session[names["name"]] = names["value"]
    await response.write(b"written")
    return response


@routes.post("/{verb}/{name}/{value}")
async def write(request: web.Request) -> web.Response:
    session, names = session_from(request), request.match_info
    session.get(names["name"])
    if latch := request.query.get("latch"):
        await passed(int(latch))
    session[names["name"]] = names["value"]
    if names["verb"] == "fail":
        raise ZeroDivisionError
    if names["verb"] == "refuse":
        raise web.HTTPForbidden
    return web.Response(text="done")


@routes.get("/events")
async def events(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": TYPE})
    await response.prepare(request)
    async for event in quiet():
        await response.write(event)
    return response


@routes.get("/socket")
async def talk(request: web.Request) -> web.WebSocketResponse:
    response = web.WebSocketResponse()
    await response.prepare(request)
    async for message in response:
        await response.send_str(message.data)
    return response


@routes.get("/ticket")
async def ticket(request: web.Request) -> web.Response:
    tickets = manager_from(request).tickets
    return web.Response(text=await tickets.issue("download", {"file": "a.txt"}, session=session_from(request)))


@routes.get("/download")
@routes.post("/download")
@ticket_gate()
async def download(request: web.Request) -> web.Response:
    return web.Response(text=ticket_from(request).claims["file"])


app = web.Application()
setup(app)
app.add_routes(routes)

if __name__ == "__main__":
    listener = socket.socket(fileno=int(os.environ["APP_FD"]))
    web.run_app(app, sock=listener, print=None, access_log=None)
