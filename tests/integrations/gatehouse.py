"""A download behind a ticket gate, for the tests of the gate."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from coatcheck.integrations.gate import TicketGate, ticket_from
from coatcheck.integrations.starlette import SessionMiddleware
from tests.integrations.front import Front, cookie

CONTENT = bytes(range(256)) * 40


class Gatehouse(Front):
    """A front with files to fetch, and what the application behind the gate has served."""

    def __init__(self, folder: Path, store: Any = None, options: dict[str, Any] | None = None, **gate: Any) -> None:
        super().__init__("starlette", store)
        self.served: list[str] = []
        self.status = 0
        """A status in place of the file, once."""
        self.file = folder / "a.pdf"
        self.file.write_bytes(CONTENT)
        os.utime(self.file, (1, 1))
        door = TicketGate(self._send, **gate)
        routes = [Route("/download", door), Route("/other", door)]
        stack = [Middleware(SessionMiddleware, manager=self.manager, **(options or {}))]
        self.web = Starlette(routes=routes, middleware=stack)
        self.client = self.browser(self.web)

    async def _send(self, scope: Any, receive: Any, send: Any) -> None:
        ticket = ticket_from(scope)
        self.served.append(ticket.claims["file"])
        status, self.status = self.status, 0
        response: Response
        if status == 1:
            raise ZeroDivisionError
        if status == 302:
            response = RedirectResponse("https://files.example/a.pdf?signed", 302)
        elif status:
            response = PlainTextResponse("no", status)
        else:
            response = FileResponse(self.file, headers={"Cache-Control": "public", "Referrer-Policy": "unsafe-url"})
        await response(scope, receive, send)

    async def issue(self, token: str, ttl: float = 120, *, bearer: bool = False, purpose: str = "download") -> str:
        """A ticket for the session of that token."""
        session = await self.aside.load(token)
        claims = {"file": "a.pdf"}
        lifetime = timedelta(seconds=ttl)
        return await self.aside.tickets.issue(purpose, claims, session=session, ttl=lifetime, bearer=bearer)

    async def fetch(
        self, ticket: str, token: str | None, method: str = "GET", path: str = "/download", **headers: str
    ) -> httpx.Response:
        """Use a ticket, by its address. A header's name is written with underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()} | (cookie(token) if token else {})
        return await self.client.request(method, path, params={"ticket": ticket}, headers=given)
