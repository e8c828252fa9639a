"""A page of `coatcheck.pages` in Litestar.

Litestar([pages("/account/devices", Devices(login_url="/login"))], on_app_init=[sessions.on_app_init])
"""

from __future__ import annotations

from typing import Any

from litestar import asgi

from ..pages import Page
from .asgi_pages import PagesApp
from .litestar import manager_from
from .litestar_visit import session_from


def pages(at: str, page: Page) -> Any:
    """A route handler that serves a page, and what belongs to it, at that path."""
    app = PagesApp(page, at=at, session_from=session_from, manager_from=manager_from)

    @asgi(at, is_mount=True, copy_scope=False)
    async def handler(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return handler
