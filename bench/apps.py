"""The applications: one page of Starlette, bare and behind each contender but ours.

Every page says who asks and in which role, as its session or token has it. All hold the same data.
"""

from __future__ import annotations

import json
import secrets
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import itsdangerous
import jwt
import redis
import redis.asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware as SignedCookie
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starsessions import SessionAutoloadMiddleware, SessionMiddleware
from starsessions.stores.redis import RedisStore

from .measure import Contender
from .proofs import Reads, RedisWatch, Writes
from .visits import Visit

Page = Callable[[Request], Awaitable[PlainTextResponse]]

USERS = [f"user-{number}" for number in range(100, 150)]
"""As many as requests are in flight: each has a session of its own."""
ROLE = "administrator"
LIFETIME = 14 * 24 * 3600
"""Seconds."""


def data(user: str) -> dict[str, Any]:
    """What a session holds, or a token claims."""
    return {"sub": user, "role": ROLE, "n": 3}


def shown(user: str, role: str = ROLE) -> str:
    """The page."""
    return f"{user} {role}"


def app_of(page: Page, *middleware: Middleware) -> Starlette:
    """An application of one page."""
    app = Starlette(middleware=middleware)
    app.add_route("/", page)
    return app


def bare() -> Contender:
    """The page without anything: what the others are measured from."""
    text = shown(USERS[0])

    async def page(_: Request) -> PlainTextResponse:
        return PlainTextResponse(text)

    # A cookie comes, and nobody reads it.
    return Contender("bare", app_of(page), [Visit.of(text, cookie="session=" + "x" * 86)] * len(USERS))


def pyjwt(algorithm: str) -> Contender:
    """A bearer token, decoded by PyJWT in the page itself: there is no shorter way."""
    sign: Any = secrets.token_bytes(32)
    check = sign
    if algorithm == "RS256":
        sign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        check = sign.public_key()

    async def page(request: Request) -> PlainTextResponse:
        token = request.headers["authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, check, algorithms=[algorithm])
        return PlainTextResponse(shown(claims["sub"], claims["role"]))

    claims = [data(user) | {"exp": time.time() + LIFETIME} for user in USERS]
    tokens = [jwt.encode(claim, sign, algorithm) for claim in claims]
    visits = [Visit.of(shown(user), bearer=token) for user, token in zip(USERS, tokens, strict=True)]
    return Contender(f"PyJWT {algorithm}", app_of(page), visits)


async def _dict_page(request: Request) -> PlainTextResponse:
    session = request.session
    return PlainTextResponse(shown(session["sub"], session["role"]))


def signed_cookie() -> Contender:
    """Starlette's own sessions: the data lies in the cookie, signed and readable."""
    key = secrets.token_hex(32)
    signer = itsdangerous.TimestampSigner(key)
    texts = [signer.sign(b64encode(json.dumps(data(user)).encode())).decode() for user in USERS]
    visits = [Visit.of(shown(user), cookie=f"session={text}") for user, text in zip(USERS, texts, strict=True)]
    return Contender("signed cookie", app_of(_dict_page, Middleware(SignedCookie, secret_key=key)), visits)


class StarSessions:
    """starsessions on Redis, as its documentation sets it up. It saves at every response, changed or not."""

    def __init__(self, url: str) -> None:
        self._client = redis.asyncio.Redis.from_url(url)
        self._sync = redis.Redis.from_url(url)
        self._watch = RedisWatch(self._sync)
        self._middleware = [
            Middleware(SessionMiddleware, store=RedisStore(connection=self._client), lifetime=LIFETIME),
            Middleware(SessionAutoloadMiddleware),
        ]
        self._ids = {user: secrets.token_hex(16) for user in USERS}
        for user in USERS:
            self._put(user, data(user) | {"__metadata__": {"lifetime": LIFETIME, "created": time.time()}})

    def _put(self, user: str, fields: dict[str, Any]) -> None:
        self._sync.set(f"starsessions.{self._ids[user]}", json.dumps(fields), ex=LIFETIME)

    def _get(self, user: str) -> dict[str, Any]:
        text: Any = self._sync.get(f"starsessions.{self._ids[user]}")
        fields: dict[str, Any] = json.loads(text)
        return fields

    def _contender(self, kind: str, page: Page, proof: Reads | Writes) -> Contender:
        visits = [Visit.of(shown(user), cookie=f"session={self._ids[user]}") for user in USERS]
        app = app_of(page, *self._middleware)
        return Contender(f"starsessions {kind}", app, visits, sets_cookie=True, proof=proof)

    def read(self) -> Contender:
        """A page that only reads."""

        def plant(role: str) -> bytes:
            self._put(USERS[0], self._get(USERS[0]) | {"role": role})
            return shown(USERS[0], role).encode()

        return self._contender("read", _dict_page, Reads(plant, self._watch, saves=True))

    def write(self) -> Contender:
        """A page that changes one field."""
        numbers, written = count(1), dict[str, int]()

        async def page(request: Request) -> PlainTextResponse:
            session = request.session
            session["n"] = written[session["sub"]] = next(numbers)
            return PlainTextResponse(shown(session["sub"]))

        return self._contender("write", page, Writes(written, lambda user: int(self._get(user)["n"])))

    async def close(self) -> None:
        """Give the connections back."""
        self._sync.close()
        await self._client.aclose()
