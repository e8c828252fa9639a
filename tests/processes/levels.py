"""How durable each operation of the SQLite store is: the level that its connection really has at each COMMIT."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

from coatcheck import Session, SessionManager
from coatcheck.stores.sqlite import SQLiteStore
from coatcheck.testing.clock import FakeClock
from coatcheck.testing.kit import KEY

NAMES = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}


def levels(folder: Path) -> dict[str, str]:
    """Operation -> the level of its transaction."""
    clock = FakeClock()
    store = SQLiteStore(folder / "levels.db")
    # To tidy up is an operation of its own here.
    store._purged_at = float("inf")
    with SessionManager(store, secret=KEY, clock=clock) as manager:
        noted: list[str] = []
        new = store._db._new
        store._db._new = lambda wait: _note(new(wait), noted)  # type: ignore[method-assign]
        return _visit(manager, clock, noted)


def _note(db: sqlite3.Connection, noted: list[str]) -> sqlite3.Connection:
    """A connection that reports its own level at each COMMIT, before it does it."""

    def said(statement: str) -> None:
        if statement == "COMMIT":
            noted.append(NAMES[db.execute("PRAGMA synchronous").fetchone()[0]])

    db.set_trace_callback(said)
    return db


def _visit(manager: SessionManager, clock: FakeClock, noted: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}

    def note(name: str, work: Any, *args: Any) -> Any:
        noted.clear()
        result = work(*args)
        found[name] = ", then ".join(dict.fromkeys(noted)) or "nothing is written"
        return result

    def request(name: str, token: str | None, *work: Any) -> str:
        session = manager.load(token)
        for one in work:
            one(session)
        result = note(name, manager.commit, session)
        return result.token or token or ""

    def signed_in() -> str:
        session = manager.load(None)
        session.login("ada")
        return manager.commit(session).token or ""

    def stores(session: Session) -> None:
        session["note"] = session.get("note", 0) + 1

    token = request("first data of a visitor", None, stores)
    token = request("login", token, lambda session: session.login("ada"))
    request("write", token, stores)
    request("set_lifetime", token, lambda session: session.set_lifetime(idle=timedelta(days=20)))
    clock.advance(timedelta(hours=1))
    request("read", token, len)
    clock.advance(timedelta(hours=22))
    touching = signed_in()
    policy, engine = manager.engine.policy, manager.engine
    engine.policy = type(policy)(rotation_interval=None)
    clock.advance(timedelta(days=2))
    request('touch ("last seen")', touching, len)
    engine.policy = policy
    token = request("step (the next secret)", token, len)
    clock.advance(120)
    request("first use of the next secret", token, len)
    token = request("rotate", token, Session.rotate)
    ticket = manager.tickets.issue("download", {}, session=manager.load(token))
    note("redeem", manager.tickets.redeem, ticket, "download", manager.load(token))
    note("update_user", manager.update_user, "ada", {"role": "editor"})
    request("logout", token, Session.logout)
    note("revoke", manager.revoke, signed_in()[:22])
    signed_in()
    note("revoke_user", manager.revoke_user, "ada")
    note("revoke_all", manager.revoke_all)
    clock.advance(timedelta(days=60))
    note("purge, and tidying up", manager.purge)
    return found
