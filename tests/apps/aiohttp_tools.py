"""Applications of aiohttp's, and their own test client, for the tests of what is aiohttp's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from aiohttp import CookieJar, web
from aiohttp.test_utils import TestClient, TestServer

from coatcheck import AsyncSessionManager
from coatcheck.integrations.aiohttp import session_from, setup
from coatcheck.offload import Inline
from coatcheck.stores.memory import MemoryStore

KEY = "a key that guards nothing, for tests only"
# aiohttp 3.10 takes no parameters there at run time.
Client: TypeAlias = "TestClient[web.Request, web.Application]"


def manager(store: Any = None, **settings: Any) -> AsyncSessionManager:
    """A new store each time."""
    return AsyncSessionManager(store or Inline(MemoryStore()), secret=KEY, **settings)


async def me(request: web.Request) -> web.Response:
    """Who it is, and what the session holds."""
    session = session_from(request)
    return web.json_response([session.user_id, dict(session)])


async def login(request: web.Request) -> web.Response:
    """Sign in."""
    session_from(request).login(request.match_info["user"])
    return web.Response(text="ok")


def application(*routes: Any, **settings: Any) -> web.Application:
    """An application with `/me` and `/login/<user>`, and these routes."""
    app = web.Application()
    setup(app, settings.pop("manager", None) or manager(), **settings)
    app.add_routes([web.get("/me", me), web.post("/login/{user}", login), *routes])
    return app


@asynccontextmanager
async def client(app: web.Application) -> AsyncIterator[Client]:
    """The test client of aiohttp. Its server cancels the handler of a client that hangs up."""
    async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as browser:
        yield browser


async def seen(browser: Client) -> Any:
    """What `/me` says."""
    async with browser.get("/me") as response:
        return await response.json()


async def post(browser: Client, path: str, **options: Any) -> tuple[int, str]:
    """Status and text of a form's answer."""
    async with browser.post(path, allow_redirects=False, **options) as response:
        return response.status, await response.text()


class Held:
    """A store whose ends wait until they are let go."""

    def __init__(self) -> None:
        self._store = Inline(MemoryStore())
        self.began, self.cancelled, self.go = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def end(self, *arguments: Any) -> Any:
        self.began.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return await self._store.end(*arguments)

    @property
    def load(self) -> Any:
        return self._store.load

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
