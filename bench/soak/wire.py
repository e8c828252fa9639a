"""A client of one connection that costs less than the servers which it keeps busy."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, NamedTuple

COOKIE = "coatcheck-insecure"
PATIENCE = 30.0
"""Seconds after which an answer does not come any more."""


class Answer(NamedTuple):
    """A response."""

    status: int
    token: str | None
    """What the response makes of the cookie: a new one, "" for none any more, None to leave it."""
    body: bytes

    @property
    def text(self) -> str:
        """The body."""
        return self.body.decode()

    @property
    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)


class Tally:
    """What all connections have seen."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.statuses: dict[int, int] = {}

    def add(self, status: int, seconds: float) -> None:
        """Count one answer."""
        self.seconds.append(seconds)
        self.statuses[status] = self.statuses.get(status, 0) + 1


class Wire:
    """One connection, kept alive; opened anew when the server has closed it."""

    def __init__(self, port: int, tally: Tally) -> None:
        self.port, self._tally = port, tally
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        # A connection carries one request at a time.
        self._free = asyncio.Lock()

    async def ask(self, method: str, path: str, token: str | None) -> Answer:
        """Send one request. Raises OSError or TimeoutError where no answer comes."""
        cookie = f"Cookie: {COOKIE}={token}\r\n" if token else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{cookie}\r\n"
        async with self._free, asyncio.timeout(PATIENCE):
            began = time.perf_counter()
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self.port)
            reader, writer = self._streams
            writer.write(head.encode())
            answer = _parse(await reader.readuntil(b"\r\n\r\n"))
            body = await reader.readexactly(answer[1])
            self._tally.add(answer[0], time.perf_counter() - began)
        return Answer(answer[0], answer[2], body)

    async def close(self) -> None:
        """Close it; the next request opens another, at whichever worker takes it."""
        if self._streams is not None:
            writer, self._streams = self._streams[1], None
            writer.close()
            await writer.wait_closed()


def _parse(head: bytes) -> tuple[int, int, str | None]:
    """Status, length of the body, and what becomes of the cookie."""
    first, *lines = head.decode("latin-1").split("\r\n")
    length, token = 0, None
    for line in lines:
        name, _, value = line.partition(": ")
        match name.lower():
            case "content-length":
                length = int(value)
            case "set-cookie":
                kept, *rest = value.split("; ")
                token = "" if "Max-Age=0" in rest else kept.partition("=")[2].strip('"')
    return int(first.split(" ")[1]), length, token
