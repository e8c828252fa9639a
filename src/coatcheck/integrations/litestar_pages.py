"""A page of `coatcheck.pages` in Litestar.

Litestar([pages("/account/devices", Devices(login_url="/login"))], on_app_init=[sessions.on_app_init])
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from litestar import asgi

from ..pages import Page
from .asgi_pages import PagesApp
from .litestar import manager_from
from .litestar_visit import session_from


def pages(at: str, page: Page) -> Any:
    """A route handler that serves a page, and what belongs to it, at that path."""
    app = PagesApp(page, session_from=session_from, manager_from=manager_from)

    @asgi(at, is_mount=True, copy_scope=False)
    async def handler(scope: Any, receive: Any, send: Any) -> None:
        base = _mount(scope)
        await app({**scope, "root_path": base, "path": base + scope["path"]}, receive, send)

    return handler


def _mount(scope: Any) -> str:
    """Where it is mounted, with what routers and a proxy put before: the path is only what follows."""
    whole = unquote(scope["raw_path"].partition(b"?")[0].decode("latin-1")).rstrip("/")
    before = whole.removesuffix(scope["path"].rstrip("/"))
    root: str = scope.get("root_path", "").rstrip("/")
    return before if before.startswith(f"{root}/") else root + before
