"""Litestar: its own server-side sessions on Redis, and Coatcheck."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import HttpMethod, Litestar, MediaType, Request, route
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.stores.redis import RedisStore

from coatcheck import AsyncSessionManager
from coatcheck.integrations.litestar import SessionConfig, session_from

from .asking import Asgi
from .ours import READS, kept
from .world import UNTOUCHED, Pages, Place, Subject, World, changed, crowd, shown

Asked = Request[Any, Any, Any]


def app(page: Callable[..., Any], **settings: Any) -> Litestar:
    methods = [HttpMethod.GET, HttpMethod.POST]
    handler = route("/", http_method=methods, status_code=200, media_type=MediaType.TEXT)(page)
    return Litestar([handler], openapi_config=None, logging_config=None, **settings)


async def untouched() -> str:
    return UNTOUCHED


async def read(request: Asked) -> str:
    session = request.session
    return shown(session.get("sub"), session.get("role"), session.get("n"))


async def write(request: Asked) -> str:
    session = request.session
    session["n"] = crowd.write(session["sub"])
    return changed(session["sub"])


async def login(request: Asked) -> str:
    request.set_session(crowd.arrive())
    return crowd.arrived(request.session["sub"])


def own(url: str) -> Subject:
    """As its documentation sets it up. It saves at every response."""
    pages: Pages = {"read": read, "untouched": untouched, "write": write, "login": login}
    store = RedisStore.with_client(url=url)
    config = ServerSideSessionConfig(secure=True)
    apps = {kind: app(page, middleware=[config.middleware], stores={"sessions": store}) for kind, page in pages.items()}
    return Subject("Litestar's sessions, Redis", apps, saves=True, watch=url)


def coatcheck(reads: AsyncSessionManager, changes: AsyncSessionManager) -> dict[str, Litestar]:
    """The applications of one store."""

    async def show(request: Asked) -> str:
        session = session_from(request)
        return shown(session.user_id, session.get("role"), session.get("n"))

    async def change(request: Asked) -> str:
        session = session_from(request)
        user = str(session.user_id)
        session["n"] = crowd.write(user)
        return changed(user)

    async def sign_in(request: Asked) -> str:
        session, fields = session_from(request), crowd.arrive()
        session.login(fields.pop("sub"))
        session.update(fields)
        return crowd.arrived(str(session.user_id), session.handle)

    async def list_(request: Asked) -> str:
        session = session_from(request)
        return str(len(await reads.sessions(str(session.user_id), current=session)))

    async def revoke(request: Asked) -> str:
        user = str(session_from(request).user_id)
        return str(await changes.revoke(crowd.victim(user), user_id=user))

    pages: Pages = {"read": show, "untouched": untouched, "write": change, "login": sign_in, "list": list_}
    pages["revoke"] = revoke
    return {
        kind: app(page, on_app_init=[SessionConfig(reads if kind in READS else changes).on_app_init])
        for kind, page in pages.items()
    }


async def world(place: Place) -> World:
    subjects = [own(place.redis)] if place.redis else []
    stores = kept("litestar", place, "SQLite", "Redis")
    subjects += [store.subject(place, AsyncSessionManager, coatcheck) for store in stores]
    return World(Asgi(), app(untouched), subjects, ("litestar",))
