"""A real shop, behind the proxies of the tests: `/` stores nothing, `/start` does, `/old` leads there."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from coatcheck import AsyncSessionManager
from coatcheck.integrations.starlette import SessionMiddleware, session_from

KEY = "8vQx2mT0cE5nYw7Lr1uJk4ZsBf6hGd3p"  # guards nothing, and looks random
manager = AsyncSessionManager("memory://", secret=KEY)


async def home(request: Request) -> Response:
    """Nothing of the visitor's."""
    return PlainTextResponse("welcome")


async def start(request: Request) -> Response:
    """A cart."""
    session_from(request)["cart"] = [1]
    return PlainTextResponse("started")


async def old(request: Request) -> Response:
    """By an absolute address, as many applications make it: with the scheme that they see."""
    return RedirectResponse(str(request.url_for("start")))


app = Starlette(
    routes=[Route("/", home), Route("/start", start), Route("/old", old)],
    middleware=[Middleware(SessionMiddleware, manager=manager)],
)
