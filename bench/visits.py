"""What the contenders are asked: requests as a browser sends them and as a server hands them to an application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Message = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]

BROWSER = [
    (b"host", b"localhost:8000"),
    (b"connection", b"keep-alive"),
    (b"sec-ch-ua-platform", b'"Linux"'),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0"),
    (b"accept", b"*/*"),
    (b"sec-fetch-site", b"same-origin"),
    (b"sec-fetch-mode", b"cors"),
    (b"sec-fetch-dest", b"empty"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"accept-language", b"en-GB,en;q=0.9"),
]
"""A script's request in Chromium, without what says who asks."""


class Wrong(Exception):
    """An answer that is not what was asked for: then the time it took says nothing."""


@dataclass
class Visit:
    """One visitor's request, and the body that must answer it."""

    scope: dict[str, Any]
    body: bytes

    @classmethod
    def of(cls, body: str, *, cookie: str | None = None, bearer: str | None = None) -> Visit:
        """A visitor who shows a cookie ("name=value") or a bearer token, where Chromium puts them."""
        headers = list(BROWSER)
        if bearer is not None:
            headers.insert(3, (b"authorization", b"Bearer " + bearer.encode()))
        if cookie is not None:
            headers.append((b"cookie", b"theme=dark; " + cookie.encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8000),
        }
        return cls(scope, body.encode())


async def receive() -> Message:
    """An empty body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def ask(app: App, visit: Visit, sets_cookie: bool) -> str | None:
    """Ask once, and check the answer; its cookie. Raises `Wrong`."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app(visit.scope.copy(), receive, send)
    start, body = sent
    cookie = None
    for name, value in start["headers"]:
        if name == b"set-cookie":
            cookie = value
    if start["status"] != 200 or body["body"] != visit.body or (cookie is not None) is not sets_cookie:
        raise Wrong(f"{start['status']} {body['body']!r} in place of {visit.body!r}, cookie: {cookie is not None}")
    return None if cookie is None else cookie.decode("latin-1")
