"""A page of `coatcheck.pages`, mounted in an ASGI application.

app.mount("/account/devices", PagesApp(Devices(login_url="/login")))  # Starlette, FastAPI
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..manager import AsyncSessionManager
from ..pages import MAX_BODY, Ask, Page, answer_async, fields, too_large
from ..replies import Reply
from ..session import Session
from . import asgi
from .asgi_messages import Receive, Scope, Send
from .asgi_visit import POLICY_VIOLATION


class PagesApp:
    """An ASGI application to mount below `SessionMiddleware`."""

    def __init__(
        self,
        page: Page,
        *,
        session_from: Callable[[Any], Session] = asgi.session_from,
        manager_from: Callable[[Any], AsyncSessionManager] = asgi.manager_from,
    ) -> None:
        self._page = page
        self._session_from, self._manager_from = session_from, manager_from

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        if scope["type"] == "http":
            made = await self._answer(scope, receive)
            await send({"type": "http.response.start", "status": made.status, "headers": made.headers})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else made.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        body = b""
        if scope["method"] == "POST":
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    break
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > MAX_BODY:
                    return too_large()
        base = scope.get("root_path", "").rstrip("/")
        ask = Ask(
            method=scope["method"],
            path=_below(base, scope).rstrip("/"),  # Litestar adds one
            base=base,
            session=self._session_from(scope),
            query=fields(scope.get("query_string", b"")),
            form=fields(body),
        )
        return await answer_async(self._page, ask, self._manager_from(scope))


def _below(base: str, scope: Scope) -> str:
    """What follows the mount. A proxy may have taken a prefix off the path that the application was told of."""
    path: str = scope["path"]
    for start in (base, base.removeprefix(scope.get("app_root_path", "").rstrip("/"))):
        if path == start or path.startswith(f"{start}/"):
            return path[len(start) :]
    return path
