"""An application in Starlette over one store, with visitors whose sessions are of a given size."""

from __future__ import annotations

import asyncio
import secrets
import time
from itertools import count
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bench.visits import Wrong
from bench.worlds.asking import Asgi, Shown
from coatcheck import AsyncSessionManager, SessionManager
from coatcheck.integrations.starlette import SessionMiddleware, session_from

LAP = {"read": 40, "write": 20, "list": 20, "login": 10, "revoke": 10}
"""Requests that are timed together; with more in flight, two waves."""
_numbers = count(1)


class Site:
    """`size`, `fields`, `sessions`: characters of each visitor's data, in so many fields; sessions of each user."""

    def __init__(self, url: str | None, *, size: int = 0, fields: int = 1, sessions: int = 1, flight: int = 1) -> None:
        """Without a URL it is bare."""
        self._flight, self._asgi = flight, Asgi()
        self._made: list[str] = []
        """Handles of the sessions that a lap has begun with a login, or is to end."""
        self._managers: tuple[SessionManager, AsyncSessionManager] | None = None
        middleware = []
        cookies = ["session=" + "x" * 86] * flight
        if url is not None:
            settings: dict[str, Any] = {"secret": secrets.token_urlsafe(32), "namespace": f"growth-{next(_numbers)}"}
            self._managers = SessionManager(url, **settings), AsyncSessionManager(url, **settings)
            middleware = [Middleware(SessionMiddleware, manager=self._managers[1])]
            data = {f"field-{number}": "x" * (size // fields) for number in range(fields)}
            for number in range(flight):
                for _ in range(sessions):
                    cookies[number] = self._sign_in(f"user-{number}", data)[1]
        self._app = Starlette(routes=[Route("/{kind}", self._page, methods=["GET", "POST"])], middleware=middleware)
        self._cookies = cookies

    @property
    def _beside(self) -> SessionManager:
        assert self._managers is not None
        return self._managers[0]

    def _sign_in(self, user: str, data: dict[str, Any]) -> tuple[str, str]:
        session = self._beside.load(None)
        session.login(user)
        session.update(data)
        done = self._beside.commit(session)
        return str(session.handle), str(self._beside.cookie.set_cookie(done)).partition(";")[0]

    async def _page(self, request: Request) -> PlainTextResponse:
        kind = request.path_params["kind"]
        if self._managers is None:
            return PlainTextResponse(kind)
        session, manager = session_from(request), self._managers[1]
        user = str(session.user_id)
        if kind == "read":
            kind = "read" if session["field-0"] is not None else ""
        elif kind == "write":
            session["n"] = next(_numbers)
        elif kind == "login":
            session.login("user-0")
            self._made.append(str(session.handle))
        elif kind == "list" and not await manager.sessions(user, current=session):
            kind = "nobody"
        elif kind == "revoke" and not await manager.revoke(self._made.pop(), user_id=user):
            kind = "nothing"
        return PlainTextResponse(kind)

    async def lap(self, kind: str) -> float:
        """Seconds a request. Raises `Wrong` for an answer that is not what was asked for."""
        number = LAP[kind] if self._flight == 1 else 2 * self._flight
        if kind == "revoke":
            self._made = [self._sign_in("user-0", {})[0] for _ in range(number)]
        method = "GET" if kind in {"read", "list"} else "POST"
        visits = []
        for cookie in self._cookies:
            visit = self._asgi.visit(Shown(method, cookie=None if kind == "login" else cookie))
            visits.append(visit | {"path": f"/{kind}", "raw_path": b"/" + kind.encode()})
        wanted = (200, kind.encode())

        async def ask(place: int) -> None:
            answer = await self._asgi.ask(self._app, visits[place])
            if answer[:2] != wanted:
                raise Wrong(f"{answer} in place of {wanted}")

        await asyncio.sleep(0)
        began = time.perf_counter()
        if self._flight == 1:
            for _ in range(number):
                await ask(0)
        else:
            for _ in range(number // self._flight):
                async with asyncio.TaskGroup() as group:
                    for place in range(self._flight):
                        group.create_task(ask(place))
        spent = time.perf_counter() - began
        if self._managers is not None:
            for handle in self._made:  # as many sessions as before
                self._beside.revoke(handle)
            self._made.clear()
        return spent / number

    async def close(self) -> None:
        """Give the connections back."""
        if self._managers is not None:
            self._managers[0].close()
            await self._managers[1].aclose()
