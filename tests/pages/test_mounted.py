"""The same page in every framework, mounted in its own idiom: links that lead somewhere, forms that work."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from html import unescape
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from pyramid.config import Configurator  # type: ignore[import-untyped]

from coatcheck import SessionManager
from coatcheck.pages import MAX_BODY, Devices
from coatcheck.testing import log_in
from tests.pages.site import FORM, text

AT = "/account/devices"
SECRET = "a key that guards nothing, for tests alone"


class Answer(NamedTuple):
    """What a client got."""

    status: int
    location: str | None
    body: str


class Client(NamedTuple):
    """A browser of somebody who is signed in, or of nobody."""

    ask: Callable[[str, str, dict[str, str] | None], Awaitable[Answer]]
    handle: str | None


Clients = Callable[[str | None], Client]


def settings() -> dict[str, Any]:
    """A store of the test's own."""
    return {"store": "memory://", "namespace": f"mounted-{uuid4().hex[:8]}", "secret": SECRET}


def of(browser: Any, handle: str | None, path: Callable[[Any], str | None], **options: Any) -> Client:
    """A client with `get` and `post` as test clients have them."""

    async def ask(method: str, address: str, form: dict[str, str] | None) -> Answer:
        answer = getattr(browser, method.lower())(address, **({"data": form} if form is not None else {}), **options)
        if isinstance(answer, Awaitable):
            answer = await answer
        body = answer.text if hasattr(answer, "text") else answer.content.decode()
        return Answer(answer.status_code, path(answer.headers), body)

    return Client(ask, handle)


def location(headers: Any) -> str | None:
    """As a header of a mapping."""
    found = headers.get("location")
    return None if found is None else str(found)


@asynccontextmanager
async def starlette() -> AsyncIterator[Clients]:
    """Starlette, with Mount."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.routing import Mount
    from starlette.testclient import TestClient

    from coatcheck.integrations.asgi_pages import PagesApp
    from coatcheck.integrations.starlette import SessionMiddleware

    app = Starlette(routes=[Mount(AT, PagesApp(page()))], middleware=[Middleware(SessionMiddleware, **settings())])

    def make(user: str | None) -> Client:
        browser = TestClient(app, follow_redirects=False)
        return of(browser, log_in(browser, user) if user else None, location)

    yield make


@asynccontextmanager
async def fastapi() -> AsyncIterator[Clients]:
    """FastAPI, with `app.mount`, behind a proxy that takes a prefix off."""
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from coatcheck.integrations.asgi_pages import PagesApp
    from coatcheck.integrations.fastapi import SessionMiddleware

    app = FastAPI()
    app.add_middleware(SessionMiddleware, **settings())
    app.mount(AT, PagesApp(page()))

    def make(user: str | None) -> Client:
        browser = TestClient(app, follow_redirects=False)
        return of(browser, log_in(browser, user) if user else None, location)

    yield make


@asynccontextmanager
async def litestar() -> AsyncIterator[Clients]:
    """Litestar, as a route handler."""
    from litestar import Litestar
    from litestar.testing import TestClient

    from coatcheck.integrations.litestar import SessionConfig
    from coatcheck.integrations.litestar_pages import pages

    app = Litestar([pages(AT, page())], on_app_init=[SessionConfig(**settings()).on_app_init])

    def make(user: str | None) -> Client:
        browser = TestClient(app)
        return of(browser, log_in(browser, user) if user else None, location, follow_redirects=False)

    yield make


@asynccontextmanager
async def flask() -> AsyncIterator[Clients]:
    """Flask, as a blueprint."""
    import flask as framework

    from coatcheck.integrations.flask import Coatcheck
    from coatcheck.integrations.flask_pages import pages

    app = framework.Flask(__name__)
    Coatcheck(app, **settings())
    app.register_blueprint(pages(page(), "devices"), url_prefix=AT)

    def make(user: str | None) -> Client:
        browser = app.test_client()
        return of(browser, log_in(browser, user) if user else None, location)

    yield make


@asynccontextmanager
async def quart() -> AsyncIterator[Clients]:
    """Quart, as a blueprint."""
    import quart as framework

    from coatcheck.integrations.quart import Coatcheck
    from coatcheck.integrations.quart_pages import pages

    app = framework.Quart(__name__)
    Coatcheck(app, **settings())
    app.register_blueprint(pages(page(), "devices"), url_prefix=AT)

    def make(user: str | None) -> Client:
        browser = app.test_client()
        handle = log_in(browser, user) if user else None

        async def ask(method: str, address: str, form: dict[str, str] | None) -> Answer:
            answer = await getattr(browser, method.lower())(address, **({"form": form} if form is not None else {}))
            return Answer(answer.status_code, location(answer.headers), await answer.get_data(as_text=True))

        return Client(ask, handle)

    yield make


@asynccontextmanager
async def aiohttp() -> AsyncIterator[Clients]:
    """aiohttp, by its routes."""
    from aiohttp import CookieJar, web
    from aiohttp.test_utils import TestClient, TestServer

    from coatcheck import AsyncSessionManager
    from coatcheck.integrations.aiohttp import setup
    from coatcheck.integrations.aiohttp_pages import add_pages

    app = web.Application()
    manager = AsyncSessionManager(**settings())
    setup(app, manager)
    add_pages(app, AT, page())
    server = TestServer(app)
    await server.start_server()
    browsers: list[Any] = []

    def make(user: str | None) -> Client:
        browser: Any = TestClient(server, cookie_jar=CookieJar(unsafe=True))
        browsers.append(browser)
        handle = log_in(browser, user, manager) if user else None

        async def ask(method: str, address: str, form: dict[str, str] | None) -> Answer:
            async with browser.request(method, address, data=form, allow_redirects=False) as answer:
                return Answer(answer.status, location(answer.headers), await answer.text())

        return Client(ask, handle)

    yield make
    for browser in browsers:
        await browser.close()


def over_wsgi(app: Any, manager: SessionManager) -> Clients:
    """Clients of a WSGI application."""
    from werkzeug.test import Client as Browser

    def make(user: str | None) -> Client:
        browser = Browser(app)
        return of(browser, log_in(browser, user, manager) if user else None, location)

    return make


@asynccontextmanager
async def wsgi() -> AsyncIterator[Clients]:
    """Any WSGI application, with werkzeug's dispatcher."""
    from werkzeug.middleware.dispatcher import DispatcherMiddleware
    from werkzeug.wrappers import Response

    from coatcheck.integrations.wsgi import SessionMiddleware
    from coatcheck.integrations.wsgi_pages import PagesApp

    manager = SessionManager(**settings())
    app = DispatcherMiddleware(Response("elsewhere"), {AT: PagesApp(page())})
    yield over_wsgi(SessionMiddleware(app, manager), manager)


