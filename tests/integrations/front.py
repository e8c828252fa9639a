"""Applications behind the session middleware, and browsers before it, for the tests of the integrations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, cast

import httpx
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from coatcheck import AsyncSessionManager, Event, Session
from coatcheck.integrations.asgi import SessionMiddleware, session_from
from coatcheck.offload import Inline
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import FakeClock

KEY = "a key that guards nothing, for tests only"
NAME = "__Host-coatcheck"
ORIGIN = "https://app.example"
ELSEWHERE = "https://evil.example"

NAVIGATION = {"sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
"""What a browser sends with an address that a person has typed."""
POLL = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
"""What it sends with a page's own fetch."""
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"]

App = Callable[..., Awaitable[None]]
Answer = str | int | Response
Handler = Callable[[Session, Request], Awaitable[Answer]]
Flavour = Literal["asgi", "starlette", "fastapi"]
FLAVOURS: tuple[Flavour, ...] = ("asgi", "starlette", "fastapi")


class Front:
    """A manager that notes its store calls and its events, and applications of one flavour in front of it."""

    def __init__(self, flavour: Flavour = "asgi", store: Any = None, **settings: Any) -> None:
        self.flavour = flavour
        self.clock = FakeClock()
        settings = {"secret": KEY, "clock": self.clock, **settings}
        store = Inline(MemoryStore()) if store is None else store
        self.manager = AsyncSessionManager(store, **settings)
        self.aside = AsyncSessionManager(self.manager.store, **settings)
        """Another server over the same store: what a test does through it is not noted."""
        self.calls: list[str] = []
        self.events: list[Event] = []
        self.manager.store = cast(Any, _Watched(self.manager.store, self.calls))
        self.manager.subscribe(self.events.append)

    def app(self, handler: Handler, **options: Any) -> App:
        """An application that answers every path and method with `handler`."""
        wrapped = SessionMiddleware if self.flavour == "asgi" else None
        if wrapped:
            return wrapped(_bare(handler), self.manager, **options)

        async def endpoint(request: Request) -> Response:
            return _response(await handler(session_from(request), request))

        if self.flavour == "starlette":
            stack = [Middleware(SessionMiddleware, manager=self.manager, **options)]
            return Starlette(routes=[Route("/{path:path}", endpoint, methods=METHODS)], middleware=stack)
        app = FastAPI()
        app.add_middleware(SessionMiddleware, manager=self.manager, **options)
        app.api_route("/{path:path}", methods=METHODS)(endpoint)
        return app

    @staticmethod
    def browser(app: Any, origin: str = ORIGIN, *, raises: bool = True, **options: Any) -> httpx.AsyncClient:
        """A client with a cookie jar. `raises`: what leaves the application is raised, not answered 500."""
        transport = httpx.ASGITransport(app, raise_app_exceptions=raises, client=("192.0.2.1", 1234))
        return httpx.AsyncClient(transport=transport, base_url=origin, **options)

    async def stored(self, **fields: Any) -> str:
        """The token of a new session without a user."""
        session = await self.aside.load(None)
        session.update(fields or {"cart": [1]})
        return (await self.aside.commit(session)).token or ""

    async def signed_in(self, user: str = "7", **fields: Any) -> str:
        """The token of a new session of a user's."""
        session = await self.aside.load(None)
        session.update(fields)
        session.login(user)
        return (await self.aside.commit(session)).token or ""

    async def fields(self, token: str) -> dict[str, Any]:
        """What the session holds now; {} where the token names none."""
        return dict(await self.aside.load(token))

    async def lives(self, token: str) -> bool:
        """Whether the token names a live session."""
        return not (await self.aside.load(token)).is_new

    async def sessions(self) -> int:
        """How many live sessions the store holds."""
        return (await self.aside.stats()).sessions

    def told(self, name: str) -> list[Event]:
        """The events of one name."""
        return [event for event in self.events if event.name == name]

    async def aclose(self) -> None:
        await self.aside.aclose()


def cookie(token: str, name: str = NAME) -> dict[str, str]:
    """The request header that shows a token."""
    return {"cookie": f"{name}={token}"}


def set_cookies(response: httpx.Response) -> list[str]:
    """The response's Set-Cookie headers."""
    return response.headers.get_list("set-cookie")


def token_in(response: httpx.Response) -> str:
    """The token of the response's only Set-Cookie."""
    (header,) = set_cookies(response)
    return header.partition(";")[0].partition("=")[2]


def vary(response: httpx.Response) -> set[str]:
    """The names in the response's Vary headers, in lower case."""
    return {name.strip().lower() for value in response.headers.get_list("vary") for name in value.split(",")}


def _response(answer: Answer) -> Response:
    if isinstance(answer, str):
        return PlainTextResponse(answer)
    return Response(status_code=answer) if isinstance(answer, int) else answer


def _bare(handler: Handler) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        response = _response(await handler(session_from(scope), Request(scope, receive)))
        await response(scope, receive, send)

    return app


class _Watched:
    """A store that notes which of its methods are called."""

    def __init__(self, store: Any, calls: list[str]) -> None:
        self._store = store
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._store, name)
        if not callable(value):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            self._calls.append(name)
            return value(*args, **kwargs)

        return call
