"""Starlette: tokens, signed cookies, starsessions and Coatcheck on each store."""

# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware as SignedCookie
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starsessions import SessionAutoloadMiddleware, SessionMiddleware
from starsessions.session import regenerate_session_id
from starsessions.stores.redis import RedisStore

from coatcheck import AsyncSessionManager
from coatcheck.integrations import starlette as ours

from . import tokens
from .asking import Asgi
from .ours import READS, kept
from .world import LIFETIME, UNTOUCHED, Pages, Place, Subject, World, changed, crowd, shown


def app(page: Callable[..., Any], *middleware: Middleware) -> Starlette:
    return Starlette(routes=[Route("/", page, methods=["GET", "POST"])], middleware=middleware)


async def untouched(_: Request) -> PlainTextResponse:
    return PlainTextResponse(UNTOUCHED)


async def read(request: Request) -> PlainTextResponse:
    session = request.session
    return PlainTextResponse(shown(session.get("sub"), session.get("role"), session.get("n")))


async def write(request: Request) -> PlainTextResponse:
    session = request.session
    session["n"] = crowd.write(session["sub"])
    return PlainTextResponse(changed(session["sub"]))


async def login(request: Request) -> PlainTextResponse:
    request.session.update(crowd.arrive())
    return PlainTextResponse(crowd.arrived(request.session["sub"]))


async def new_login(request: Request) -> PlainTextResponse:
    regenerate_session_id(request)
    return await login(request)


def starsessions(place: Place) -> Subject:
    """As its README sets it up, with its autoload middleware. It saves at every response, changed or not."""
    client = Redis.from_url(str(place.redis))
    middleware = [
        Middleware(SessionMiddleware, store=RedisStore(connection=client), lifetime=LIFETIME),
        Middleware(SessionAutoloadMiddleware),
    ]
    pages: Pages = {"read": read, "untouched": untouched, "write": write, "login": new_login}
    apps = {kind: app(page, *middleware) for kind, page in pages.items()}
    return Subject("starsessions, Redis", apps, saves=True, watch=place.redis)


def signed_cookie() -> Subject:
    """Starlette's own: the data lies in the cookie, signed and readable."""
    middleware = Middleware(SignedCookie, secret_key=secrets.token_hex(32), https_only=True)
    pages: Pages = {"read": read, "untouched": untouched, "write": write, "login": login}
    return Subject(
        "Starlette's signed cookie", {kind: app(page, middleware) for kind, page in pages.items()}, carried=True
    )


def bearer(scheme: tokens.Scheme, denylist: Redis | None = None) -> Subject:
    """A token in a header, checked in the page itself: there is no shorter way."""

    async def check(request: Request) -> dict[str, Any] | None:
        claims: dict[str, Any] = scheme.check(request.headers["authorization"].removeprefix("Bearer "))
        if denylist is not None and await denylist.exists(f"denied:{claims['jti']}"):
            return None
        return claims

    async def reads(request: Request) -> PlainTextResponse:
        claims = await check(request) or {}
        return PlainTextResponse(shown(claims.get("sub"), claims.get("role"), claims.get("n")))

    async def logs_in(_: Request) -> PlainTextResponse:
        claims = crowd.arrive() | {"exp": int(time.time()) + LIFETIME}
        if denylist is not None:
            claims["jti"] = secrets.token_hex(16)
        crowd.arrived(claims["sub"], claims.get("jti"))
        return PlainTextResponse(scheme.sign(claims))

    async def revokes(request: Request) -> PlainTextResponse:
        claims = await check(request) or {}
        done = denylist and await denylist.set(f"denied:{crowd.victim(claims['sub'])}", 1, ex=LIFETIME)
        return PlainTextResponse(str(bool(done)))

    pages: Pages = {"read": reads, "login": logs_in}
    if denylist is not None:
        pages["revoke"] = revokes
    name = scheme.name if denylist is None else f"{scheme.name} and a denylist, Redis"
    return Subject(name, {kind: app(page) for kind, page in pages.items()}, bearer=True)


def coatcheck(reads: AsyncSessionManager, changes: AsyncSessionManager) -> dict[str, Starlette]:
    """The applications of one store."""

    async def show(request: Request) -> PlainTextResponse:
        session = ours.session_from(request)
        return PlainTextResponse(shown(session.user_id, session.get("role"), session.get("n")))

    async def change(request: Request) -> PlainTextResponse:
        session = ours.session_from(request)
        user = str(session.user_id)
        session["n"] = crowd.write(user)
        return PlainTextResponse(changed(user))

    async def sign_in(request: Request) -> PlainTextResponse:
        session, fields = ours.session_from(request), crowd.arrive()
        session.login(fields.pop("sub"))
        session.update(fields)
        return PlainTextResponse(crowd.arrived(str(session.user_id), session.handle))

    async def list_(request: Request) -> PlainTextResponse:
        session = ours.session_from(request)
        return PlainTextResponse(str(len(await reads.sessions(str(session.user_id), current=session))))

    async def revoke(request: Request) -> PlainTextResponse:
        user = str(ours.session_from(request).user_id)
        return PlainTextResponse(str(await changes.revoke(crowd.victim(user), user_id=user)))

    pages: Pages = {"read": show, "untouched": untouched, "write": change, "login": sign_in, "list": list_}
    pages["revoke"] = revoke
    return {
        kind: app(page, Middleware(ours.SessionMiddleware, manager=reads if kind in READS else changes))
        for kind, page in pages.items()
    }


async def world(place: Place) -> World:
    subjects = [bearer(scheme) for scheme in tokens.schemes()]
    subjects.append(signed_cookie())
    if place.redis:
        subjects += [bearer(tokens.pyjwt("HS256"), Redis.from_url(place.redis)), starsessions(place)]
    stores = kept("starlette", place, "memory", "SQLite", "Redis", "Redis, near cache", "PostgreSQL")
    subjects += [store.subject(place, AsyncSessionManager, coatcheck) for store in stores]
    return World(
        Asgi(),
        app(untouched),
        subjects,
        ("starlette", "starsessions", "pyjwt", "joserfc", "redis", "hiredis", "psycopg"),
    )
