"""Starlette: bare, with a token, and behind each middleware."""

# mypy: disable-error-code="import-not-found, import-untyped, misc, no-redef, possibly-undefined"

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse as Text
from starlette.routing import Route

from .shared import BARE, KIND, LIFETIME, REDIS, ROLE, SECRET, checked, coatcheck, data, shown, signed

middleware: list[Middleware] = []
pages: list[Any] = []

if KIND == "bare":

    async def read(_: Request) -> Text:
        return Text(BARE)

    login = read
    pages = [Route("/write", read, methods=["POST"])]

elif KIND in {"jwt", "denylist"}:
    denied = Redis.from_url(REDIS)

    async def login(request: Request) -> Text:
        user = request.query_params["user"]
        return Text(f"{user} {ROLE}", headers=signed(user))

    async def read(request: Request) -> Text:
        claims = checked(request.headers.get("authorization"))
        if claims is None or (KIND == "denylist" and await denied.exists(f"denied:{claims['jti']}")):
            return Text("who are you?", 401)
        return Text(shown(claims))

elif KIND in {"cookie", "starsessions"}:
    from starlette.middleware.sessions import SessionMiddleware as SignedCookie
    from starsessions import SessionAutoloadMiddleware, SessionMiddleware
    from starsessions.session import regenerate_session_id
    from starsessions.stores.redis import RedisStore

    if KIND == "cookie":
        middleware = [Middleware(SignedCookie, secret_key=SECRET)]
    else:
        store = RedisStore(connection=Redis.from_url(REDIS))
        middleware = [
            Middleware(SessionMiddleware, store=store, lifetime=LIFETIME),
            Middleware(SessionAutoloadMiddleware),
        ]

    async def login(request: Request) -> Text:
        if KIND == "starsessions":
            regenerate_session_id(request)
        request.session.update(data(request.query_params["user"]))
        return Text(shown(request.session))

    async def read(request: Request) -> Text:
        return Text(shown(request.session))

    async def write(request: Request) -> Text:
        request.session["n"] = request.query_params["n"]
        return Text(shown(request.session, "n"))

    async def written(request: Request) -> Text:
        return Text(shown(request.session, "n"))

    pages = [Route("/write", write, methods=["POST"]), Route("/n", written)]

else:
    from coatcheck.integrations.starlette import SessionMiddleware as Ours
    from coatcheck.integrations.starlette import session_from

    middleware = [Middleware(Ours, **coatcheck())]

    async def login(request: Request) -> Text:
        session = session_from(request)
        session.login(request.query_params["user"])
        session.update(role=ROLE, n=3)
        return Text(f"{session.user_id} {session['role']}")

    async def read(request: Request) -> Text:
        session = session_from(request)
        return Text(f"{session.user_id} {session.get('role')}")

    async def write(request: Request) -> Text:
        session = session_from(request)
        session["n"] = request.query_params["n"]
        return Text(f"{session.user_id} {session['n']}")

    async def written(request: Request) -> Text:
        session = session_from(request)
        return Text(f"{session.user_id} {session.get('n')}")

    pages = [Route("/write", write, methods=["POST"]), Route("/n", written)]

app = Starlette(routes=[Route("/login", login, methods=["POST"]), Route("/read", read), *pages], middleware=middleware)
