"""A visitor's open connections to the kit's applications."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import httpx

from coatcheck.testing.visitor import SAME_SITE, Visitor
from tests.apps.ticking import EVENT


def cookie(visitor: Visitor) -> str:
    """The Cookie header."""
    return "; ".join(f"{name}={value}" for name, value in visitor.jar.items())


@asynccontextmanager
async def events(base: str, visitor: Visitor) -> AsyncIterator[AsyncIterator[bytes]]:
    """A stream of events of which the first has come."""
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("GET", f"{base}/events", headers=SAME_SITE | {"Cookie": cookie(visitor)}) as response,
    ):
        pieces = response.aiter_raw()
        assert (await anext(pieces)).startswith(EVENT)
        yield pieces


async def end_of(pieces: AsyncIterator[bytes]) -> float:
    """When a stream was over, by the monotonic clock."""
    async for _ in pieces:
        pass
    return time.monotonic()


@asynccontextmanager
async def socket(base: str, visitor: Visitor) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A websocket that answers."""
    headers = {"Cookie": cookie(visitor), "Origin": base}
    async with aiohttp.ClientSession() as client, client.ws_connect(f"{base}/socket", headers=headers) as opened:
        await says(opened)
        yield opened


async def says(opened: aiohttp.ClientWebSocketResponse) -> None:
    """It answers."""
    await opened.send_str("hello")
    assert await opened.receive_str(timeout=10) == "hello"
