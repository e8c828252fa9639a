"""Code that was written for aiohttp_session keeps working, and its logins and logouts are ones."""

from __future__ import annotations

import json
from typing import Any

import aiohttp_session
import pytest
from aiohttp import web
from aiohttp_session import get_session, new_session

from coatcheck import AsyncSessionManager
from coatcheck.errors import ConfigurationError
from coatcheck.integrations.aiohttp import session_from, setup
from coatcheck.integrations.aiohttp_storage import CoatcheckStorage
from tests.apps.aiohttp_tools import client, manager, post, seen

pytestmark = pytest.mark.filterwarnings("ignore:It is recommended to use web.*Key instances")


def application(*routes: Any, ours_first: bool = True, **settings: Any) -> tuple[web.Application, AsyncSessionManager]:
    """An application of aiohttp_session's, over ours."""
    app, sessions = web.Application(), manager(**settings)
    if ours_first:
        setup(app, sessions)
    aiohttp_session.setup(app, CoatcheckStorage())
    if not ours_first:
        setup(app, sessions)
    app.add_routes([web.get("/me", me), *routes])
    return app, sessions


async def me(request: web.Request) -> web.Response:
    stored = await get_session(request)
    return web.json_response([session_from(request).user_id, json.loads(json.dumps(dict(stored)))])


async def sign_in(request: web.Request) -> web.Response:
    """As aiohttp_session's documentation has it."""
    stored = await new_session(request)
    assert stored.empty
    stored["user_id"] = request.match_info["user"]
    raise web.HTTPFound("/me")


async def sign_out(request: web.Request) -> web.Response:
    (await get_session(request)).invalidate()
    return web.Response()


async def add(request: web.Request) -> web.Response:
    stored = await get_session(request)
    stored.setdefault("cart", []).append(request.query["item"])
    stored.changed()
    return web.Response()


@pytest.mark.parametrize("ours_first", [True, False])
async def test_logins_and_logouts_of_old_code_are_ones(ours_first: bool) -> None:
    """5: `new_session` against fixation, by `user_field`; `invalidate` ends it, its copies with it."""
    routes = [web.post("/in/{user}", sign_in), web.post("/out", sign_out), web.post("/add", add)]
    app, sessions = application(*routes, ours_first=ours_first, user_field="user_id")
    async with client(app) as browser:
        await post(browser, "/add?item=hat")
        assert await seen(browser) == [None, {"cart": ["hat"]}]
        await post(browser, "/in/ada")
        assert await seen(browser) == ["ada", {"user_id": "ada"}]
        (first,) = await sessions.sessions("ada")
        await post(browser, "/in/ada")
        (second,) = await sessions.sessions("ada")
        assert first.handle != second.handle
        await post(browser, "/add?item=coat")
        await post(browser, "/add?item=scarf")
        assert await seen(browser) == ["ada", {"user_id": "ada", "cart": ["coat", "scarf"]}]
        await post(browser, "/out")
        assert await seen(browser) == [None, {}]
        assert await sessions.sessions("ada") == []


async def test_a_field_of_the_user_taken_away_is_a_logout() -> None:
    """With `user_field`: `del session["user_id"]`."""

    async def forget(request: web.Request) -> web.Response:
        del (await get_session(request))["user_id"]
        return web.Response()

    app, sessions = application(web.post("/in/{user}", sign_in), web.post("/del", forget), user_field="user_id")
    async with client(app) as browser:
        await post(browser, "/in/ada")
        await post(browser, "/del")
        assert await sessions.sessions("ada") == []


async def test_what_a_stream_writes_by_get_session_is_kept() -> None:
    """aiohttp_session itself never saves it."""

    async def stream(request: web.Request) -> web.StreamResponse:
        stored, response = await get_session(request), web.StreamResponse()
        stored["before"] = 1
        await response.prepare(request)
        stored["after"] = 2
        await response.write(b"x")
        return response

    app, _ = application(web.post("/", stream))
    async with client(app) as browser:
        await post(browser, "/")
        assert await seen(browser) == [None, {"before": 1, "after": 2}]


async def test_what_else_a_session_tells() -> None:
    """`new`, `identity`, `created`, `max_age`, and a repr without values."""

    async def look(request: web.Request) -> web.Response:
        stored = await get_session(request)
        was = stored.new, stored.identity, stored.created
        stored["pin"] = 1234
        stored.max_age = 60
        assert "1234" not in repr(stored)
        return web.json_response([*was, stored.max_age])

    app, _ = application(web.post("/", look))
    async with client(app) as browser:
        first, second = [json.loads((await post(browser, "/"))[1]) for _ in range(2)]
        assert first[:2] == [True, None]
        assert second[0] is False
        assert len(second[1]) == 22
        assert abs(second[2] - first[2]) <= 2
        assert second[3] == 60


async def test_without_our_setup_it_is_named() -> None:
    """At the first request."""
    app = web.Application()
    aiohttp_session.setup(app, CoatcheckStorage())

    async def either(request: web.Request) -> web.Response:
        for way in (get_session, new_session):
            with pytest.raises(ConfigurationError, match="setup"):
                await way(request)
        return web.Response()

    app.add_routes([web.get("/", either)])
    async with client(app) as browser, browser.get("/") as response:
        assert response.status == 200
