"""A page of `coatcheck.pages`, mounted in a WSGI application.

DispatcherMiddleware(app, {"/account/devices": PagesApp(Devices(login_url="/login"))})  # below SessionMiddleware
"""

from __future__ import annotations

from collections.abc import Iterable

from ..pages import MAX_BODY, Ask, Page, answer, fields, too_large
from .wsgi import manager_from, session_from
from .wsgi_response import Environ, StartResponse
from .wsgi_response import answer as respond


class PagesApp:
    """A WSGI application to mount below `SessionMiddleware`."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        body = b""
        if environ["REQUEST_METHOD"] == "POST":
            length = environ.get("CONTENT_LENGTH") or "0"
            size = int(length) if length.isascii() and length.isdecimal() and len(length) < 10 else MAX_BODY + 1
            if size > MAX_BODY:
                return respond(environ, start_response, too_large())
            body = environ["wsgi.input"].read(size)
        ask = Ask(
            method=environ["REQUEST_METHOD"],
            path=environ.get("PATH_INFO", ""),
            # PEP 3333: bytes, as if they were Latin-1.
            base=environ.get("SCRIPT_NAME", "").encode("latin-1").decode("utf-8", "replace").rstrip("/"),
            session=session_from(environ),
            query=fields(environ.get("QUERY_STRING", "")),
            form=fields(body),
        )
        return respond(environ, start_response, answer(self._page, ask, manager_from(environ)))
