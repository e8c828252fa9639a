"""Starlette: code that was written for its own session middleware keeps working."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from jinja2 import DictLoader, Environment
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.sessions import SessionMiddleware as StarlettesOwn
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.templating import Jinja2Templates
from starlette.testclient import TestClient

from coatcheck import AsyncSessionManager
from coatcheck.errors import ConfigurationError, ReauthenticationRequired
from coatcheck.integrations.starlette import SessionMiddleware, manager_from, session_context, session_from
from tests.integrations.front import KEY, ORIGIN, Front, cookie, set_cookies, vary


def client(*routes: Any, manager: AsyncSessionManager | None = None, **settings: Any) -> TestClient:
    """A test client, as an application's own tests would have it."""
    manager = manager or Front().manager
    return TestClient(Starlette(routes=routes, middleware=[Middleware(SessionMiddleware, manager=manager, **settings)]))


# -- drop-in -------------------------------------------------------------------------------------------------


def flash(request: Request, message: str) -> None:
    """As tutorials write it."""
    if "_messages" not in request.session:
        request.session["_messages"] = []
    request.session["_messages"].append({"message": message})


async def add(request: Request) -> Response:
    flash(request, "added")
    request.session.setdefault("cart", {"items": []})["items"].append(request.query_params["item"])
    return RedirectResponse("/")


async def show(request: Request) -> Response:
    messages = request.session.pop("_messages") if "_messages" in request.session else []
    return JSONResponse({"messages": messages, "session": dict(request.session), **request.session})


async def forget(request: Request) -> Response:
    request.session.clear()
    return JSONResponse(json.loads(json.dumps(request.session)))


def test_flash_messages_nested_changes_pop_and_clear_as_with_starlettes_own() -> None:
    """No line of such code is changed."""
    browser = client(Route("/", show), Route("/add", add), Route("/forget", forget))
    cart = {"cart": {"items": ["hat"]}}
    assert browser.get("/add?item=hat").json() == {"messages": [{"message": "added"}], "session": cart, **cart}
    assert browser.get("/").json() == {"messages": [], "session": cart, **cart}
    assert browser.get("/add?item=coat").json()["cart"] == {"items": ["hat", "coat"]}
    assert browser.get("/forget").json() == {}
    assert browser.get("/").json() == {"messages": [], "session": {}}
    assert list(browser.cookies) == []


@pytest.mark.parametrize("how", ["manager", "positional", "store"])
def test_both_ways_of_adding_the_middleware(how: str) -> None:
    """With a manager that the application shares, or with the settings to make one."""
    settings: dict[str, Any] = {"store": "memory://", "namespace": secrets.token_hex(6), "secret": KEY}
    app = Starlette(routes=[Route("/", show), Route("/add", add)])
    match how:
        case "manager":
            app.add_middleware(SessionMiddleware, manager=AsyncSessionManager(**settings))
        case "positional":
            app.add_middleware(SessionMiddleware, AsyncSessionManager(**settings))
        case "store":
            app.add_middleware(SessionMiddleware, csrf="token", **settings)
            with pytest.raises(ConfigurationError, match="to find it before the application starts"):
                manager_from(app)
    if how != "store":
        assert isinstance(manager_from(app), AsyncSessionManager)
    with TestClient(app) as browser:
        browser.get("/add?item=hat")
        assert browser.get("/").json()["cart"] == {"items": ["hat"]}
        assert manager_from(app).namespace == settings["namespace"]


def test_the_manager_is_found_in_a_lifespan_and_behind_other_middleware() -> None:
    """For a task that revokes or purges; `manager_from(app)` looks through what is wrapped around."""
    found: list[AsyncSessionManager] = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        found.append(manager_from(app))
        yield

    stack = [Middleware(CORSMiddleware), Middleware(SessionMiddleware, store="memory://", secret=KEY)]
    app = Starlette(middleware=stack, lifespan=lifespan)
    with TestClient(app):
        assert found == [manager_from(CORSMiddleware(app))]


def test_a_manager_of_its_own_is_closed_when_the_application_stops(tmp_path: Path) -> None:
    """Its SQLite log is tidied up; a manager that was passed in is its owner's to close."""
    url, log = f"sqlite:///{tmp_path}/sessions.db", tmp_path / "sessions.db-wal"
    app = Starlette(routes=[Route("/add", add), Route("/", show)])
    app.add_middleware(SessionMiddleware, store=url)
    with TestClient(app) as browser:
        browser.get("/add?item=hat")
        assert log.exists()
    assert not log.exists()


