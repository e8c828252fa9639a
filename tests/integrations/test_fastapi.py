"""FastAPI: typed dependencies, and the cookie in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any

import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Form, HTTPException, WebSocket
from starlette.testclient import TestClient

from coatcheck import AsyncSessionManager
from coatcheck.integrations.fastapi import (
    CurrentSession,
    CurrentUserId,
    FreshUserId,
    SessionMiddleware,
    Sessions,
    fresh_user_id,
    manager_from,
)
from tests.integrations.front import Front, cookie, set_cookies

Recent = Annotated[str, Depends(fresh_user_id(timedelta(minutes=1)))]


def application(manager: AsyncSessionManager) -> FastAPI:
    """An application with one route for each dependency."""
    app = FastAPI()
    app.add_middleware(SessionMiddleware, manager=manager)

    @app.get("/visits")
    async def visits(session: CurrentSession) -> int:
        session["visits"] = session.get("visits", 0) + 1
        return int(session["visits"])

    @app.get("/me")
    async def me(user_id: CurrentUserId) -> str:
        return user_id

    @app.get("/sync")
    def sync(user_id: CurrentUserId, session: CurrentSession) -> str:
        session["seen"] = True
        return user_id

    @app.post("/password")
    async def password(user_id: FreshUserId) -> str:
        return user_id

    @app.post("/recent")
    async def recent(user_id: Recent) -> str:
        return user_id

    @app.get("/devices")
    async def devices(user_id: CurrentUserId, sessions: Sessions) -> list[str]:
        return [info.handle for info in await sessions.sessions(user_id)]

    @app.websocket("/ws")
    async def ws(socket: WebSocket, session: CurrentSession, sessions: Sessions) -> None:
        await socket.accept()
        await socket.send_json([session.user_id, sessions is manager])
        await socket.close()

    return app


@pytest.fixture
def front() -> Front:
    """FastAPI alone."""
    return Front("fastapi")


@pytest.fixture
def browser(front: Front) -> httpx.AsyncClient:
    """A browser before that application."""
    return front.browser(application(front.manager))


async def test_the_session_is_a_dependency(browser: httpx.AsyncClient) -> None:
    """The same one as `request.session`."""
    assert [(await browser.get("/visits")).json() for _ in range(3)] == [1, 2, 3]


async def test_no_request_takes_a_thread(
    front: Front, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FastAPI runs a dependency that is a plain function on a thread: ours are coroutines."""

    async def no_thread(*_: Any, **__: Any) -> None:
        raise AssertionError("a thread")

    monkeypatch.setattr("anyio.to_thread.run_sync", no_thread)
    token = await front.signed_in("7")
    for method, path in (("GET", "/visits"), ("GET", "/me"), ("GET", "/devices"), ("POST", "/recent")):
        assert (await browser.request(method, path, headers=cookie(token))).status_code == 200


async def test_a_user_is_asked_for_in_one_word(front: Front, browser: httpx.AsyncClient) -> None:
    """401 in plain words for nobody, also for an ended session; synchronous routes too."""
    for path in ("/me", "/sync", "/devices"):
        response = await browser.get(path)
        assert response.status_code == 401
        assert response.json() == {"detail": "Please sign in."}
    token = await front.signed_in("7")
    for path in ("/me", "/sync"):
        assert (await browser.get(path, headers=cookie(token))).json() == "7"
    assert await front.fields(token) == {"seen": True}
    assert (await browser.get("/devices", headers=cookie(token))).json() == [token[:22]]
    await front.aside.revoke(token[:22])
    assert (await browser.get("/me", headers=cookie(token))).status_code == 401


async def test_what_matters_asks_for_a_recent_sign_in(front: Front, browser: httpx.AsyncClient) -> None:
    """ASVS 7.5.3: ten minutes by default, or what the route says."""
    token = await front.signed_in("7")
    assert (await browser.post("/password")).status_code == 401
    for seconds, recent, fresh in ((60, 200, 200), (1, 401, 200), (539, 401, 200), (1, 401, 401)):
        front.clock.advance(seconds)
        assert (await browser.post("/recent", headers=cookie(token))).status_code == recent
        assert (await browser.post("/password", headers=cookie(token))).status_code == fresh
    response = await browser.post("/password", headers=cookie(token))
    assert response.json() == {"detail": "Please sign in again to do this."}
    assert (await browser.get("/me", headers=cookie(token))).status_code == 200


