"""Visitors who go on while servers fail, and compare each answer with all that was acknowledged before."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from coatcheck.errors import StoreUnavailable, TicketError
from tests.faults import book
from tests.faults.cast import until
from tests.faults.shop import Shop
from tests.integrations.front import token_in

CLIENTS = 16
TICKETS = 12
"""Of one visitor, at most: all are tried once more at the end."""
ROUND = 300
"""Requests before the fault, and after the first one that was served again."""


class Visitor:
    """Signs in and out, reads and writes, and compares each answer with all that was acknowledged before."""

    def __init__(self, shop: Shop, name: str) -> None:
        self.shop, self.name = shop, name
        self.live: str | None = None
        self.wrote = False
        self.over: list[str] = []
        """Tokens whose end was acknowledged."""
        self.redeemed: dict[str, int] = {}
        """Tickets, and how often each was."""
        self.requests = self.refused = 0
        self.wrong: list[str] = []

    def check(self, right: bool, what: str) -> None:
        """Note an answer that contradicts an acknowledged one."""
        if not right:
            self.wrong.append(f"{self.name}: {what}")

    async def ask(self, path: str, token: str | None = None) -> Any:
        """The answer, or None for a 503."""
        response = await self.shop.ask(path, token)
        self.requests += 1
        if response.status_code == 503:
            self.refused += 1
            return None
        return response

    async def turn(self) -> None:
        """One request."""
        if self.live is None:
            if response := await self.ask(f"/login/{self.name}"):
                self.live, self.wrote = token_in(response), False
            return
        verb = random.choice(("read", "read", "write", "logout", "revoke", "old", "ticket", "spent"))
        if verb == "ticket" and len(self.redeemed) < TICKETS:
            await self.fetch(self.live)
        elif verb in ("ticket", "spent") and self.redeemed:
            await self.redeem(random.choice(list(self.redeemed)))
        elif verb == "old" and self.over:
            if response := await self.ask("/read", random.choice(self.over)):
                self.check(response.text == "None", f"an ended session served {response.text}")
        elif verb in ("logout", "revoke"):
            await self.leave(self.live, verb)
        elif response := await self.ask("/write" if verb == "write" else "/read", self.live):
            mine = response.text == self.name
            self.check(mine, f"{verb} as {response.text}")
            self.wrote = self.wrote or (mine and verb == "write")

    async def fetch(self, token: str) -> None:
        """Get a ticket, and use it twice at once."""
        manager = self.shop.front.manager
        with suppress(StoreUnavailable):
            session = await manager.load(token)
            if session.handle is not None:
                jwt = await manager.tickets.issue("download", {}, session=session)
                self.redeemed[jwt] = 0
                await asyncio.gather(self.redeem(jwt), self.redeem(jwt))

    async def redeem(self, jwt: str) -> None:
        """Use a ticket, perhaps not for the first time."""
        with suppress(StoreUnavailable, TicketError):
            await self.shop.front.manager.tickets.redeem(jwt, "download")
            self.redeemed[jwt] += 1
            self.check(self.redeemed[jwt] == 1, "a ticket was redeemed twice")

    async def leave(self, token: str, verb: str) -> None:
        """Sign out, or have everything revoked. Where that is not acknowledged nobody knows what is true."""
        self.live = None
        if verb == "revoke":
            done = await self.shop.revoke(self.name) == book.DONE
        elif response := await self.ask("/logout", token):
            # An old primary does not know a session that is newer: there is nobody to sign out.
            done = response.text == self.name
            self.check(done, f"logout as {response.text}")
        else:
            done = False
        if done:
            self.over.append(token)

    async def settle(self) -> None:
        """Compare everything once more."""
        for jwt in self.redeemed:
            await self.redeem(jwt)
        for token in self.over:
            response = await self.shop.ask("/read", token)
            if response.status_code == 503:
                raise StoreUnavailable("not yet")
            self.check((response.status_code, response.text) == (200, "None"), f"ended, and {response.text}")
        if self.live:
            fields = await self.shop.front.fields(self.live)
            self.check(await self.shop.front.lives(self.live), "an acknowledged login is gone")
            self.check(not self.wrote or fields.get("written") is True, "an acknowledged write is gone")


class Crowd:
    """Visitors of one shop."""

    def __init__(self, shop: Shop) -> None:
        self.visitors = [Visitor(shop, f"u{number}") for number in range(CLIENTS)]

    @property
    def answered(self) -> int:
        """Requests that were answered, and not with a 503."""
        return sum(visitor.requests - visitor.refused for visitor in self.visitors)

    @property
    def refused(self) -> int:
        """Requests that were answered with a 503."""
        return sum(visitor.refused for visitor in self.visitors)

    @property
    def over(self) -> int:
        """Sessions whose end was acknowledged."""
        return sum(len(visitor.over) for visitor in self.visitors)

    @property
    def redeemed(self) -> int:
        """Tickets whose redemption was acknowledged."""
        return sum(count for visitor in self.visitors for count in visitor.redeemed.values())

    @property
    def wrong(self) -> list[str]:
        """What contradicted something acknowledged."""
        return [wrong for visitor in self.visitors for wrong in visitor.wrong]

    def forget(self) -> None:
        """Strike out what went wrong so far."""
        for visitor in self.visitors:
            visitor.wrong.clear()

    async def go_on(self, *faults: Callable[[], Any]) -> None:
        """They come until the faults have happened, one after the other, and they are served again."""
        stop = asyncio.Event()

        async def visit(visitor: Visitor) -> None:
            while not stop.is_set():
                await visitor.turn()

        async with asyncio.timeout(120), asyncio.TaskGroup() as group:
            for visitor in self.visitors:
                group.create_task(visit(visitor))
            await asyncio.to_thread(until, lambda: self.answered > ROUND, 60)
            for fault in faults:
                await asyncio.to_thread(fault)
            more = self.answered + ROUND
            await asyncio.to_thread(until, lambda: self.answered > more, 60)
            stop.set()

    async def settle(self) -> None:
        """Compare everything once more."""
        for visitor in self.visitors:
            for _ in range(50):
                # Where all is slow, a Sentinel may take the new primary for lost for a moment.
                with suppress(StoreUnavailable):
                    await visitor.settle()
                    break
                await asyncio.sleep(0.2)
            else:
                raise TimeoutError("it is not served")
