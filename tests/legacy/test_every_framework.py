"""`legacy=` in the frameworks that the sources' own tests do not pass through."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import httpx
from aiohttp import web
from aiohttp.test_utils import TestServer
from fastapi import FastAPI
from litestar import Litestar, Request, get
from pyramid.config import Configurator  # type: ignore[import-untyped]  # it has no types
from pyramid.response import Response  # type: ignore[import-untyped]  # it has no types

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck.integrations.aiohttp import session_from, setup
from coatcheck.integrations.fastapi import CurrentUserId, SessionMiddleware
from coatcheck.integrations.litestar import SessionConfig
from coatcheck.integrations.litestar import session_from as litestar_session_from
from coatcheck.integrations.pyramid import session_factory
from coatcheck.legacy import StarletteCookie
from tests.legacy.test_starlette_cookie import ADA, OLD_KEY, old_cookie
from tests.legacy.tools import deletes, given, soon

BASE = "https://app.example"
COOKIE = old_cookie(ADA)


def source() -> StarletteCookie:
    return StarletteCookie(OLD_KEY, until=soon())


def twice(client: httpx.Client) -> list[str]:
    """What two requests of one browser get to see."""
    first = client.get("/me", headers={"cookie": COOKIE})
    assert deletes(first, "session")
    return [first.text, client.get("/me").text]


async def atwice(client: httpx.AsyncClient) -> list[str]:
    """The same, awaited."""
    first = await client.get("/me", headers={"cookie": COOKIE})
    assert deletes(first, "session")
    return [first.text, (await client.get("/me")).text]


def asgi(app: Any) -> list[str]:
    async def run() -> list[str]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
            return await atwice(client)

    return asyncio.run(run())


def test_in_fastapi() -> None:
    """`CurrentUserId` lets them in."""
    app = FastAPI()
    manager = AsyncSessionManager("memory://", namespace="legacy-fastapi")
    app.add_middleware(SessionMiddleware, manager=manager, legacy=[source()])

    @app.get("/me")
    async def me(user_id: CurrentUserId) -> str:
        return user_id

    assert asgi(app) == ['"ada"', '"ada"']
    assert len(asyncio.run(manager.sessions("ada"))) == 1


def test_in_litestar() -> None:
    """A session backend's setting."""

    @get("/me")
    async def me(request: Request[Any, Any, Any]) -> str:
        return str(litestar_session_from(request).user_id)

    manager = AsyncSessionManager("memory://", namespace="legacy-litestar")
    app = Litestar([me], on_app_init=[SessionConfig(manager, legacy=[source()]).on_app_init], logging_config=None)
    assert asgi(app) == ["ada", "ada"]
    assert len(asyncio.run(manager.sessions("ada"))) == 1


def test_in_pyramid() -> None:
    """A session factory's setting."""

    def me(request: Any) -> Any:
        return Response(str(request.session.user_id))

    manager = SessionManager("memory://", namespace="legacy-pyramid")
    with Configurator() as config:
        config.include("coatcheck.integrations.pyramid")
        config.set_session_factory(session_factory(manager, legacy=[source()]))
        config.add_route("me", "/me")
        config.add_view(me, route_name="me")
        app = config.make_wsgi_app()
    with httpx.Client(transport=httpx.WSGITransport(app), base_url=BASE) as client:
        assert twice(client) == ["ada", "ada"]
    assert len(manager.sessions("ada")) == 1


def test_in_aiohttp() -> None:
    """`setup(app, manager, legacy=[...])`, on its real server."""

    async def me(request: web.Request) -> web.Response:
        return web.Response(text=str(session_from(request).user_id))

    async def run() -> list[str]:
        app = web.Application()
        manager = setup(app, AsyncSessionManager("memory://", namespace="legacy-aiohttp"), legacy=[source()])
        app.router.add_get("/me", me)
        async with TestServer(app) as server, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
            async with client.get(server.make_url("/me"), headers={"cookie": COOKIE}) as first:
                assert deletes(first, "session")
                name = manager.cookie.name_for(False)
                seen, token = await first.text(), given(first, name)
            async with client.get(server.make_url("/me"), headers={"cookie": f"{name}={token}"}) as again:
                return [seen, await again.text()]

    assert asyncio.run(run()) == ["ada", "ada"]
