"""A page of `coatcheck.pages` in aiohttp.

add_pages(app, "/account/devices", Devices(login_url="/login"))
"""

from __future__ import annotations

from aiohttp import web

from ..pages import MAX_BODY, Ask, Page, answer_async, base_of, fields, too_large
from .aiohttp import manager_from, session_from
from .aiohttp_visit import as_response


def add_pages(app: web.Application, at: str, page: Page) -> None:
    """Serve a page, and what belongs to it, at that path of an application that `setup` was called for."""
    base = at.rstrip("/")

    async def view(request: web.Request) -> web.StreamResponse:
        # One that does not say how long it is (chunked) is no form of ours, and may have no end.
        length = request.content_length or 0
        if length > MAX_BODY:
            return as_response(too_large())
        body = await request.read() if request.method == "POST" and length else b""
        below = request.match_info["below"]
        ask = Ask(
            method=request.method,
            path=below,
            base=base_of(request.path, below),
            session=session_from(request),
            query=fields(request.rel_url.raw_query_string),
            form=fields(body),
        )
        return as_response(await answer_async(page, ask, manager_from(request)))

    for method in ("GET", "POST"):
        app.router.add_route(method, f"{base}{{below:(/.*)?}}", view)
