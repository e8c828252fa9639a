"""One class of request to one subject: its visitors, and the proof that a slice did what it is said to have done.

The sessions are made by the subject's own login, and what is stored is seen through its own page that reads: nothing
here knows how any library stores. A read has to show what was written just before, by an application beside it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bench.visits import Wrong

from .asking import Answer, Asking, Shown
from .watches import watch
from .world import PER_USER, ROLE, UNTOUCHED, Subject, changed, crowd, shown

VISITORS = 50
"""As many as requests are in flight: each has a session of its own."""
POSTED = {"write", "login", "revoke"}
TOLD_WITHIN = 2.0
"""Seconds after which a near cache has heard of a change."""


class Unfit(Exception):
    """A slice that shows something else than it should, through no fault of the contender's."""


Expected = tuple[bytes | None, bool | None]
"""A body, and whether a cookie is set; None is anything."""


class Contender:
    """`await prepare()` before the first slice, and `before()` and `after()` around each."""

    def __init__(self, asking: Asking, subject: Subject, kind: str, loop: bool) -> None:
        self.subject, self.kind, self._loop = subject, kind, loop
        self.app = subject.apps[kind]
        self.visits: list[Any] = []
        self.expected: list[Expected] = []
        self._asking = asking
        self._users: list[str] = []
        self._shown: list[Shown] = []
        self._last: dict[str, str] = {}
        """By user, the credential of the last login that was made here."""
        self._watch = watch(subject.watch) if subject.watch else None

    async def ask(self, number: int) -> Answer:
        """The request of a visitor. Raises `Wrong` for an answer that is not what was asked for."""
        answer = await self._asking.ask(self.app, self.visits[number])
        body, cookie = self.expected[number]
        if (
            answer.status != 200
            or (body is not None and answer.body != body)
            or (cookie is not None and cookie is not (answer.cookie is not None))
        ):
            raise Wrong(f"{self.subject.name}, {self.kind}: {answer} in place of {body!r}, cookie: {cookie}")
        return answer

    async def prepare(self) -> None:
        """Sign everybody in."""
        ours = self.subject.ours
        if self.kind == "login" or "login" not in self.subject.apps:
            # A new face each time, and the bare application, which looks at nothing.
            nobody = Shown("POST") if self.kind == "login" else Shown(cookie="session=" + "x" * 86)
            body = UNTOUCHED.encode() if self.kind == "read" else None
            self._fill([nobody] * VISITORS, [(body, ours or None)] * VISITORS)
            return
        self._users = [f"{self.kind}-{number:03}" for number in range(VISITORS)]
        each = PER_USER if self.kind == "list" else 1
        credentials = [[await self._sign_in(user) for _ in range(each)][-1] for user in self._users]
        bodies: dict[str, Callable[[str], str]] = {
            "read": lambda user: shown(user, ROLE, 3),
            "untouched": lambda _: UNTOUCHED,
            "write": changed,
            "list": lambda _: str(PER_USER),
            "revoke": lambda _: "True",
        }
        cookie = False if ours else None
        expected: list[Expected] = [(bodies[self.kind](user).encode(), cookie) for user in self._users]
        self._fill([self._show(credential) for credential in credentials], expected)

    def _fill(self, shown_: list[Shown], expected: list[Expected]) -> None:
        self._shown, self.expected = shown_, expected
        self.visits = [self._asking.visit(one) for one in shown_]

    def _show(self, credential: str, method: str | None = None) -> Shown:
        method = method or ("POST" if self.kind in POSTED else "GET")
        return Shown(method, bearer=credential) if self.subject.bearer else Shown(method, cookie=credential)

    async def _sign_in(self, user: str) -> str:
        crowd.next = user
        answer = await self._asking.ask(self.subject.apps["login"], self._asking.visit(Shown("POST")))
        crowd.next = None
        return self._credential(answer)

    def _credential(self, answer: Answer) -> str:
        found = answer.body.decode() if self.subject.bearer else answer.cookie
        if answer.status != 200 or not found:
            raise Wrong(f"{self.subject.name}: no login: {answer}")
        return found

    async def _read(self, credential: str) -> str:
        """What the page that reads says to somebody."""
        answer = await self._asking.ask(self.subject.apps["read"], self._asking.visit(self._show(credential, "GET")))
        return answer.body.decode() if answer.status == 200 else str(answer.status)

    async def before(self, requests: int) -> None:
        """A slice of so many requests is about to begin."""
        crowd.signed_in.clear()
        crowd.written.clear()
        if self.kind == "read" and self._users and "write" in self.subject.apps:
            await self._plant()
        if self.kind == "revoke":
            for user in self._users[: requests - 1]:
                for _ in range(_each(requests)):
                    credential = await self._sign_in(user)
                    self._last[user] = credential
            crowd.victims = {}
            for user, handle in crowd.signed_in:
                crowd.victims.setdefault(user, []).append(str(handle))
        if self.subject.near and self.kind in {"read", "untouched"}:
            for number in range(VISITORS):
                await self.ask(number)
        self._seen = self._watch.see() if self._watch else None

    async def _plant(self) -> None:
        """Write into the first visitor's session; the page has to show it."""
        visit = self._asking.visit(self._shown[0]._replace(method="POST"))
        answer = await self._asking.ask(self.subject.apps["write"], visit)
        if answer.cookie is not None and self.subject.carried:
            self._shown[0] = self._show(answer.cookie)
            self.visits[0] = self._asking.visit(self._shown[0])
        body = shown(self._users[0], ROLE, crowd.written[self._users[0]]).encode()
        self.expected[0] = body, self.expected[0][1]
        deadline = time.monotonic() + TOLD_WITHIN
        while self.subject.near and time.monotonic() < deadline:
            if (await self._asking.ask(self.app, self.visits[0])).body == body:
                return
            if self._loop:
                await asyncio.sleep(0.005)
            else:
                time.sleep(0.005)  # noqa: ASYNC251 (there is no loop)

    async def after(self, requests: int, last: Answer) -> None:
        """It has ended. Raises `Wrong` where it did not do what it is said to have done."""
        check: dict[str, Callable[[int, Answer], Awaitable[str | None]]] = {
            "read": self._only_read,
            "untouched": self._only_read,
            "write": self._wrote,
            "login": self._signed_in,
            "revoke": self._revoked,
        }
        if self.kind in check and self._shown and "login" in self.subject.apps:
            wrong = await check[self.kind](requests, last)
            if wrong:
                raise Wrong(f"{self.subject.name}, {self.kind}: after {requests} requests {wrong}")

    async def _only_read(self, requests: int, _: Answer) -> str | None:
        if self._watch is None or self._seen is None:
            return None
        now, then = self._watch.see(), self._seen
        if now.changes != then.changes and not self.subject.saves:
            return "something was written"
        if now.found is None or then.found is None:
            return None
        asked = now.found - then.found
        if self.subject.near and self.kind in {"read", "untouched"}:
            # On a busy machine the news may be late, and then nothing is served from what is kept.
            if asked > requests / 10:
                raise Unfit(f"{self.subject.name}: {requests} reads asked the store for {asked} sessions")
            return None
        # A library may load lazily, and then an untouched session is not asked for.
        least = 0 if self.kind == "untouched" and not self.subject.ours else requests
        return f"the store was asked for {asked} sessions" if asked < least else None

    async def _wrote(self, _: int, last: Answer) -> str | None:
        if self.subject.carried:  # each browser has its own; the last one was asked
            written = list(crowd.written.items())[-1:] if last.cookie else []
            found = {last.body.decode().split()[0]: last.cookie}
        else:
            written = list(crowd.written.items())
            found = dict(zip(self._users, (one.cookie for one in self._shown), strict=True))
        for user, number in written:
            if await self._read(str(found.get(user))) != shown(user, ROLE, number):
                return f"what {user} wrote is not stored"
        return None if written else "nothing was written"

    async def _signed_in(self, requests: int, last: Answer) -> str | None:
        if len(crowd.signed_in) != requests:
            return f"{len(crowd.signed_in)} have signed in"
        said = await self._read(self._credential(last))
        names = [user for user, _ in crowd.signed_in[-VISITORS:]]
        return None if said in {shown(user, ROLE, 3) for user in names} else f"the last one is unknown: {said}"

    async def _revoked(self, requests: int, _: Answer) -> str | None:
        left = sum(map(len, crowd.victims.values()))
        if left != len(crowd.victims) * _each(requests) - requests:
            return f"{left} sessions are left"
        for user in self._users[:1]:  # the last of whose sessions was revoked first
            if (said := await self._read(self._last[user])).startswith(user):
                return f"one of them still lives: {said}"
        return None


def _each(requests: int) -> int:
    """Sessions that each visitor needs to revoke in a slice; the first has one more turn than the others."""
    return 1 + -(-(requests - 1) // VISITORS)