def test_a_test_client_without_with_uses_one_store_from_many_event_loops(tmp_path: Path) -> None:
    """E: such a client runs every request in a loop of its own."""
    manager = AsyncSessionManager(f"sqlite:///{tmp_path}/sessions.db")
    browser = client(Route("/", show), Route("/add", add), manager=manager)
    for number in range(3):
        assert len(browser.get(f"/add?item={number}").json()["cart"]["items"]) == number + 1


# -- inside of other things ----------------------------------------------------------------------------------


class Counter(BaseHTTPMiddleware):
    """Somebody's middleware that writes the session before and after the endpoint."""

    async def dispatch(self, request: Request, call_next: Any) -> Response:
        request.session["before"] = request.session.get("before", 0) + 1
        response: Response = await call_next(request)
        if request.url.path == "/broken":
            return PlainTextResponse("hidden", 500)
        request.session["after"] = request.session.get("after", 0) + 1
        return response


class Plain(BaseHTTPMiddleware):
    """One outside of ours: it runs the whole visit in a task of its own."""

    async def dispatch(self, request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        return response


@pytest.mark.parametrize("outside", [False, True])
async def test_base_http_middleware_around_the_endpoint(outside: bool) -> None:
    """It writes before and after the endpoint, in another task; all of it is one commit before the start."""
    front = Front("starlette")
    token = await front.stored(cart=1)

    async def endpoint(request: Request) -> Response:
        if request.url.path == "/raise":
            request.session["lost"] = 1
            raise ZeroDivisionError
        if request.url.path == "/again":
            raise ReauthenticationRequired("sign in")

        async def body() -> AsyncIterator[bytes]:
            request.session["streamed"] = request.session["before"]
            yield b"done"

        return StreamingResponse(body())

    stack = [Middleware(SessionMiddleware, manager=front.manager), Middleware(Counter)]
    stack = [Middleware(Plain), *stack] if outside else stack
    browser = front.browser(
        Starlette(routes=[Route("/{path:path}", endpoint)], middleware=stack), headers=cookie(token)
    )
    assert (await browser.get("/")).text == "done"
    kept = {"cart": 1, "before": 1, "after": 1, "streamed": 1}
    assert await front.fields(token) == kept
    assert front.calls.count("load") == 1
    with pytest.raises(ZeroDivisionError):
        await browser.get("/raise")
    assert (await browser.get("/broken")).status_code == 500
    assert (await browser.get("/again")).status_code == 401
    assert await front.fields(token) == kept


async def test_a_mounted_application_has_the_same_session(desk: Front) -> None:
    """Whether or not it brings a session middleware of ours; the exempt path is the whole one."""
    token = await desk.stored()

    async def write(request: Request) -> Response:
        session_from(request)[request.scope["root_path"]] = 1
        return PlainTextResponse(request.url.path)

    inner = Starlette(routes=[Route("/write", write, methods=["POST"])])
    stack = [Middleware(SessionMiddleware, manager=desk.manager, csrf_exempt=["/a/write"])]
    own = Starlette(routes=inner.routes, middleware=stack)
    app = Starlette(routes=[Mount("/a", inner), Mount("/b", own)], middleware=stack)
    browser = desk.browser(app, headers=cookie(token))
    assert (await browser.post("/a/write", headers={"sec-fetch-site": "cross-site"})).text == "/a/write"
    assert (await browser.post("/b/write", headers={"sec-fetch-site": "cross-site"})).status_code == 403
    assert (await browser.post("/b/write")).text == "/b/write"
    assert await desk.fields(token) == {"cart": [1], "/a": 1, "/b": 1}
    assert desk.calls == ["load", "commit"] * 2


async def test_another_session_middleware_inside_is_left_alone(desk: Front) -> None:
    """A mounted sqladmin brings Starlette's own: that is its `request.session`; ours is neither lost nor mixed."""
    token = await desk.signed_in(cart=1)

    class Other:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            scope["session"] = {"theirs": 1}
            await self.app(scope, receive, send)

    inner = Starlette(routes=[Route("/", show)], middleware=[Middleware(Other)])
    app = Starlette(routes=[Mount("/admin", inner)], middleware=[Middleware(SessionMiddleware, manager=desk.manager)])
    assert (await desk.browser(app).get("/admin/", headers=cookie(token))).json()["session"] == {"theirs": 1}
    assert await desk.fields(token) == {"cart": 1}


async def test_one_response_object_sent_to_many_carries_nobodys_cookie(desk: Front) -> None:
    """A module's constant response: its headers must never keep a visitor's token."""
    shared = PlainTextResponse("welcome", headers={"Cache-Control": "max-age=60"})

    async def login(request: Request) -> Response:
        if "in" in request.query_params:
            session_from(request).login("7")
        return shared

    app = Starlette(routes=[Route("/", login)], middleware=[Middleware(SessionMiddleware, manager=desk.manager)])
    tokens = [set_cookies(await desk.browser(app).get("/?in")) for _ in range(2)]
    assert [len(headers) for headers in tokens] == [1, 1]
    assert tokens[0] != tokens[1]
    response = await desk.browser(app).get("/")
    assert set_cookies(response) == []
    assert response.headers["cache-control"] == "max-age=60"
    assert "vary" not in response.headers


async def test_cors_outside_answers_preflights_and_lets_the_trusted_origin_in(desk: Front) -> None:
    """Two settings name the same front end; the refusal of others can be read by none."""
    front_end = "https://front.example"
    stack = [
        Middleware(CORSMiddleware, allow_origins=[front_end], allow_credentials=True, allow_methods=["POST"]),
        Middleware(SessionMiddleware, manager=desk.manager, trusted_origins=[front_end]),
    ]
    browser = desk.browser(Starlette(routes=[Route("/add", add, methods=["POST"])], middleware=stack))
    preflight = {"origin": front_end, "access-control-request-method": "POST"}
    assert (await browser.options("/add", headers=preflight)).headers["access-control-allow-origin"] == front_end
    response = await browser.post("/add?item=hat", headers={"origin": front_end, "sec-fetch-site": "cross-site"})
    assert response.status_code == 307
    assert response.headers["access-control-allow-origin"] == front_end
    assert vary(response) >= {"origin", "cookie"}
    refused = await browser.post("/add?item=hat", headers={"origin": ORIGIN + ".evil"})
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers


def templates() -> Iterator[Jinja2Templates]:
    source = "{{ session.user_id }}|{{ session.cart }}|{{ csrf_input() }}|<body hx-headers='{{ csrf_headers() }}'>"
    yield Jinja2Templates(
        env=Environment(loader=DictLoader({"a": source}), autoescape=True), context_processors=[session_context]
    )


async def test_templates_show_the_session_and_its_token_unescaped() -> None:
    """`session_context` is all that a template needs; fields are escaped, the hidden input is HTML."""
    (pages,) = templates()
    front = Front("starlette")
    token = await front.signed_in(cart="<b>")

    async def page(request: Request) -> Response:
        return pages.TemplateResponse(request, "a")

    app = Starlette(routes=[Route("/", page)], middleware=[Middleware(SessionMiddleware, manager=front.manager)])
    user, cart, field, attribute = (await front.browser(app).get("/", headers=cookie(token))).text.split("|")
    assert (user, cart) == ("7", "&lt;b&gt;")
    assert field.startswith('<input type="hidden" name="_csrf" value="')
    assert json.loads(attribute.partition("'")[2].partition("'")[0]).keys() == {"X-Coatcheck-CSRF"}
    assert (await front.browser(app).get("/")).text.endswith("||<body hx-headers='{}'>")


@pytest.mark.parametrize("around", [True, False])
def test_starlettes_own_middleware_beside_ours_is_named(around: bool) -> None:
    """Around ours it would write our session into its cookie, which everybody can read; inside it would hide ours."""

    async def write(request: Request) -> Response:
        request.session["code"] = "424242"
        return PlainTextResponse("written")

    ours = Middleware(SessionMiddleware, manager=AsyncSessionManager("memory://", secret=KEY))
    own = Middleware(StarlettesOwn, secret_key="theirs")
    app = Starlette(routes=[Route("/", write)], middleware=[own, ours] if around else [ours, own])
    with pytest.raises(ConfigurationError, match="two sessions"), TestClient(app) as browser:
        browser.get("/")
