"""Quart: its own signed cookie, and Coatcheck."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from quart import Quart, session

from coatcheck import AsyncSessionManager
from coatcheck.integrations.quart import Coatcheck, session_from

from .asking import PatientAsgi
from .ours import READS, kept
from .world import UNTOUCHED, Pages, Place, Subject, World, changed, crowd, shown


def app(page: Callable[..., Any], **config: Any) -> Quart:
    made = Quart(__name__)
    made.config.update(SESSION_COOKIE_SECURE=True, **config)
    made.add_url_rule("/", view_func=page, methods=["GET", "POST"])
    return made


async def untouched() -> str:
    return UNTOUCHED


async def read() -> str:
    return shown(session.get("sub"), session.get("role"), session.get("n"))


async def write() -> str:
    session["n"] = crowd.write(session["sub"])
    return changed(session["sub"])


async def login() -> str:
    session.update(crowd.arrive())
    return crowd.arrived(session["sub"])


def cookie() -> Subject:
    """The data lies in the cookie, signed and readable."""
    pages: Pages = {"read": read, "untouched": untouched, "write": write, "login": login}
    key = secrets.token_hex(32)
    apps = {kind: app(page, SECRET_KEY=key) for kind, page in pages.items()}
    return Subject("Quart's signed cookie", apps, carried=True)


def coatcheck(reads: AsyncSessionManager, changes: AsyncSessionManager) -> dict[str, Quart]:
    """The applications of one store."""

    async def show() -> str:
        mine = session_from()
        return shown(mine.user_id, mine.get("role"), mine.get("n"))

    async def change() -> str:
        mine = session_from()
        user = str(mine.user_id)
        mine["n"] = crowd.write(user)
        return changed(user)

    async def sign_in() -> str:
        mine, fields = session_from(), crowd.arrive()
        mine.login(fields.pop("sub"))
        mine.update(fields)
        return crowd.arrived(str(mine.user_id), mine.handle)

    async def list_() -> str:
        mine = session_from()
        return str(len(await reads.sessions(str(mine.user_id), current=mine)))

    async def revoke() -> str:
        user = str(session_from().user_id)
        return str(await changes.revoke(crowd.victim(user), user_id=user))

    pages: Pages = {"read": show, "untouched": untouched, "write": change, "login": sign_in, "list": list_}
    pages["revoke"] = revoke
    apps = {kind: app(page) for kind, page in pages.items()}
    for kind, made in apps.items():
        Coatcheck(made, reads if kind in READS else changes)
    return apps


async def world(place: Place) -> World:
    stores = kept("quart", place, "SQLite", "Redis")
    subjects = [cookie(), *(store.subject(place, AsyncSessionManager, coatcheck) for store in stores)]
    return World(PatientAsgi(), app(untouched), subjects, ("quart",))
