"""`coatcheck.testing.log_in`: a signed-in test client in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fastapi
import fastapi.testclient
import flask
import httpx
import litestar
import litestar.testing
import pytest
import quart
from aiohttp import web
from aiohttp.test_utils import TestClient as AiohttpClient
from aiohttp.test_utils import TestServer
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.integrations import aiohttp as for_aiohttp
from coatcheck.integrations import flask as for_flask
from coatcheck.integrations import litestar as for_litestar
from coatcheck.integrations import quart as for_quart
from coatcheck.integrations.fastapi import CurrentSession
from coatcheck.integrations.starlette import SessionMiddleware, session_from
from coatcheck.offload import Inline
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import log_in
from coatcheck.testing.kit import KEY

SETTINGS: dict[str, Any] = {"secret": KEY, "namespace": "log-in"}


async def me(request: Request) -> PlainTextResponse:
    session = session_from(request)
    return PlainTextResponse(f"{session.user_id} {session.get('role')}")


@pytest.mark.parametrize("base", ["http://testserver", "https://shop.example"])
@pytest.mark.parametrize("kind", [SessionManager, AsyncSessionManager])
def test_a_test_client_is_signed_in(
    tmp_path: Path, base: str, kind: type[SessionManager | AsyncSessionManager]
) -> None:
    """By a manager of either kind over the application's store, under the cookie name that the client returns."""
    url = f"sqlite:///{tmp_path}/sessions.db"
    middleware = Middleware(SessionMiddleware, manager=AsyncSessionManager(url, secret=KEY))
    with TestClient(Starlette(routes=[Route("/", me)], middleware=[middleware]), base) as client:
        manager = kind(url, secret=KEY)
        handle = log_in(client, 7, manager, role="editor")
        assert client.get("/").text == "7 editor"
    with SessionManager(url, secret=KEY) as other:
        assert [info.handle for info in other.sessions(7)] == [handle]


# -- one line in each framework: the client's application says where its sessions are ------------------------


def settings() -> dict[str, Any]:
    """A store of one's own."""
    return {"store": Inline(MemoryStore()), **SETTINGS}


def test_starlettes_client() -> None:
    """Also before the application has started."""
    app = Starlette(routes=[Route("/", me)], middleware=[Middleware(SessionMiddleware, **settings())])
    client = TestClient(app)
    log_in(client, 7, role="editor")
    assert client.get("/").text == "7 editor"


def test_fastapis_client() -> None:
    """The same, with a dependency."""
    app = fastapi.FastAPI()
    app.add_middleware(SessionMiddleware, **settings())

    @app.get("/")
    def mine(session: CurrentSession) -> list[Any]:
        return [session.user_id, session["role"]]

    client = fastapi.testclient.TestClient(app)
    log_in(client, "ada", role="editor")
    assert client.get("/").json() == ["ada", "editor"]


@pytest.mark.anyio
@pytest.mark.parametrize("given", ["application", "middleware", "manager"])
async def test_a_client_of_httpx(given: str) -> None:
    """It does not tell its application, which is named beside it; in a running event loop."""
    manager = AsyncSessionManager(**settings())
    app = SessionMiddleware(Starlette(routes=[Route("/", me)]), manager)
    outer = Starlette(routes=[Route("/", me)], middleware=[Middleware(SessionMiddleware, manager)])
    called = outer if given == "application" else app
    async with httpx.AsyncClient(transport=httpx.ASGITransport(called), base_url="http://testserver") as client:
        log_in(client, 7, manager if given == "manager" else called, role="editor")
        assert (await client.get("/")).text == "7 editor"
        with pytest.raises(ConfigurationError, match="AsyncClient does not tell its manager"):
            log_in(client, 7)


def test_litestars_client() -> None:
    """With `SessionConfig`."""

    @litestar.get("/", sync_to_thread=False)
    def mine(request: litestar.Request[Any, Any, Any]) -> list[Any]:
        return [for_litestar.session_from(request).user_id, request.session["role"]]

    app = litestar.Litestar([mine], on_app_init=[for_litestar.SessionConfig(**settings()).on_app_init])
    with litestar.testing.TestClient(app) as client:
        log_in(client, "ada", role="editor")
        assert client.get("/").json() == ["ada", "editor"]


def test_flasks_client() -> None:
    """With the extension."""
    app = flask.Flask("log_in")
    for_flask.Coatcheck(app, store=MemoryStore(), **SETTINGS)

    @app.get("/")
    def mine() -> list[Any]:
        return [for_flask.session_from().user_id, flask.session["role"]]

    client = app.test_client()
    log_in(client, "ada", role="editor")
    assert client.get("/").json == ["ada", "editor"]


@pytest.mark.anyio
async def test_quarts_client() -> None:
    """Its jar wants to know the host."""
    app = quart.Quart("log_in")
    for_quart.Coatcheck(app, **settings())

    @app.get("/")
    async def mine() -> list[Any]:
        return [for_quart.session_from().user_id, quart.session["role"]]

    client = app.test_client()
    log_in(client, "ada", role="editor")
    assert await (await client.get("/")).get_json() == ["ada", "editor"]


@pytest.mark.anyio
async def test_aiohttps_client() -> None:
    """Over its own server, on a free port."""

    async def mine(request: web.Request) -> web.Response:
        session = for_aiohttp.session_from(request)
        return web.json_response([session.user_id, session["role"]])

    app = web.Application()
    app.router.add_get("/", mine)
    for_aiohttp.setup(app, AsyncSessionManager(**settings()))
    async with AiohttpClient(TestServer(app)) as client:
        log_in(client, "ada", role="editor")
        assert await (await client.get("/")).json() == ["ada", "editor"]


def test_a_store_that_is_down_is_said_so() -> None:
    """By its own error, not by what is missing afterwards: also where the manager is asynchronous."""

    class Down(MemoryStore):
        def login(self, *_: Any, **__: Any) -> Any:
            raise StoreUnavailable("down")

    manager = AsyncSessionManager(Inline(Down()), **SETTINGS)
    with pytest.raises(StoreUnavailable):
        log_in(httpx.Client(), "ada", manager)
