"""Litestar: bare, with its own server-side sessions on Redis, and with ours."""

# mypy: disable-error-code="import-not-found, import-untyped, misc, no-redef, possibly-undefined"

from __future__ import annotations

from typing import Any

from litestar import Litestar, MediaType, Request, get, post
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.stores.redis import RedisStore

from .shared import BARE, KIND, LIFETIME, REDIS, ROLE, coatcheck, data, shown

Asked = Request[Any, Any, Any]
settings: dict[str, Any] = {}
more: list[Any] = []

if KIND == "bare":

    async def login() -> str:
        return BARE

    async def read() -> str:
        return BARE

    more = [post("/write", media_type=MediaType.TEXT, status_code=200)(login)]

elif KIND == "litestar":
    settings = {
        "middleware": [ServerSideSessionConfig(max_age=LIFETIME).middleware],
        "stores": {"sessions": RedisStore.with_client(url=REDIS)},
    }

    async def login(request: Asked) -> str:
        request.set_session(data(request.query_params["user"]))
        return shown(request.session)

    async def read(request: Asked) -> str:
        return shown(request.session)

    async def write(request: Asked) -> str:
        request.session["n"] = request.query_params["n"]
        return shown(request.session, "n")

    async def written(request: Asked) -> str:
        return shown(request.session, "n")

    more = [
        post("/write", media_type=MediaType.TEXT, status_code=200)(write),
        get("/n", media_type=MediaType.TEXT)(written),
    ]

else:
    from coatcheck import AsyncSessionManager
    from coatcheck.integrations.litestar import SessionConfig, session_from

    settings = {"on_app_init": [SessionConfig(AsyncSessionManager(**coatcheck())).on_app_init]}

    async def login(request: Asked) -> str:
        session = session_from(request)
        session.login(request.query_params["user"])
        session.update(role=ROLE, n=3)
        return f"{session.user_id} {session['role']}"

    async def read(request: Asked) -> str:
        session = session_from(request)
        return f"{session.user_id} {session.get('role')}"

    async def write(request: Asked) -> str:
        session = session_from(request)
        session["n"] = request.query_params["n"]
        return f"{session.user_id} {session['n']}"

    async def written(request: Asked) -> str:
        session = session_from(request)
        return f"{session.user_id} {session.get('n')}"

    more = [
        post("/write", media_type=MediaType.TEXT, status_code=200)(write),
        get("/n", media_type=MediaType.TEXT)(written),
    ]

app = Litestar(
    [
        post("/login", media_type=MediaType.TEXT, status_code=200)(login),
        get("/read", media_type=MediaType.TEXT)(read),
        *more,
    ],
    **settings,
)
