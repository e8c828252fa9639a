"""One request of each class, as a page behind the middleware over one store, with visitors who ask for it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import count
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bench.footprint import data
from bench.visits import App, Visit, Wrong
from coatcheck import AsyncSessionManager, Policy, SessionManager
from coatcheck.integrations.starlette import SessionMiddleware, session_from

SIZE = 1_000
"""Bytes of data in a session, about."""
PER_USER = 2
"""Sessions of a user who looks at the list, or ends the others."""

Page = Callable[[Request], Awaitable[PlainTextResponse]]

SETS_COOKIE = {"rotate", "login", "logout"}


def served(page: Page, *middleware: Middleware) -> App:
    """An application of one page."""
    return Starlette(routes=[Route("/", page)], middleware=list(middleware))


async def bare(_: Request) -> PlainTextResponse:
    """What a page costs that knows nobody."""
    return PlainTextResponse("0")


class Requests:
    """All classes over one store. Bodies are numbers that show what was done."""

    def __init__(self, url: str) -> None:
        secret = secrets.token_urlsafe(32)
        self._before = SessionManager(url, secret=secret, clock=time.time)
        """Makes the sessions, and looks at them afterwards."""
        self._usual = AsyncSessionManager(url, secret=secret, clock=time.time)
        touchy = Policy(touch_interval=timedelta(milliseconds=1), rotation_interval=None)
        self._touchy = AsyncSessionManager(url, secret=secret, clock=time.time, policy=touchy)
        # Rotation is due after a day, a touch after a tenth of fourteen.
        self._later = AsyncSessionManager(url, secret=secret, clock=lambda: time.time() + 86_460)
        self._numbers, self._kept = count(1), dict[int, list[str]]()
        pages: dict[str, tuple[Page, AsyncSessionManager]] = {
            "visitor": (self._read, self._usual),
            "read": (self._read, self._usual),
            "touch": (self._read, self._touchy),
            "rotate": (self._read, self._later),
            "write": (self._write, self._usual),
            "login": (self._login, self._usual),
            "logout": (self._logout, self._usual),
            "list": (self._list, self._usual),
            "revoke": (self._revoke, self._usual),
            "ticket": (self._ticket, self._usual),
        }
        self.apps = {
            name: served(page, Middleware(SessionMiddleware, manager=manager))
            for name, (page, manager) in pages.items()
        }

    async def _read(self, request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(session_from(request))))

    async def _write(self, request: Request) -> PlainTextResponse:
        session_from(request)["n"] = 1
        return PlainTextResponse("0")

    async def _login(self, request: Request) -> PlainTextResponse:
        session = session_from(request)
        session.login(f"newcomer-{next(self._numbers)}")
        session.update(data(SIZE))
        return PlainTextResponse("0")

    async def _logout(self, request: Request) -> PlainTextResponse:
        session_from(request).logout()
        return PlainTextResponse("0")

    async def _list(self, request: Request) -> PlainTextResponse:
        user = str(session_from(request).user_id)
        return PlainTextResponse(str(len(await self._usual.sessions(user))))

    async def _revoke(self, request: Request) -> PlainTextResponse:
        session = session_from(request)
        return PlainTextResponse(str(await self._usual.revoke_user(str(session.user_id), keep=session)))

    async def _ticket(self, request: Request) -> PlainTextResponse:
        session, tickets = session_from(request), self._usual.tickets
        jwt = await tickets.issue("download", {"file": "a.pdf"}, session=session)
        ticket = await tickets.redeem(jwt, "download", session)
        return PlainTextResponse(str(len(ticket.claims)))

    def visits(self, name: str, number: int) -> list[Visit]:
        """As many visitors as asked for, each with a session of an own user, made now; nobody for a "visitor"."""
        if name in {"visitor", "login"}:
            return [Visit.of("0")] * number
        several = PER_USER if name in {"list", "revoke"} else 1
        body = {"list": str(PER_USER), "revoke": str(PER_USER - 1), "ticket": "1"}.get(
            name, "2" if name in {"read", "touch", "rotate"} else "0"
        )
        return [Visit.of(body, cookie=self._cookies(several)[0]) for _ in range(number)]

    def _cookies(self, several: int) -> list[str]:
        user, found = f"user-{next(self._numbers)}", []
        for _ in range(several):
            session = self._before.load(None)
            session.login(user)
            session.update(data(SIZE))
            done = self._before.commit(session)
            found.append(str(self._before.cookie.set_cookie(done)).partition(";")[0])
        return found

    def prove(self, name: str, visit: Visit) -> None:
        """Look into the store whether that visitor's request did what its answer does not show. Raises `Wrong`."""
        if name not in {"touch", "write", "logout"}:
            return
        cookie = dict(visit.scope["headers"])[b"cookie"].decode()
        session = self._before.load(self._before.cookie.read(cookie))
        info = session.info
        done: dict[str, Any] = {
            "touch": info is not None and info.last_seen_at > info.created_at,
            "write": session.get("n") == 1,
            "logout": session.ended_reason == "logout",
        }
        if not done[name]:
            raise Wrong(f"{name} did nothing")

    async def close(self) -> None:
        """Give the connections back."""
        self._before.close()
        for manager in (self._usual, self._touchy, self._later):
            await manager.aclose()
