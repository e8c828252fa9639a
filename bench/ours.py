"""Coatcheck's contenders: the same page behind its middleware, on each store."""

from __future__ import annotations

import secrets
from itertools import count
from pathlib import Path

import redis
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck.integrations.starlette import SessionMiddleware, session_from

from .apps import ROLE, USERS, Page, app_of, data, shown
from .measure import Contender, Proof
from .proofs import Logins, Reads, RedisWatch, SQLiteWatch, Writes
from .visits import Visit


async def _reads(request: Request) -> PlainTextResponse:
    session = session_from(request)
    return PlainTextResponse(shown(str(session.user_id), session["role"]))


async def _ignores(_: Request) -> PlainTextResponse:
    return PlainTextResponse(shown(USERS[0]))


class Coatcheck:
    """One store, with a session of each user in it. Everything is as it comes: no setting is changed."""

    def __init__(self, store: str, url: str) -> None:
        """`store` is its name in the report."""
        secret = secrets.token_urlsafe(32)
        self._name = store
        self._manager = AsyncSessionManager(url, secret=secret)
        self._other = SessionManager(url, secret=secret)
        """Another process's view of the same store, as it were."""
        self._tokens: dict[str, str] = {}
        self._cookies: dict[str, str] = {}
        for user in USERS:
            session = self._other.load(None)
            session.login(user)
            session.update({name: value for name, value in data(user).items() if name != "sub"})
            done = self._other.commit(session)
            self._tokens[user] = str(done.token)
            self._cookies[user] = str(self._other.cookie.set_cookie(done)).partition(";")[0]
        self._watch: RedisWatch | SQLiteWatch | None = None
        if url.startswith("redis:"):
            self._watch = RedisWatch(redis.Redis.from_url(url))
        elif url.startswith("sqlite:"):
            self._watch = SQLiteWatch(Path(url.removeprefix("sqlite:///")))

    def _contender(self, kind: str, page: Page, visits: list[Visit], proof: Proof) -> Contender:
        app = app_of(page, Middleware(SessionMiddleware, manager=self._manager))
        return Contender(f"{self._name} {kind}", app, visits, proof=proof)

    def _visits(self) -> list[Visit]:
        return [Visit.of(shown(user), cookie=self._cookies[user]) for user in USERS]

    def _plant(self, role: str) -> bytes:
        with self._other.open(self._tokens[USERS[0]]) as session:
            session["role"] = role
        return shown(USERS[0], role).encode()

    def read(self) -> Contender:
        """A page that reads who is signed in, and a field."""
        return self._contender("read", _reads, self._visits(), Reads(self._plant, self._watch))

    def untouched(self) -> Contender:
        """A page that does not look at its session. It is loaded even so."""
        visits = [Visit.of(shown(USERS[0]), cookie=cookie) for cookie in self._cookies.values()]
        return self._contender("untouched", _ignores, visits, Reads(None, self._watch))

    def visitor(self) -> Contender:
        """A visitor without a cookie, on a page that asks who is signed in."""

        async def page(request: Request) -> PlainTextResponse:
            return PlainTextResponse(shown(session_from(request).user_id or "nobody"))

        return self._contender("visitor", page, [Visit.of(shown("nobody"))] * len(USERS), Reads(None, self._watch))

    def write(self) -> Contender:
        """A page that changes one field."""
        numbers, written = count(1), dict[str, int]()

        async def page(request: Request) -> PlainTextResponse:
            session = session_from(request)
            user = str(session.user_id)
            session["n"] = written[user] = next(numbers)
            return PlainTextResponse(shown(user))

        def stored(user: str) -> int:
            return int(self._other.load(self._tokens[user])["n"])

        return self._contender("write", page, self._visits(), Writes(written, stored))

    def login(self) -> Contender:
        """A page that signs a visitor in: each time somebody else, since nobody signs in a thousand times."""
        numbers, signed_in = count(1), list[str]()

        async def page(request: Request) -> PlainTextResponse:
            signed_in.append(f"newcomer-{next(numbers)}")
            session = session_from(request)
            session.login(signed_in[-1])
            session["role"] = ROLE
            return PlainTextResponse(ROLE)

        def who(cookie: str) -> str | None:
            return self._other.load(self._other.cookie.read(cookie.partition(";")[0])).user_id

        contender = self._contender("login", page, [Visit.of(ROLE)] * len(USERS), Logins(signed_in, who))
        contender.lap, contender.sets_cookie = 10, True
        return contender

    async def close(self) -> None:
        """Give the connections back."""
        if isinstance(self._watch, SQLiteWatch):
            self._watch.close()
        self._other.close()
        await self._manager.aclose()
