"""An application over a Redis that fails, and visitors who write down what they see."""

from __future__ import annotations

import asyncio
import time
from secrets import token_hex
from typing import Any, NamedTuple

import httpx
from starlette.requests import Request

from coatcheck import CookieSettings, Session
from coatcheck.errors import ConfigurationError, StoreUnavailable
from tests.faults import book
from tests.integrations.front import Answer, Front, cookie, set_cookies

IN_ALL = 2.0
"""Seconds in which every request is answered."""
SLACK = 1.0
"""Seconds more for a machine that does other things as well. A driver's own retries would take sixty."""


async def handler(session: Session, request: Request) -> Answer:
    """Says who asks; writes, signs in or signs out by the path."""
    who = str(session.user_id)
    match request.url.path.split("/")[1:]:
        case ["write"]:
            session["written"] = True
        case ["login", *names]:
            session.login(names[0] if names else "9")
        case ["logout"]:
            session.logout()
    return who


class Stock(NamedTuple):
    """The tokens of sessions that were made before the fault."""

    read: str
    write: str
    logout: str
    live: str
    dead: str
    """Revoked, and that was acknowledged."""


class Shop:
    """One process of an application. `like`: another process of the same application."""

    def __init__(self, store: Any, like: Shop | None = None, **settings: Any) -> None:
        self._settings: dict[str, Any]
        if like is None:
            self._settings = {
                "namespace": f"shop-{token_hex(4)}",
                "cookie": CookieSettings(name="coatcheck"),
                **settings,
            }
        else:
            self._settings = like._settings | {"clock": like.front.clock}
        self.front: Front = Front(store=store, **self._settings)
        self.app = self.front.app(handler)
        self.in_all = IN_ALL
        self.slowest = 0.0
        """Seconds of the slowest answer so far."""

    async def stock(self) -> Stock:
        """The sessions that tell afterwards what has survived."""
        stock = Stock(*[await self.front.signed_in(str(number)) for number in range(len(Stock._fields))])
        assert await self.front.aside.revoke_user("4") == 1
        await self.front.signed_in("8")
        return stock

    async def ask(self, path: str, token: str | None = None) -> httpx.Response:
        """One request, in bounded time. A 503 is in plain words and signs nobody out."""
        headers = cookie(token) if token else {}
        began = time.monotonic()
        async with self.front.browser(self.app) as browser:
            response = await browser.get(path, headers=headers)
        took = time.monotonic() - began
        self.slowest = max(self.slowest, took)
        assert took < self.in_all + SLACK
        if response.status_code == 503:
            assert 1 <= int(response.headers["retry-after"]) <= 60
            assert set_cookies(response) == []
            assert "you are not signed out" in response.text
        else:
            assert response.status_code == 200
        return response

    async def sees(self, path: str, token: str | None = None) -> str:
        """What a visitor finds there, in the words of the book."""
        response = await self.ask(path, token)
        if response.status_code == 503:
            return book.BUSY
        return book.VISITOR if token and response.text == "None" else book.SERVED

    async def revoke(self, user: str) -> str:
        """Whether `revoke_user` is acknowledged."""
        try:
            await self.front.manager.revoke_user(user)
        except (StoreUnavailable, ConfigurationError):
            return book.ERROR
        return book.DONE

    async def look(self, stock: Stock, *, together: bool = True) -> tuple[str, ...]:
        """What four visitors and an operator find, at the same time or one after the other."""
        looks = (
            self.sees("/read", stock.read),
            self.sees("/write", stock.write),
            self.sees("/login"),
            self.sees("/logout", stock.logout),
            self.revoke("8"),
        )
        return tuple(await asyncio.gather(*looks) if together else [await look for look in looks])

    async def kept(self, stock: Stock) -> tuple[str, str]:
        """What has become of the sessions that lived, and that did not, before the fault."""
        live, dead = [await self.front.lives(token) for token in (stock.live, stock.dead)]
        return book.LIVES if live else book.GONE, book.BACK if dead else book.ENDED

    async def aclose(self) -> None:
        """Give the connections back."""
        await self.front.aclose()
        await self.front.manager.aclose()
