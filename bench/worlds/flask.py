"""Flask: its own signed cookie, Flask-Session on Redis, and Coatcheck."""

# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from flask import Flask, session
from flask_session import Session
from redis import Redis

from coatcheck import SessionManager
from coatcheck.integrations.flask import Coatcheck, session_from

from .asking import Wsgi
from .ours import READS, kept
from .world import UNTOUCHED, Pages, Place, Subject, World, changed, crowd, shown


def app(page: Callable[..., Any], **config: Any) -> Flask:
    made = Flask(__name__)
    made.config.update(SESSION_COOKIE_SECURE=True, **config)
    made.add_url_rule("/", view_func=page, methods=["GET", "POST"])
    return made


def untouched() -> str:
    return UNTOUCHED


def read() -> str:
    return shown(session.get("sub"), session.get("role"), session.get("n"))


def write() -> str:
    session["n"] = crowd.write(session["sub"])
    return changed(session["sub"])


def login() -> str:
    session.update(crowd.arrive())
    return crowd.arrived(session["sub"])


def cookie() -> Subject:
    """The data lies in the cookie, signed and readable."""
    key = secrets.token_hex(32)
    pages: Pages = {"read": read, "untouched": untouched, "write": write, "login": login}
    apps = {kind: app(page, SECRET_KEY=key) for kind, page in pages.items()}
    return Subject("Flask's signed cookie", apps, carried=True)


def flask_session(url: str) -> Subject:
    """As its documentation sets it up."""
    client = Redis.from_url(url)

    def signs_in() -> str:
        session.update(crowd.arrive())
        interface: Any = made["login"].session_interface
        interface.regenerate(session)
        return crowd.arrived(session["sub"])

    pages: Pages = {"read": read, "untouched": untouched, "write": write, "login": signs_in}
    settings = {"SESSION_TYPE": "redis", "SESSION_REDIS": client}
    made = {kind: app(page, **settings) for kind, page in pages.items()}
    for one in made.values():
        Session(one)
    return Subject("Flask-Session, Redis", made, saves=True, watch=url)


def coatcheck(reads: SessionManager, changes: SessionManager) -> dict[str, Flask]:
    """The applications of one store."""

    def show() -> str:
        mine = session_from()
        return shown(mine.user_id, mine.get("role"), mine.get("n"))

    def change() -> str:
        mine = session_from()
        user = str(mine.user_id)
        mine["n"] = crowd.write(user)
        return changed(user)

    def sign_in() -> str:
        mine, fields = session_from(), crowd.arrive()
        mine.login(fields.pop("sub"))
        mine.update(fields)
        return crowd.arrived(str(mine.user_id), mine.handle)

    def list_() -> str:
        mine = session_from()
        return str(len(reads.sessions(str(mine.user_id), current=mine)))

    def revoke() -> str:
        user = str(session_from().user_id)
        return str(changes.revoke(crowd.victim(user), user_id=user))

    pages: Pages = {"read": show, "untouched": untouched, "write": change, "login": sign_in, "list": list_}
    pages["revoke"] = revoke
    apps = {kind: app(page) for kind, page in pages.items()}
    for kind, made in apps.items():
        Coatcheck(made, reads if kind in READS else changes)
    return apps


def world(place: Place) -> World:
    subjects = [cookie()]
    if place.redis:
        subjects.append(flask_session(place.redis))
    stores = kept("flask", place, "SQLite", "Redis", "Redis, near cache", "PostgreSQL")
    subjects += [store.subject(place, SessionManager, coatcheck) for store in stores]
    return World(Wsgi(), app(untouched), subjects, ("flask", "flask-session"), loop=False)
