"""Where a page may be mounted: below prefixes, proxies and names of any script; and how much of a form is read."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from coatcheck import SessionManager
from coatcheck.pages import MAX_BODY, Devices
from coatcheck.testing import log_in

SECRET = "a key that guards nothing, for tests alone"


@pytest.fixture
def anyio_backend() -> str:
    """Quart and aiohttp have no other."""
    return "asyncio"


@pytest.fixture
def kept() -> dict[str, Any]:
    """A store of the test's own."""
    return {"store": "memory://", "namespace": f"mounts-{uuid4().hex[:8]}", "secret": SECRET}


def page() -> Devices:
    """What is mounted."""
    return Devices(login_url="/login")


def leads(html: str, to: str) -> bool:
    """Whether all that a page links to is there, as a browser asks for it."""
    found = {*re.findall(r'(?:href|action)="(/[^"]*)"', html)} - {"/login"}
    return found == {f"{to}/", f"{to}/style.css"}


@pytest.mark.parametrize("asked", ["/devices", "/api/devices"])
def test_behind_a_proxy_that_takes_a_prefix_off_or_leaves_it(kept: dict[str, Any], asked: str) -> None:
    """A server's `root_path`: links have the prefix, whether or not the path that arrives has it."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.routing import Mount
    from starlette.testclient import TestClient

    from coatcheck.integrations.asgi_pages import PagesApp
    from coatcheck.integrations.starlette import SessionMiddleware

    app = Starlette(routes=[Mount("/devices", PagesApp(page()))], middleware=[Middleware(SessionMiddleware, **kept)])
    browser = TestClient(app, root_path="/api")
    log_in(browser, "ada")
    assert leads(browser.get(f"{asked}/").text, "/api/devices")
    assert ":root" in browser.get(f"{asked}/style.css").text


@pytest.mark.parametrize(("root", "to"), [("", "/shop/devices"), ("/api", "/api/shop/devices")])
def test_below_a_router_of_litestar(kept: dict[str, Any], root: str, to: str) -> None:
    """Its path, and the server's, come before."""
    from litestar import Litestar, Router
    from litestar.testing import TestClient

    from coatcheck.integrations.litestar import SessionConfig
    from coatcheck.integrations.litestar_pages import pages

    router = Router("/shop", route_handlers=[pages("/devices", page())])
    app = Litestar([router], on_app_init=[SessionConfig(**kept).on_app_init])
    browser = TestClient(app, root_path=root)
    log_in(browser, "ada")
    assert leads(browser.get("/shop/devices/").text, to)
    assert ":root" in browser.get("/shop/devices/style.css").text


def test_below_a_prefix_of_pyramid(kept: dict[str, Any]) -> None:
    """That of `config.include`."""
    from pyramid.config import Configurator  # type: ignore[import-untyped]
    from werkzeug.test import Client

    from coatcheck.integrations.pyramid import session_factory
    from coatcheck.integrations.pyramid_pages import add_pages

    manager = SessionManager(**kept)
    with Configurator() as config:
        config.include("coatcheck.integrations.pyramid")
        config.set_session_factory(session_factory(manager))
        config.include(lambda below: add_pages(below, "/devices", page()), route_prefix="/shop")
        browser = Client(config.make_wsgi_app())
    log_in(browser, "ada", manager)
    assert leads(browser.get("/shop/devices/").text, "/shop/devices")


def test_in_a_script_that_is_not_written_in_latin_letters(kept: dict[str, Any]) -> None:
    """WSGI has bytes in it, as if they were Latin-1."""
    from werkzeug.middleware.dispatcher import DispatcherMiddleware
    from werkzeug.test import Client
    from werkzeug.wrappers import Response

    from coatcheck.integrations.wsgi import SessionMiddleware
    from coatcheck.integrations.wsgi_pages import PagesApp

    manager = SessionManager(**kept)
    at = "/устройства"
    app = DispatcherMiddleware(Response("elsewhere"), {at.encode().decode("latin-1"): PagesApp(page())})
    browser = Client(SessionMiddleware(app, manager))
    log_in(browser, "ada", manager)
    assert leads(browser.get(f"{at}/").text, quote(at))


