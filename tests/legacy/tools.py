"""An old application's browsers before a new one: what the tests of the sources share."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from coatcheck import AsyncSessionManager, Event
from coatcheck.integrations.starlette import SessionMiddleware, session_from
from coatcheck.offload import Inline
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing.visitor import ELSEWHERE as ELSEWHERE

KEY = "a key that guards nothing, for tests only"
OURS = "__Host-coatcheck"


def soon() -> datetime:
    """The end of a period that begins now."""
    return datetime.now(UTC) + timedelta(days=7)


async def me(request: Request) -> Response:
    session = session_from(request)
    return JSONResponse({"user": session.user_id, "fields": dict(session)})


async def quiet(_: Request) -> Response:
    return PlainTextResponse("the same for everybody")


async def login(request: Request) -> Response:
    session_from(request).login(request.path_params["user"], remember=False)
    return PlainTextResponse("ok")


async def logout(request: Request) -> Response:
    session_from(request).logout()
    return PlainTextResponse("ok")


async def fail(request: Request) -> Response:
    session_from(request)["lost"] = 1
    return PlainTextResponse("broken", 500)


ROUTES = [
    Route("/me", me, methods=["GET", "POST"]),
    Route("/session", me, methods=["POST"]),
    Route("/quiet", quiet),
    Route("/login/{user}", login, methods=["POST"]),
    Route("/logout", logout, methods=["POST"]),
    Route("/fail", fail),
]


class New:
    """A new Starlette application, with its store calls and events."""

    def __init__(self, *sources: Any, options: dict[str, Any] | None = None, **settings: Any) -> None:
        settings = {"secret": KEY, **settings}
        self.manager = AsyncSessionManager(Inline(MemoryStore()), **settings)
        self.events: list[Event] = []
        self.manager.subscribe(self.events.append)
        self.calls: list[str] = []
        self.manager.store = _Noted(self.manager.store, self.calls)
        middleware = Middleware(SessionMiddleware, self.manager, legacy=sources, **options or {})
        self.app = Starlette(routes=ROUTES, middleware=[middleware])

    def ask(self, path: str = "/me", method: str = "GET", cookie: str = "", **headers: str) -> httpx.Response:
        """One request, with this Cookie header."""
        sent = {name.replace("_", "-").encode(): value.encode("latin-1") for name, value in headers.items()}
        if cookie:
            sent[b"cookie"] = cookie.encode("latin-1")

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="https://app.example") as client:
                return await client.request(method, path, headers=sent)

        return asyncio.run(send())

    def sessions(self, user: str) -> list[str]:
        """The handles of a user's sessions."""
        return [info.handle for info in asyncio.run(self.manager.sessions(user))]


class _Noted:
    def __init__(self, inner: Any, calls: list[str]) -> None:
        self._inner, self._calls = inner, calls

    def __getattr__(self, name: str) -> Any:
        if name in ("load", "create", "login", "commit", "end"):
            self._calls.append(name)
        return getattr(self._inner, name)


def lines(response: Any) -> list[str]:
    """The Set-Cookie headers of a response, httpx's or Flask's."""
    headers = response.headers
    several = getattr(headers, "get_list", None) or getattr(headers, "getlist", None) or headers.getall
    found = several("Set-Cookie")
    return [line.strip() for line in found]


def given(response: Any, name: str = OURS) -> str:
    """The value that a response gives to a cookie; "" where it deletes it, or says nothing."""
    for line in lines(response):
        if found := re.match(rf"{re.escape(name)}=([^;]*)", line):
            return "" if "Max-Age=0" in line else found[1]
    return ""


def deletes(response: Any, name: str) -> bool:
    """Whether a response deletes a cookie."""
    return any(line.startswith(f"{name}=;") and "Max-Age=0" in line for line in lines(response))


def other_spelling(signed: str) -> str:
    """The same base64url signature, spelt in another way: the last character has bits that nobody reads."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return signed[:-1] + alphabet[alphabet.index(signed[-1]) ^ 1]
