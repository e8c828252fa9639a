"""A page of `coatcheck.pages` in Pyramid.

add_pages(config, "/account/devices", Devices(login_url="/login"))
"""

from __future__ import annotations

from typing import Any

from ..pages import MAX_BODY, Ask, Page, answer, fields, too_large
from .pyramid import manager_from, session_from

try:
    from pyramid.response import Response  # type: ignore[import-untyped]
except ImportError as _error:  # pragma: no cover
    from ..errors import ConfigurationError

    raise ConfigurationError('Pyramid is missing: pip install "coatcheck[pyramid]"') from _error


def add_pages(config: Any, at: str, page: Page) -> None:
    """Serve a page, and what belongs to it, at that path. Its forms have a token of their own: where Pyramid's own
    check is on by default, it is off here."""
    at = at.rstrip("/")
    base = f"/{config.route_prefix.strip('/')}{at}" if config.route_prefix else at

    def view(request: Any) -> Any:
        length = request.content_length or 0
        if length > MAX_BODY:
            made = too_large()
        else:
            ask = Ask(
                method=request.method,
                path="/" + "/".join(request.matchdict["below"]),
                base=f"{request.script_name}{base}",
                session=session_from(request),
                query=fields(request.query_string),
                form=fields(request.body_file_raw.read(length)) if request.method == "POST" else {},
            )
            made = answer(page, ask, manager_from(request))
        return Response(body=made.body, status=made.status, headerlist=made.text_headers)

    name = f"coatcheck.pages {base}"
    config.add_route(name, f"{at}/*below")
    config.add_view(view, route_name=name, request_method=("GET", "HEAD", "POST"), require_csrf=False)