def test_the_openapi_document_names_the_cookie(front: Front) -> None:
    """Generated clients and the documentation page know where the credential is, and which routes need it."""
    schema = application(front.manager).openapi()
    (scheme,) = schema["components"]["securitySchemes"].items()
    assert scheme[0] == "session"
    assert {key: scheme[1][key] for key in ("type", "in", "name")} == {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-coatcheck",
    }
    for path, method, needs in (("/me", "get", True), ("/password", "post", True), ("/visits", "get", False)):
        assert (schema["paths"][path][method].get("security") == [{"session": []}]) is needs


def test_dependencies_work_in_websockets(front: Front) -> None:
    """They ask for a connection, not for a request."""
    with TestClient(application(front.manager)).websocket_connect("/ws") as socket:
        assert socket.receive_json() == [None, True]


def test_the_manager_is_found_from_the_application(front: Front) -> None:
    """Before and after it has started."""
    app = application(front.manager)
    assert manager_from(app) is front.manager
    with TestClient(app):
        assert manager_from(app) is front.manager


async def test_a_login_route_is_eight_lines(front: Front) -> None:
    """What the documentation promises: form in, session out; wrong passwords change nothing."""
    app = FastAPI()
    app.add_middleware(SessionMiddleware, manager=front.manager)
    users = {"ada": ("7", "secret")}

    @app.post("/login", status_code=204, response_model=None)
    async def login(name: Annotated[str, Form()], password: Annotated[str, Form()], session: CurrentSession) -> None:
        user_id, expected = users.get(name, ("", ""))
        if not expected or password != expected:
            raise HTTPException(401, "Wrong name or password.")
        session.login(user_id, remember=True)

    browser = front.browser(app)
    response = await browser.post("/login", data={"name": "ada", "password": "guess"})
    assert (response.status_code, set_cookies(response)) == (401, [])
    response = await browser.post("/login", data={"name": "ada", "password": "secret"})
    assert (response.status_code, len(set_cookies(response))) == (204, 1)
    assert [info.current for info in await front.aside.sessions("7")] == [False]


async def test_yield_dependencies_and_background_tasks_may_still_write(front: Front) -> None:
    """16: FastAPI leaves them after the response; what they write is committed, an exception in a route drops it."""
    token = await front.stored()
    app = FastAPI()
    app.add_middleware(SessionMiddleware, manager=front.manager)

    def counted(session: CurrentSession) -> Iterator[None]:
        yield
        session["left"] = session.get("left", 0) + 1

    @app.get("/", dependencies=[Depends(counted)])
    async def page(session: CurrentSession, tasks: BackgroundTasks) -> None:
        tasks.add_task(session.update, mailed=1)

    @app.get("/broken", dependencies=[Depends(counted)])
    async def broken(session: CurrentSession) -> None:
        session["lost"] = 1
        raise ZeroDivisionError

    browser = front.browser(app, headers=cookie(token))
    assert (await browser.get("/")).status_code == 200
    assert await front.fields(token) == {"cart": [1], "left": 1, "mailed": 1}
    with pytest.raises(ZeroDivisionError):
        await browser.get("/broken")
    assert await front.fields(token) == {"cart": [1], "left": 1, "mailed": 1}


async def test_a_validation_error_is_an_answer_and_commits(front: Front) -> None:
    """422 is no fault of the server: what a dependency wrote stays."""
    token = await front.stored()
    app = FastAPI()
    app.add_middleware(SessionMiddleware, manager=front.manager)

    def counts(session: CurrentSession) -> None:
        session["tries"] = session.get("tries", 0) + 1

    @app.get("/{number}", dependencies=[Depends(counts)])
    async def page(number: int) -> Any:
        return number

    response = await front.browser(app).get("/x", headers=cookie(token))
    assert response.status_code == 422
    assert (await front.fields(token))["tries"] == 1
