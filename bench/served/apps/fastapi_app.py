"""FastAPI: bare, with fastapi-users and its Redis strategy, and with ours.

The users of fastapi-users lie in a dict of this process: what a database would cost is no part of its sessions.
"""

# mypy: disable-error-code="import-not-found, import-untyped, misc, no-redef, possibly-undefined"

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, FastAPI, Response
from fastapi.responses import PlainTextResponse
from fastapi_users import BaseUserManager, FastAPIUsers
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, RedisStrategy
from fastapi_users.db import BaseUserDatabase
from redis.asyncio import Redis

from coatcheck.integrations.fastapi import CurrentSession, SessionMiddleware

from .shared import BARE, KIND, LIFETIME, REDIS, ROLE, coatcheck

app = FastAPI(default_response_class=PlainTextResponse)


@dataclass
class User:
    id: str
    role: str = ROLE
    email: str = ""
    hashed_password: str = ""
    is_active: bool = True
    is_superuser: bool = False
    is_verified: bool = True


class Users(BaseUserDatabase[Any, str]):
    known: dict[str, User] = {}  # noqa: RUF012 (one for the process)

    async def get(self, id: str) -> User | None:  # noqa: A002 (its name there)
        return self.known.get(id)


class Manager(BaseUserManager[Any, str]):
    def parse_id(self, value: Any) -> str:
        return str(value)


async def users() -> AsyncIterator[Manager]:
    yield Manager(Users())


# As text, as its documentation has it.
redis = Redis.from_url(REDIS or "redis://localhost", decode_responses=True)


def strategy() -> RedisStrategy[Any, str]:
    return RedisStrategy(redis, lifetime_seconds=LIFETIME)


backend = AuthenticationBackend(name="redis", transport=BearerTransport("login"), get_strategy=strategy)
signed_in = FastAPIUsers[Any, str](users, [backend]).current_user(active=True)

if KIND == "bare":

    @app.get("/read")
    @app.post("/login")
    @app.post("/write")
    async def bare() -> str:
        return BARE

elif KIND == "users":

    @app.post("/login")
    async def login(user: str, response: Response) -> str:
        Users.known[user] = User(user)
        response.headers["authorization"] = f"Bearer {await strategy().write_token(Users.known[user])}"
        return f"{user} {ROLE}"

    @app.get("/read")
    async def read(user: User = Depends(signed_in)) -> str:
        return f"{user.id} {user.role}"

else:
    app.add_middleware(SessionMiddleware, **coatcheck())

    @app.post("/login")
    async def our_login(user: str, session: CurrentSession) -> str:
        session.login(user)
        session.update(role=ROLE, n=3)
        return f"{session.user_id} {session['role']}"

    @app.get("/read")
    async def our_read(session: CurrentSession) -> str:
        return f"{session.user_id} {session.get('role')}"

    @app.post("/write")
    async def our_write(n: str, session: CurrentSession) -> str:
        session["n"] = n
        return f"{session.user_id} {session['n']}"

    @app.get("/n")
    async def our_written(session: CurrentSession) -> str:
        return f"{session.user_id} {session.get('n')}"
