"""The near cache behind a middleware: it answers requests that only read, and no others."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck.integrations import asgi, wsgi
from tests.integrations.front import KEY, NAME, ORIGIN


def hits(manager: Any) -> int:
    """How many reads it has answered."""
    return int(manager.hearing.near.hits)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A file that both kinds share."""
    return f"sqlite:///{tmp_path}/sessions.db"


@pytest.fixture
def token(url: str) -> str:
    """A visitor's who is signed in."""
    with SessionManager(url, secret=KEY) as manager:
        session = manager.load(None)
        session.login("ada")
        return str(manager.commit(session).token)


ASKED = [("GET", True), ("HEAD", True), ("POST", False), ("PUT", False), ("DELETE", False)]
"""Methods, and whether the near cache answers."""


async def test_asgi_asks_the_store_where_a_request_may_write(url: str, token: str) -> None:
    """Two requests of one client in two processes: the second has to start from what the first has written."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["session"].user_id == "ada"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with AsyncSessionManager(url, secret=KEY, near_cache=True) as manager:
        transport = httpx.ASGITransport(asgi.SessionMiddleware(app, manager))
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            headers = {"Cookie": f"{NAME}={token}", "Origin": ORIGIN}
            until = time.monotonic() + 10
            while not hits(manager):
                await client.get("/", headers=headers)
                assert time.monotonic() < until
            for method, nearby in ASKED:
                while True:
                    # A busy machine may lose the feed for a moment: then nothing is answered from nearby.
                    before = hits(manager)
                    await client.request(method, "/", headers=headers)
                    if (hits(manager) > before) == nearby:
                        break
                    assert nearby, method
                    assert time.monotonic() < until


def test_wsgi_asks_the_store_where_a_request_may_write(url: str, token: str) -> None:
    """The same."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        assert environ["coatcheck.session"].user_id == "ada"
        start_response("200 OK", [])
        return [b""]

    with SessionManager(url, secret=KEY, near_cache=True) as manager:
        middleware = wsgi.SessionMiddleware(app, manager)

        def ask(method: str) -> bool:
            before = hits(manager)
            environ = {
                "REQUEST_METHOD": method,
                "PATH_INFO": "/",
                "QUERY_STRING": "",
                "SERVER_NAME": "app.example",
                "SERVER_PORT": "443",
                "HTTP_HOST": "app.example",
                "HTTP_ORIGIN": ORIGIN,
                "HTTP_COOKIE": f"{NAME}={token}",
                "wsgi.url_scheme": "https",
                "wsgi.input": io.BytesIO(),
            }
            list(middleware(environ, lambda *_: lambda _: None))
            return hits(manager) > before

        until = time.monotonic() + 10
        for method, nearby in ASKED:
            while ask(method) != nearby:
                assert nearby, method
                assert time.monotonic() < until