@asynccontextmanager
async def bottle() -> AsyncIterator[Clients]:
    """Bottle, with `mount`."""
    import bottle as framework  # type: ignore[import-untyped]

    from coatcheck.integrations.wsgi import SessionMiddleware
    from coatcheck.integrations.wsgi_pages import PagesApp

    manager = SessionManager(**settings())
    app = framework.Bottle()
    app.mount(AT, PagesApp(page()))
    yield over_wsgi(SessionMiddleware(app, manager), manager)


@asynccontextmanager
async def pyramid() -> AsyncIterator[Clients]:
    """Pyramid, as a route and a view."""
    from coatcheck.integrations.pyramid import session_factory
    from coatcheck.integrations.pyramid_pages import add_pages

    manager = SessionManager(**settings())
    with Configurator() as config:
        config.include("coatcheck.integrations.pyramid")
        config.set_session_factory(session_factory(manager))
        add_pages(config, AT, page())
        app = config.make_wsgi_app()
    yield over_wsgi(app, manager)


@asynccontextmanager
async def django() -> AsyncIterator[Clients]:
    """Django, by its URLs: its own protection of forms is on."""
    from django.test import AsyncClient, override_settings  # type: ignore[import-untyped]

    def make(user: str | None) -> Client:
        browser = AsyncClient(enforce_csrf_checks=True)
        return of(browser, log_in(browser, user) if user else None, location)

    with override_settings(ROOT_URLCONF="tests.pages.django_urls"):
        yield make


def page() -> Devices:
    """What is mounted."""
    return Devices(login_url="/login")


FRAMEWORKS = [starlette, fastapi, litestar, flask, quart, aiohttp, wsgi, bottle, pyramid, django]


@pytest.fixture(scope="module", autouse=True)
def _site() -> Iterator[None]:
    """Django's settings and tables."""
    from tests.apps import django_site

    with django_site.tested():
        yield


@pytest.fixture
def anyio_backend() -> str:
    """Quart and aiohttp have no other."""
    return "asyncio"


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda one: one.__name__)
async def test_a_page_works_where_it_is_mounted(framework: Any) -> None:
    """Its list, its style sheet, its forms, the way back after one, and its refusals."""
    async with framework() as clients:
        ada, other, nobody = clients("ada"), clients("ada"), clients(None)
        answer = await ada.ask("GET", f"{AT}/", None)
        assert (answer.status, "this device" in answer.body) == (200, True)
        assert answer.body.count('name="handle"') == 2
        for address in re.findall(r'href="(/[^"]+\.css)"', answer.body):
            style = await ada.ask("GET", address, None)
            assert (style.status, ":root" in style.body) == (200, True)
        [action] = {*re.findall(r'action="([^"]+)"', answer.body)}
        assert action == f"{AT}/"

        assert (await ada.ask("POST", action, {"handle": str(other.handle)})).status == 403
        assert (await other.ask("GET", f"{AT}/", None)).status == 200
        token = FORM.search(answer.body)
        assert token is not None
        answer = await ada.ask("POST", action, {"handle": str(other.handle), "_csrf": unescape(token[1])})
        assert (answer.status, str(answer.location).removeprefix("http://localhost")) == (303, f"{AT}/?ended=1")
        assert "One device was signed out." in text((await ada.ask("GET", str(answer.location), None)).body)

        assert (await other.ask("GET", f"{AT}/", None)).status == 401
        refused = await nobody.ask("GET", f"{AT}/", None)
        assert (refused.status, f"next={AT}/" in refused.body) == (401, True)
        assert (await ada.ask("GET", f"{AT}/no/where", None)).status == 404
        assert (await ada.ask("POST", f"{AT}/", {"handle": "x" * MAX_BODY})).status == 413
