"""The session cookie: the cookie names a session, and the server holds it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, cast

from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from coatcheck import AsyncSessionManager, CookieSettings, Policy
from coatcheck.integrations.gate import TicketGate, ticket_from
from coatcheck.integrations.starlette import SessionMiddleware, session_from

from .mechanism import Login, Settings


class SessionCookie:
    """Coatcheck as its README uses it."""

    token_format: Literal["signed", "jwt"] = "signed"  # noqa: S105

    def __init__(self, settings: Settings) -> None:
        self.manager = AsyncSessionManager(
            settings.store,
            secret=settings.secret,
            policy=self._expiry(settings),
            cookie=CookieSettings(same_site=cast(Literal["lax", "none"], settings.same_site)),
            namespace=settings.namespace,
            token_format=self.token_format,
        )
        self.middleware = [Middleware(SessionMiddleware, self.manager)]

    async def login_of(self, request: HTTPConnection) -> Login | None:
        session = session_from(request)
        return Login(session.user_id, session) if session.user_id else None

    async def log_in(self, request: Request, response: Response, user: str, fields: Mapping[str, Any]) -> None:
        session = session_from(request)
        session.login(user)
        session.update(fields)

    async def keep(self, request: Request, response: Response, name: str, value: Any) -> None:
        session_from(request)[name] = value

    async def log_out(self, request: Request, response: Response) -> None:
        session_from(request).logout()

    async def revoke(self, user: str) -> int:
        return await self.manager.revoke_user(user)

    async def change_role(self, user: str, role: str) -> int:
        return await self.manager.update_user(user, {"role": role})

    async def ticket(self, request: Request, file: str, seconds: float) -> str:
        ttl = timedelta(seconds=seconds)
        return await self.manager.tickets.issue("download", {"file": file}, session=session_from(request), ttl=ttl)

    def gate(self, files: ASGIApp) -> ASGIApp:
        async def named(scope: Scope, receive: Receive, send: Send) -> None:
            scope["lab.file"] = ticket_from(scope).claims["file"]
            await files(scope, receive, send)

        return TicketGate(named)

    async def shorten(self, request: Request, seconds: float) -> None:
        session_from(request).set_lifetime(absolute=timedelta(seconds=seconds))

    @staticmethod
    def _expiry(settings: Settings) -> Policy:
        absolute = timedelta(seconds=settings.absolute)
        idle = absolute if settings.idle is None else timedelta(seconds=settings.idle)
        return Policy(idle_timeout=idle, absolute_timeout=absolute)


class UncheckedSession(SessionCookie):
    """The same without its middleware's look at where a request comes from."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.middleware = [Middleware(SessionMiddleware, self.manager, csrf="off")]
