"""The oracle: a household of visitors with one account, which knows what each answer has to be.

What a household does it does in order, or at once where the outcome is known all the same; hundreds of
households are at it at the same time.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from .wire import Answer, Tally, Wire

FIELDS = "abcd"
GRAVES = 20
"""Ended sessions that a household still tries, at most."""


class UnsureError(Exception):
    """The store did not answer (503): nobody knows what was done."""


class Oracle:
    """Counts checks and contradictions."""

    def __init__(self) -> None:
        self.checks = 0
        self.wrong: list[str] = []
        self.processes: set[int] = set()
        self.done: dict[str, int] = {}
        self.first: Callable[[], object] = bool
        """Called at each contradiction."""

    def check(self, right: bool, what: str) -> None:
        """One answer against what is known."""
        self.checks += 1
        if not right:
            self.wrong.append(what)
            self.first()


class Device:
    """A browser: one connection and one cookie."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.token: str | None = None
        self.user: str | None = None
        self.fields: dict[str, Any] = {}

    def end(self) -> str | None:
        """Its session is over; the token that it had."""
        token, self.token, self.user, self.fields = self.token, None, None, {}
        return token


class Household:
    """One user and their devices."""

    def __init__(self, name: str, port: int, devices: int, oracle: Oracle, tally: Tally) -> None:
        self.name, self.oracle = name, oracle
        self.devices = [Device(Wire(port, tally)) for _ in range(devices)]
        self.graves: deque[str] = deque(maxlen=GRAVES)
        self.role: int | None = None
        self.count = self.life = 0
        self.user = f"{name}-0"
        self._doings: dict[Callable[[], Awaitable[None]], int] = {
            self.read: 30,
            self.ghost: 10,
            self.write: 15,
            self.write_at_once: 6,
            self.login: 14,
            self.logout: 5,
            self.update: 3,
            self.revoke: 3,
            self.ticket: 6,
            self.ticket_of_the_dead: 2,
            self.reconnect: 3,
        }

    async def live(self, stop: asyncio.Event) -> None:
        """Do one thing after the other until the end."""
        doings, weights = [*self._doings], [*self._doings.values()]
        while not stop.is_set():
            (doing,) = random.choices(doings, weights)
            name = doing.__name__
            self.oracle.done[name] = self.oracle.done.get(name, 0) + 1
            try:
                await doing()
            except UnsureError:
                self.move()
            except (OSError, TimeoutError, EOFError, ValueError) as error:
                self.oracle.check(False, f"{self.user}: no answer: {type(error).__name__} {error}")
                await self.reconnect()
                self.move()
        for device in self.devices:
            await device.wire.close()

    def go_to(self, port: int) -> None:
        """The application is at another port from now on."""
        for device in self.devices:
            device.wire.port = port

    def move(self) -> None:
        """Begin anew as somebody else, where nobody knows what the last change has done."""
        self.life += 1
        self.user = f"{self.name}-{self.life}"
        self.role = None
        for device in self.devices:
            device.end()

    # -- asking ------------------------------------------------------------------------------------------

    def check(self, right: bool, what: str) -> None:
        """As the oracle's."""
        self.oracle.check(right, f"{self.user}: {what}")

    async def ask(self, device: Device, method: str, path: str, token: str | None, *good: int) -> Answer:
        """An answer with one of the statuses that are right; 200 if none is given."""
        answer = await device.wire.ask(method, path, token)
        if answer.status == 503:
            raise UnsureError
        self.check(answer.status in (good or (200,)), f"{method} {path.partition('?')[0]} gave {answer.status}")
        return answer

    async def act(self, device: Device, path: str) -> Answer:
        """A change by a device, which takes the cookie that it gets."""
        answer = await self.ask(device, "POST", path, device.token)
        if answer.token is not None:
            device.token = answer.token or None
        return answer

    def some(self) -> Device:
        """Any device."""
        return random.choice(self.devices)

    def signed_in(self) -> list[Device]:
        """Those who are."""
        return [device for device in self.devices if device.user]

    def next(self) -> int:
        """A value that was never there before."""
        self.count += 1
        return self.count

    async def look(self, device: Device, through: Device | None = None) -> None:
        """Exactly what was stored is there, whichever process answers."""
        answer = await self.ask(through or device, "GET", "/me", device.token)
        if answer.status == 200:
            seen = answer.json
            self.oracle.processes.add(seen["process"])
            self.check(seen["user"] == device.user, f"is {device.user} and was taken for {seen['user']}")
            self.check(seen["fields"] == device.fields, f"stored {device.fields} and found {seen['fields']}")
            self.check(answer.token is None, "a page that only reads set a cookie")

    # -- what they do ------------------------------------------------------------------------------------

    async def read(self) -> None:
        """A page, through any connection."""
        await self.look(self.some(), self.some())

    async def ghost(self) -> None:
        """The cookie of a session that has ended opens nothing."""
        if self.graves:
            answer = await self.ask(self.some(), "GET", "/me", random.choice(self.graves))
            self.check(answer.json["user"] is None, f"an ended session was taken for {answer.json['user']}")
            self.check(answer.json["fields"] == {}, "an ended session showed its data")

    async def write(self) -> None:
        """One field."""
        device, field, value = self.some(), random.choice(FIELDS), self.next()
        await self.act(device, f"/write/{field}/{value}")
        device.fields[field] = value
        await self.look(device, self.some())

    async def write_at_once(self) -> None:
        """Different fields, at the same time, through different connections: all of them survive."""
        device = self.some()
        if device.token is None:
            return
        values = {field: self.next() for field in FIELDS[: len(self.devices)]}
        await asyncio.gather(
            *(
                self.ask(other, "POST", f"/write/{field}/{value}", device.token)
                for other, (field, value) in zip(self.devices, values.items(), strict=False)
            )
        )
        device.fields |= values
        await self.look(device, self.some())

    async def login(self) -> None:
        """A new session with the old one's data; the old cookie is worth nothing from then on."""
        device, old = self.some(), None
        old = device.token
        await self.act(device, f"/login/{self.user}")
        self.check(device.token not in (None, old), "a login kept its token")
        if old:
            self.graves.append(old)
        device.user = self.user
        answer = await self.ask(device, "GET", "/me", device.token)
        # A login within the minute that follows `update_user` takes the patch over; the oracle's minute is short.
        role = answer.json["fields"].get("role")
        if role is not None and role == self.role:
            device.fields["role"] = role
        await self.look(device, self.some())

    async def logout(self) -> None:
        """At once, in every process."""
        device = self.some()
        if device.token is None:
            return
        answer = await self.act(device, "/logout")
        self.check(answer.token == "", "a logout left its cookie")
        await self.bury(device)

    async def update(self) -> None:
        """Every session of the user has it at the next request."""
        value, live = self.next(), self.signed_in()
        answer = await self.ask(self.some(), "POST", f"/update/{self.user}/{value}", None)
        self.check(answer.text == str(len(live)), f"{len(live)} live and {answer.text} updated")
        self.role = value
        for device in live:
            device.fields["role"] = value
        await asyncio.gather(*(self.look(device) for device in self.devices))

    async def revoke(self) -> None:
        """All of the user's sessions, and no other."""
        live = self.signed_in()
        answer = await self.ask(self.some(), "POST", f"/revoke/{self.user}", None)
        self.check(answer.text == str(len(live)), f"{len(live)} live and {answer.text} revoked")
        await asyncio.gather(*(self.bury(device) for device in live))

    async def bury(self, device: Device) -> None:
        """The session is over: so says every connection, and the next login starts with nothing."""
        token = device.end()
        if token is None:
            return
        self.graves.append(token)
        for answer in await asyncio.gather(*(self.ask(other, "GET", "/me", token) for other in self.devices)):
            self.check(answer.json["user"] is None, f"ended, and still taken for {answer.json['user']}")

    async def ticket(self) -> None:
        """Redeemed by everybody at the same time: one wins. Nobody without the session does."""
        live = self.signed_in()
        if not live:
            return
        device = random.choice(live)
        answer = await self.ask(device, "GET", f"/ask/f{self.next()}", device.token)
        path = f"/download?ticket={answer.text}"
        await self.ask(self.some(), "GET", path, None, 403)
        tries = (self.ask(other, "GET", path, device.token, 200, 410) for other in self.devices)
        won = sum(answer.status == 200 for answer in await asyncio.gather(*tries))
        self.check(won == 1, f"a ticket was redeemed {won} times")

    async def ticket_of_the_dead(self) -> None:
        """It dies with its session."""
        live = self.signed_in()
        if not live:
            return
        device = random.choice(live)
        answer, token = await self.ask(device, "GET", f"/ask/f{self.next()}", device.token), device.token
        await self.act(device, "/logout")
        await self.bury(device)
        await self.ask(self.some(), "GET", f"/download?ticket={answer.text}", token, 403, 410)

    async def reconnect(self) -> None:
        """Perhaps at another worker."""
        await self.some().wire.close()
