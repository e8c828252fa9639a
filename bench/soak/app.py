"""The application that is soaked, in several worker processes. The environment says over which store.

`SOAK_FORGETS` breaks a promise on purpose, to show that the oracle would notice.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from coatcheck import AsyncSessionManager, Policy
from coatcheck.integrations.gate import TicketGate, ticket_from
from coatcheck.integrations.starlette import SessionMiddleware, session_from
from coatcheck.store import Taken

from .fast import clock

TTL = timedelta(hours=1)
"""Two and a half seconds, then."""
FORGETS = os.environ.get("SOAK_FORGETS", "")


class Forgetful:
    """A store that acknowledges what it does not do."""

    def __init__(self, store: Any, what: str) -> None:
        self._store, self._what = store, what

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def _live(self, user_id: str) -> list[str]:
        return [record.handle for record in await self._store.sessions(user_id, clock(), 100, None)]

    async def revoke_user(self, user_id: str, *args: Any) -> list[str]:
        """Ends nothing, if that is what it forgets."""
        if self._what == "revocations":
            return await self._live(user_id)
        handles: list[str] = await self._store.revoke_user(user_id, *args)
        return handles

    async def update_user(self, user_id: str, *args: Any) -> int:
        """Changes nothing, if that is what it forgets."""
        if self._what == "updates":
            return len(await self._live(user_id))
        count: int = await self._store.update_user(user_id, *args)
        return count

    async def redeem(self, handle: str, jti: str, nonce: str, note: str, now: float, until: float) -> Taken:
        """Lets everybody win, if that is what it forgets."""
        taken: Taken = await self._store.redeem(handle, jti, nonce, note, now, until)
        return taken._replace(won=True) if self._what == "tickets" else taken

    async def commit(self, handle: str, change: Any, now: float) -> Any:
        """Keeps only the last of a change's fields, if that is what it forgets."""
        if self._what == "writes" and change.set:
            name = min(change.set)
            change = change._replace(set={name: change.set[name]}, delete=tuple({"a", "b", "c", "d"} - {name}))
        return await self._store.commit(handle, change, now)


# Rotation is off: in fast motion the minute in which both secrets are good would be 40 milliseconds.
manager = AsyncSessionManager(clock=clock, policy=Policy(rotation_interval=None))
if FORGETS:
    manager.store = Forgetful(manager.store, FORGETS)


async def me(request: Request) -> Response:
    """Who asks, with what in the session, and which process says so."""
    session = session_from(request)
    return JSONResponse({"user": session.user_id, "fields": dict(session), "process": os.getpid()})


async def login(request: Request) -> Response:
    """Sign in as whoever the path says."""
    session_from(request).login(request.path_params["user"])
    return PlainTextResponse("in")


async def logout(request: Request) -> Response:
    """Sign out."""
    session_from(request).logout()
    return PlainTextResponse("out")


async def write(request: Request) -> Response:
    """Change one field."""
    session_from(request)[request.path_params["field"]] = request.path_params["value"]
    return PlainTextResponse("written")


async def revoke(request: Request) -> Response:
    """End all of a user's sessions; how many."""
    return PlainTextResponse(str(await manager.revoke_user(request.path_params["user"])))


async def update(request: Request) -> Response:
    """Change a field in all of a user's sessions; in how many."""
    fields = {"role": request.path_params["value"]}
    return PlainTextResponse(str(await manager.update_user(request.path_params["user"], fields)))


async def ask(request: Request) -> Response:
    """A ticket."""
    claims = {"file": request.path_params["file"]}
    return PlainTextResponse(await manager.tickets.issue("download", claims, session=session_from(request), ttl=TTL))


async def download(scope: Any, receive: Any, send: Any) -> None:
    """What the ticket is for."""
    await PlainTextResponse(ticket_from(scope).claims["file"])(scope, receive, send)


app = Starlette(
    routes=[
        Route("/me", me),
        Route("/login/{user}", login, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
        Route("/write/{field}/{value:int}", write, methods=["POST"]),
        Route("/revoke/{user}", revoke, methods=["POST"]),
        Route("/update/{user}/{value:int}", update, methods=["POST"]),
        Route("/ask/{file}", ask),
        Route("/download", TicketGate(download)),
    ],
    middleware=[Middleware(SessionMiddleware, manager=manager)],
)