def site(app: Any, extension: Any, pages: Any, kept: dict[str, Any], at: str) -> Any:
    """A client, who is signed in, of an application of Flask's kind."""
    extension(app, **kept)
    app.register_blueprint(pages(page(), "devices"), url_prefix=at)
    browser = app.test_client()
    log_in(browser, "ada")
    return browser


def flask_site(kept: dict[str, Any], at: str) -> Any:
    """Flask's."""
    import flask

    from coatcheck.integrations.flask import Coatcheck
    from coatcheck.integrations.flask_pages import pages

    return site(flask.Flask(__name__), Coatcheck, pages, kept, at)


def quart_site(kept: dict[str, Any], at: str) -> Any:
    """Quart's."""
    import quart

    from coatcheck.integrations.quart import Coatcheck
    from coatcheck.integrations.quart_pages import pages

    return site(quart.Quart(__name__), Coatcheck, pages, kept, at)


async def test_below_a_part_of_the_path_that_varies(kept: dict[str, Any]) -> None:
    """A tenant's name, in Flask and in Quart."""
    assert leads(flask_site(kept, "/<tenant>/devices").get("/acme/devices/").text, "/acme/devices")
    answer = await quart_site(kept, "/<tenant>/devices").get("/acme/devices/")
    assert leads(await answer.get_data(as_text=True), "/acme/devices")


def test_no_address_makes_its_links_another_hosts(kept: dict[str, Any]) -> None:
    """A path that begins with two slashes, where the mount's own pattern lets it through."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.routing import Mount
    from starlette.testclient import TestClient

    from coatcheck.integrations.asgi_pages import PagesApp
    from coatcheck.integrations.starlette import SessionMiddleware

    mount = Mount("/{tenant:path}/devices", PagesApp(page()))
    app = Starlette(routes=[mount], middleware=[Middleware(SessionMiddleware, **kept)])
    browser = TestClient(app)
    html = browser.get("http://testserver//evil.example/devices/").text
    assert 'href="/evil.example/devices/style.css"' in html
    assert "next=/evil.example" in html


class Endless(io.RawIOBase):
    """A body without a length, and without an end; it counts what was read of it."""

    def __init__(self) -> None:
        self.sent = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.sent > 100 * MAX_BODY:
            raise AssertionError("it is read on and on")
        self.sent += len(buffer)
        buffer[:] = b"x" * len(buffer)
        return len(buffer)


def test_a_body_without_a_length_is_not_read_by_flask(kept: dict[str, Any]) -> None:
    """A server that takes chunked bodies would hand on one of any size."""
    body = Endless()
    answer = flask_site(kept, "/devices").post(
        "/devices/",
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"wsgi.input": body, "wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert answer.status_code == 403
    assert body.sent <= MAX_BODY


async def test_a_body_that_goes_on_is_left_by_quart(kept: dict[str, Any]) -> None:
    """The page answers before all of it has come."""
    browser = quart_site(kept, "/devices")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with browser.request("/devices/", method="POST", headers=headers) as connection:
        for _ in range(2):
            await connection.send(b"x" * MAX_BODY)
    answer = await connection.as_response()
    assert answer.status_code == 413


async def test_a_body_without_a_length_is_not_read_by_aiohttp(kept: dict[str, Any]) -> None:
    """As above."""
    from aiohttp import CookieJar, web
    from aiohttp.test_utils import TestClient, TestServer

    from coatcheck import AsyncSessionManager
    from coatcheck.integrations.aiohttp import setup
    from coatcheck.integrations.aiohttp_pages import add_pages

    app = web.Application()
    manager = AsyncSessionManager(**kept)
    setup(app, manager)
    add_pages(app, "/devices", page())

    async def body() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x" * MAX_BODY

    async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as browser:
        log_in(browser, "ada", manager)
        async with browser.post("/devices/", data=body()) as answer:
            assert answer.status == 403
