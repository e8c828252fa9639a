"""One small page of Starlette behind each contender, asked in this process, without a server."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import jwt
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from coatcheck import AsyncSessionManager
from coatcheck.integrations.starlette import SessionMiddleware, session_from

SECRET = "a secret that guards nothing, of 48 characters.."
Ask = Callable[[], Awaitable[None]]


def _asker(app: Starlette, header: bytes, value: str) -> Ask:
    """A function that asks the page once, as a server would."""
    headers = [
        (b"host", b"shop.example"),
        (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        (b"accept", b"text/html,application/xhtml+xml"),
        (header, value.encode()),
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async def ask() -> None:
        sent.clear()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https",
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("192.0.2.7", 40000),
            "server": ("shop.example", 443),
            "state": {},
        }
        await app(scope, receive, send)
        assert sent[0]["status"] == 200
        assert sent[1]["body"] == b"user-100 administrator"

    return ask


def _app(page: Any, *middleware: Middleware) -> Starlette:
    app = Starlette(middleware=middleware)
    app.add_route("/", page)
    return app


async def bare() -> Ask:
    """The page without anything."""

    async def page(_: Request) -> PlainTextResponse:
        return PlainTextResponse("user-100 administrator")

    return _asker(_app(page), b"cookie", "session=" + "x" * 86)


async def pyjwt() -> Ask:
    """A bearer token, decoded by PyJWT in the page itself."""
    key = SECRET.encode()

    async def page(request: Request) -> PlainTextResponse:
        token = request.headers["authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, key, algorithms=["HS256"])
        return PlainTextResponse(f"{claims['sub']} {claims['role']}")

    claims = {"sub": "user-100", "role": "administrator", "n": 3, "exp": int(time.time()) + 14 * 24 * 3600}
    return _asker(_app(page), b"authorization", f"Bearer {jwt.encode(claims, key, 'HS256')}")


async def _coatcheck(url: str, page: Any, near: bool = False, told: str = "") -> Ask:
    # Time stands still, so that no request falls into another second and has more to do.
    now = time.time()
    manager = AsyncSessionManager(url, secret=SECRET, near_cache=near, clock=lambda: now)
    if manager.hearing.near is not None:
        # The feed is taken for alive, without the thread whose beats would be counted too.
        manager.hearing.near._clock, manager.hearing._listener = (lambda: 0.0), None
        manager.hearing.near.proved(0.0)
    session = await manager.load(None)
    session.login("user-100")
    session.update({"role": "administrator", "n": 3})
    done = await manager.commit(session)
    cookie = str(manager.cookie.set_cookie(done)).partition(";")[0]
    if told:
        _tell(manager, durations=told == "in full")
    return _asker(_app(page, Middleware(SessionMiddleware, manager=manager)), b"cookie", cookie)


def _tell(manager: AsyncSessionManager, *, durations: bool) -> None:
    """Have it tell an SDK in which nobody records a trace: what each request pays."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    from coatcheck.telemetry import instrument

    instrument(manager, MeterProvider([InMemoryMetricReader()]), durations=durations)


async def read(url: str, near: bool = False, told: str = "") -> Ask:
    """A page that reads who is signed in, and a field."""

    async def page(request: Request) -> PlainTextResponse:
        session = session_from(request)
        return PlainTextResponse(f"{session.user_id} {session['role']}")

    return await _coatcheck(url, page, near, told)


async def write(url: str) -> Ask:
    """A page that changes one field."""
    numbers = count(1000)

    async def page(request: Request) -> PlainTextResponse:
        session = session_from(request)
        session["n"] = next(numbers)
        return PlainTextResponse(f"{session.user_id} {session['role']}")

    return await _coatcheck(url, page)


CONTENDERS: dict[str, Callable[[str, str], Awaitable[Ask]]] = {
    "bare": lambda _sqlite, _redis: bare(),
    "PyJWT HS256": lambda _sqlite, _redis: pyjwt(),
    "memory read": lambda _sqlite, _redis: read("memory://"),
    "SQLite read": lambda sqlite, _redis: read(sqlite),
    "near read": lambda sqlite, _redis: read(sqlite, near=True),
    "Redis read": lambda _sqlite, redis: read(redis),
    "SQLite, told": lambda sqlite, _redis: read(sqlite, told="in full"),
    "SQLite, counted": lambda sqlite, _redis: read(sqlite, told="without durations"),
    "near, told": lambda sqlite, _redis: read(sqlite, near=True, told="in full"),
    "Redis, told": lambda _sqlite, redis: read(redis, told="in full"),
    "Redis, counted": lambda _sqlite, redis: read(redis, told="without durations"),
    "SQLite write": lambda sqlite, _redis: write(sqlite),
    "Redis write": lambda _sqlite, redis: write(redis),
}
"""Each as it is set up, given the URL of a SQLite file and of a Redis. Of a Redis only the client's side is counted.
"told" and "counted": a read with telemetry on, with durations and without."""
