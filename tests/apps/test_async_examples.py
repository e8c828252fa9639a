"""The small applications in examples/ that are asynchronous do what they show."""

from __future__ import annotations

import re
import runpy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp.test_utils import TestServer
from yarl import URL

EXAMPLES = Path(__file__).parents[2] / "examples"


@asynccontextmanager
async def served(app: Any, framework: str) -> AsyncIterator[tuple[str, Callable[[], httpx.AsyncBaseTransport]]]:
    """Where the application is, and how to get there."""
    if framework == "aiohttp":
        async with TestServer(app) as server:
            yield str(server.make_url(URL("/"))), httpx.AsyncHTTPTransport
    else:
        # https, since the cookie jar does not send a Secure cookie to localhost, as browsers do.
        yield "https://localhost", lambda: httpx.ASGITransport(app)


@pytest.mark.parametrize("name", ["aiohttp", "litestar"])
async def test_an_example_works_from_sign_in_to_sign_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A counter, two devices, one of them signed out by the other, a download once; a name is no HTML."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COATCHECK_SECRET", raising=False)
    app = runpy.run_path(str(EXAMPLES / name / "app.py"))["app"]
    async with served(app, name) as (base, way):

        def browser(agent: str) -> httpx.AsyncClient:
            headers = {"user-agent": agent} | ({} if name == "aiohttp" else {"sec-fetch-site": "same-origin"})
            return httpx.AsyncClient(transport=way(), base_url=base, headers=headers, follow_redirects=True)

        async with browser("A <b>") as one, browser("B") as other:
            assert "Your name" in (await one.get("/")).text
            for client in (one, other):
                assert "visit 1" in (await client.post("/login", data={"name": "<i>Ada"})).text
            page = (await one.get("/")).text
            assert "&lt;i&gt;Ada, visit 2" in page
            assert sorted(re.findall("<li>([^<]*)", page)) == ["A &lt;b&gt; (this one)", "B"]
            file = await one.post("/ticket")
            assert (file.status_code, file.text) == (200, "For <i>Ada, once.")
            assert (await one.get(file.url)).status_code == 410
            assert "<li>B" not in (await one.post("/others")).text
            assert "Your name" in (await other.get("/")).text
            assert "Your name" in (await one.post("/logout")).text
