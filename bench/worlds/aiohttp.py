"""aiohttp: aiohttp-session on Redis, and Coatcheck."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aiohttp_session
from aiohttp import web
from aiohttp_session.redis_storage import RedisStorage
from redis.asyncio import Redis

from coatcheck import AsyncSessionManager
from coatcheck.integrations.aiohttp import session_from, setup

from .asking import AioHttp
from .ours import READS, kept
from .world import LIFETIME, UNTOUCHED, Pages, Place, Subject, World, changed, crowd, shown


def app(page: Callable[..., Any]) -> web.Application:
    made = web.Application()
    made.router.add_route("*", "/", page)
    return made


async def served(apps: dict[str, web.Application]) -> dict[str, Any]:
    """The applications as aiohttp's server has them."""
    found = {}
    for kind, made in apps.items():
        runner = web.AppRunner(made, access_log=None)
        await runner.setup()
        found[kind] = runner.server
    return found


async def untouched(_: web.Request) -> web.Response:
    return web.Response(text=UNTOUCHED)


async def read(request: web.Request) -> web.Response:
    session = await aiohttp_session.get_session(request)
    return web.Response(text=shown(session.get("sub"), session.get("role"), session.get("n")))


async def write(request: web.Request) -> web.Response:
    session = await aiohttp_session.get_session(request)
    session["n"] = crowd.write(session["sub"])
    return web.Response(text=changed(session["sub"]))


async def login(request: web.Request) -> web.Response:
    session = await aiohttp_session.new_session(request)
    session.update(crowd.arrive())
    return web.Response(text=crowd.arrived(session["sub"]))


def aiohttp_session_(url: str) -> Subject:
    """As its documentation sets it up."""
    pages: Pages = {"read": read, "untouched": untouched, "write": write, "login": login}
    apps = {kind: app(page) for kind, page in pages.items()}
    client = Redis.from_url(url)
    for made in apps.values():
        aiohttp_session.setup(made, RedisStorage(client, max_age=LIFETIME, secure=True))
    return Subject("aiohttp-session, Redis", apps, watch=url)


def coatcheck(reads: AsyncSessionManager, changes: AsyncSessionManager) -> dict[str, web.Application]:
    """The applications of one store."""

    async def show(request: web.Request) -> web.Response:
        session = session_from(request)
        return web.Response(text=shown(session.user_id, session.get("role"), session.get("n")))

    async def change(request: web.Request) -> web.Response:
        session = session_from(request)
        user = str(session.user_id)
        session["n"] = crowd.write(user)
        return web.Response(text=changed(user))

    async def sign_in(request: web.Request) -> web.Response:
        session, fields = session_from(request), crowd.arrive()
        session.login(fields.pop("sub"))
        session.update(fields)
        return web.Response(text=crowd.arrived(str(session.user_id), session.handle))

    async def list_(request: web.Request) -> web.Response:
        session = session_from(request)
        return web.Response(text=str(len(await reads.sessions(str(session.user_id), current=session))))

    async def revoke(request: web.Request) -> web.Response:
        user = str(session_from(request).user_id)
        return web.Response(text=str(await changes.revoke(crowd.victim(user), user_id=user)))

    pages: Pages = {"read": show, "untouched": untouched, "write": change, "login": sign_in, "list": list_}
    pages["revoke"] = revoke
    apps = {kind: app(page) for kind, page in pages.items()}
    for kind, made in apps.items():
        setup(made, reads if kind in READS else changes)
    return apps


async def world(place: Place) -> World:
    subjects = [aiohttp_session_(place.redis)] if place.redis else []
    stores = kept("aiohttp", place, "SQLite", "Redis")
    subjects += [store.subject(place, AsyncSessionManager, coatcheck) for store in stores]
    for subject in subjects:
        subject.apps = await served(subject.apps)
    bare = await served({"read": app(untouched)})
    return World(AioHttp(), bare["read"], subjects, ("aiohttp", "aiohttp-session"))
