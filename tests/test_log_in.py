"""`coatcheck.testing.log_in`: a signed-in test client in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck.integrations.starlette import SessionMiddleware, session_from
from coatcheck.testing import log_in
from coatcheck.testing.kit import KEY


async def me(request: Request) -> PlainTextResponse:
    session = session_from(request)
    return PlainTextResponse(f"{session.user_id} {session.get('role')}")


@pytest.mark.parametrize("base", ["http://testserver", "https://shop.example"])
@pytest.mark.parametrize("kind", [SessionManager, AsyncSessionManager])
def test_a_test_client_is_signed_in(
    tmp_path: Path, base: str, kind: type[SessionManager | AsyncSessionManager]
) -> None:
    """By a manager of either kind over the application's store, under the cookie name that the client returns."""
    url = f"sqlite:///{tmp_path}/sessions.db"
    middleware = Middleware(SessionMiddleware, manager=AsyncSessionManager(url, secret=KEY))
    with TestClient(Starlette(routes=[Route("/", me)], middleware=[middleware]), base) as client:
        manager = kind(url, secret=KEY)
        handle = log_in(client, 7, manager, role="editor")
        assert client.get("/").text == "7 editor"
    with SessionManager(url, secret=KEY) as other:
        assert [info.handle for info in other.sessions(7)] == [handle]
