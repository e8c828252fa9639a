"""The races, and a run of the same requests one after the other: where that fails, the race would show nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from .browser import Browser, RefusedError
from .gatehouse import Gatehouse

USER = "ada"


@dataclass
class Score:
    """What became of one contender."""

    name: str
    ours: bool = False
    versions: dict[str, str] = field(default_factory=dict)
    writes: int = 0
    lost: int = 0
    logouts: int = 0
    revived: int = 0


@dataclass(frozen=True)
class Track:
    """One application that runs, and its gate."""

    client: httpx.AsyncClient
    gate: Gatehouse

    async def signed_in(self) -> Browser:
        """A browser with a session of its own."""
        browser = Browser(self.client)
        await browser.ask("POST", "/login")
        await self._seen(browser)
        return browser

    async def _seen(self, browser: Browser) -> dict[str, int]:
        """The session's fields, of whoever is signed in."""
        shown = await browser.ask("GET", "/session")
        if shown["user"] != USER:
            raise RuntimeError(f"signed in, and seen as {shown['user']!r}")
        fields: dict[str, int] = shown["fields"]
        return fields

    async def in_order(self) -> None:
        """The same requests, none at the same time. Raises RuntimeError where even that loses or revives."""
        browser = await self.signed_in()
        for number in range(3):
            await browser.ask("POST", f"/write?field=field-{number}")
        if len(await self._seen(browser)) != 3:
            raise RuntimeError("a write is lost although nothing overlapped")
        before = dict(browser.jar)
        await browser.ask("POST", "/logout")
        if await self.anybody(browser, before):
            raise RuntimeError("a logout ends nothing although nothing overlapped")

    async def anybody(self, browser: Browser, before: dict[str, str]) -> bool:
        """Whether the session lives: for who has the browser, or a copy of the cookie from before the logout."""
        jars = [dict(browser.jar), before]
        return any([(await browser.ask("GET", "/session", jar))["user"] == USER for jar in jars])

    async def lost_updates(self, requests: int) -> int:
        """So many requests load a session, then each writes a field of its own: how many fields are missing."""
        browser = await self.signed_in()
        async with asyncio.TaskGroup() as group:
            for number in range(requests):
                group.create_task(self._slow_write(browser, number))
            await self.gate.gather(requests)
            await self.gate.let_through()
        return requests - len(await self._seen(browser))

    async def revived(self) -> bool:
        """A request loads a session; a logout is answered; the request writes: whether somebody is signed in then."""
        browser = await self.signed_in()
        before = dict(browser.jar)
        slow = asyncio.create_task(self._slow_write(browser, 0))
        await self.gate.gather(1)
        await browser.ask("POST", "/logout")
        await self.gate.let_through()
        # Django refuses such a write with 400: a good answer.
        with suppress(RefusedError):
            await slow
        return await self.anybody(browser, before)

    async def _slow_write(self, browser: Browser, number: int) -> None:
        answer = await browser.ask("POST", f"/write?field=field-{number}&gate=1")
        if answer["saw"] != USER:
            raise RuntimeError(f"a request that raced was {answer['saw']!r}")


async def run(track: Track, score: Score, rounds: int, requests: int, tell: Callable[[str], None]) -> None:
    """Enter into `score` what both races show in so many rounds each."""
    score.versions = await Browser(track.client).ask("GET", "/versions")
    await track.in_order()
    for number in range(1, rounds + 1):
        score.lost += await track.lost_updates(requests)
        score.writes += requests
        score.revived += await track.revived()
        score.logouts += 1
        tell(f"round {number} of {rounds}: {score.lost} of {score.writes} lost, {score.revived} revived")
