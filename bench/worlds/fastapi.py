"""FastAPI: fastapi-users with its Redis strategy, and Coatcheck by its dependencies."""

# mypy: disable-error-code="import-not-found, import-untyped, misc, no-any-unimported"

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from fastapi import Depends, FastAPI
from fastapi.responses import PlainTextResponse
from fastapi_users import BaseUserManager, FastAPIUsers
from fastapi_users.authentication import AuthenticationBackend, CookieTransport, RedisStrategy
from fastapi_users.db import BaseUserDatabase

from coatcheck import AsyncSessionManager
from coatcheck.integrations.fastapi import CurrentSession, CurrentUserId, SessionMiddleware, Sessions

from .asking import Asgi
from .ours import READS, kept
from .world import LIFETIME, ROLE, UNTOUCHED, Pages, Place, Subject, World, changed, crowd, shown


def app(page: Callable[..., Any]) -> FastAPI:
    made = FastAPI(openapi_url=None)
    made.add_api_route("/", page, methods=["GET", "POST"], response_class=PlainTextResponse)
    return made


async def untouched() -> str:
    return UNTOUCHED


@dataclass
class Person:
    """What fastapi-users takes for a user."""

    id: str
    role: str = ROLE
    n: int = 3
    email: str = ""
    hashed_password: str = ""
    is_active: bool = True
    is_verified: bool = True
    is_superuser: bool = False


class People(BaseUserDatabase):
    """In memory: what a database of users costs is not asked here."""

    def __init__(self) -> None:
        self._all: dict[str, Person] = {}

    async def get(self, id: str) -> Person | None:  # noqa: A002 (its name)
        return self._all.get(id)

    def add(self, person: Person) -> None:
        self._all[person.id] = person


class Manager(BaseUserManager):
    """Users by name."""

    def parse_id(self, value: Any) -> str:
        return str(value)


def fastapi_users(url: str) -> Subject:
    """As its documentation sets it up. It keeps a token for each login, and no data."""
    people = People()
    client = redis.asyncio.from_url(url, decode_responses=True)

    async def manager() -> Any:
        yield Manager(people)

    def strategy() -> Any:
        return RedisStrategy(client, lifetime_seconds=LIFETIME)

    transport = CookieTransport(cookie_max_age=LIFETIME)
    backend = AuthenticationBackend(name="redis", transport=transport, get_strategy=strategy)
    current = FastAPIUsers(manager, [backend]).current_user(active=True)

    async def read(person: Any = Depends(current)) -> str:
        return shown(person.id, person.role, person.n)

    async def login(chosen: Any = Depends(strategy)) -> PlainTextResponse:
        person = Person(crowd.arrive()["sub"])
        people.add(person)
        response = await backend.login(chosen, person)
        cookie = {"set-cookie": response.headers["set-cookie"]}
        return PlainTextResponse(crowd.arrived(person.id), headers=cookie)

    apps = {"read": app(read), "untouched": app(untouched), "login": app(login)}
    return Subject("fastapi-users, Redis", apps, watch=url)


def coatcheck(reads: AsyncSessionManager, changes: AsyncSessionManager) -> dict[str, FastAPI]:
    """The applications of one store."""

    async def show(session: CurrentSession) -> str:
        return shown(session.user_id, session.get("role"), session.get("n"))

    async def change(session: CurrentSession, user: CurrentUserId) -> str:
        session["n"] = crowd.write(user)
        return changed(user)

    async def sign_in(session: CurrentSession) -> str:
        fields = crowd.arrive()
        session.login(fields.pop("sub"))
        session.update(fields)
        return crowd.arrived(str(session.user_id), session.handle)

    async def list_(session: CurrentSession, user: CurrentUserId, sessions: Sessions) -> str:
        return str(len(await sessions.sessions(user, current=session)))

    async def revoke(user: CurrentUserId, sessions: Sessions) -> str:
        return str(await sessions.revoke(crowd.victim(user), user_id=user))

    pages: Pages = {"read": show, "untouched": untouched, "write": change, "login": sign_in, "list": list_}
    pages["revoke"] = revoke
    apps = {kind: app(page) for kind, page in pages.items()}
    for kind, made in apps.items():
        made.add_middleware(SessionMiddleware, manager=reads if kind in READS else changes)
    return apps


async def world(place: Place) -> World:
    subjects = [fastapi_users(place.redis)] if place.redis else []
    stores = kept("fastapi", place, "SQLite", "Redis", "Redis, near cache")
    subjects += [store.subject(place, AsyncSessionManager, coatcheck) for store in stores]
    return World(Asgi(), app(untouched), subjects, ("fastapi", "fastapi-users"))
