"""An application whose session cookie has the name that the environment says."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route

from coatcheck import CookieSettings
from coatcheck.integrations.starlette import SessionMiddleware, session_from


async def home(_: Request) -> HTMLResponse:
    return HTMLResponse('<form method="post" action="/login"><button>Sign in</button></form>')


async def login(request: Request) -> PlainTextResponse:
    session_from(request).login("ada")
    return PlainTextResponse("welcome")


async def me(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(session_from(request).user_id))


app = Starlette(
    routes=[Route("/", home), Route("/login", login, methods=["POST"]), Route("/me", me)],
    middleware=[
        Middleware(SessionMiddleware, store="memory://", cookie=CookieSettings(name=os.environ["COOKIE_NAME"])),
    ],
)
