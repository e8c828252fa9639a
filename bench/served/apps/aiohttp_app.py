"""aiohttp on its own server: bare, with a token, with aiohttp-session on Redis, and with ours."""

# mypy: disable-error-code="import-not-found, import-untyped, misc, no-redef, possibly-undefined"

from __future__ import annotations

from aiohttp import web
from redis.asyncio import Redis

from .shared import BARE, KIND, LIFETIME, PORT, REDIS, ROLE, checked, coatcheck, data, shown, signed

app = web.Application()

if KIND == "bare":

    async def login(_: web.Request) -> web.Response:
        return web.Response(text=BARE)

    read = write = written = login

elif KIND == "jwt":

    async def login(request: web.Request) -> web.Response:
        user = request.query["user"]
        return web.Response(text=f"{user} {ROLE}", headers=signed(user))

    async def read(request: web.Request) -> web.Response:
        claims = checked(request.headers.get("Authorization"))
        return web.Response(status=401) if claims is None else web.Response(text=shown(claims))

elif KIND == "aiohttp-session":
    import aiohttp_session
    from aiohttp_session.redis_storage import RedisStorage

    aiohttp_session.setup(app, RedisStorage(Redis.from_url(REDIS), max_age=LIFETIME))

    async def login(request: web.Request) -> web.Response:
        session = await aiohttp_session.new_session(request)
        session.update(data(request.query["user"]))
        return web.Response(text=shown(session))

    async def read(request: web.Request) -> web.Response:
        return web.Response(text=shown(await aiohttp_session.get_session(request)))

    async def write(request: web.Request) -> web.Response:
        session = await aiohttp_session.get_session(request)
        session["n"] = request.query["n"]
        return web.Response(text=shown(session, "n"))

    async def written(request: web.Request) -> web.Response:
        return web.Response(text=shown(await aiohttp_session.get_session(request), "n"))

else:
    from coatcheck import AsyncSessionManager
    from coatcheck.integrations.aiohttp import session_from, setup

    setup(app, AsyncSessionManager(**coatcheck()))

    async def login(request: web.Request) -> web.Response:
        session = session_from(request)
        session.login(request.query["user"])
        session.update(role=ROLE, n=3)
        return web.Response(text=f"{session.user_id} {session['role']}")

    async def read(request: web.Request) -> web.Response:
        session = session_from(request)
        return web.Response(text=f"{session.user_id} {session.get('role')}")

    async def write(request: web.Request) -> web.Response:
        session = session_from(request)
        session["n"] = request.query["n"]
        return web.Response(text=f"{session.user_id} {session['n']}")

    async def written(request: web.Request) -> web.Response:
        session = session_from(request)
        return web.Response(text=f"{session.user_id} {session.get('n')}")


app.router.add_post("/login", login)
app.router.add_get("/read", read)
if KIND != "jwt":
    app.router.add_post("/write", write)
    app.router.add_get("/n", written)

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=PORT, print=None, access_log=None)
