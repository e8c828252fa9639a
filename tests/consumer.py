"""An application that uses each public name, as a type checker sees it: `test_public_types` checks it, and runs it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Literal, assert_type

from coatcheck import (
    AsyncMovingStore,
    AsyncSessionManager,
    AuditEntry,
    AuditTrail,
    Client,
    Clock,
    Commit,
    CookieSettings,
    Event,
    MovingStore,
    Policy,
    Session,
    SessionInfo,
    SessionManager,
    Ticket,
    generate_secret,
)
from coatcheck.errors import (
    CoatcheckError,
    ConfigurationError,
    CSRFError,
    ReauthenticationRequired,
    SessionDataError,
    SessionEnded,
    SessionMoved,
    StoreUnavailable,
    TicketError,
    TicketExpired,
    TicketInvalid,
    TicketRevoked,
    TicketSpent,
)
from coatcheck.policy import NIST_AAL2
from coatcheck.stores.sqlite import AsyncSQLiteStore, SQLiteStore

REFUSALS: tuple[type[CoatcheckError], ...] = (
    *(ConfigurationError, StoreUnavailable, SessionEnded, SessionDataError, CSRFError, ReauthenticationRequired),
    *(TicketError, TicketInvalid, TicketExpired, TicketSpent, TicketRevoked, SessionMoved),
)


def clock() -> float:
    """The time, in seconds since the epoch."""
    return 1_900_000_000.0


def sign_in(session: Session) -> None:
    """What a view does."""
    assert_type(session.user_id, str | None)
    session.login("ada", remember=True, label="laptop", carry=["cart"])
    session["cart"] = ["coat"]
    session.set_lifetime(idle=timedelta(hours=1))
    assert_type(session.handle, str | None)
    assert_type(session.csrf_token, str)
    assert_type(session.is_fresh(timedelta(minutes=10)), bool)
    assert_type(session.ended_reason, str | None)


def told(event: Event) -> None:
    """A subscriber."""
    assert_type(event.user_id, str | None)


def serve(manager: SessionManager) -> None:
    """One request, and what an operator does after it."""
    stop = manager.subscribe(told)
    session = manager.load(None, Client("192.0.2.1", "Browser/1"))
    assert_type(session, Session)
    sign_in(session)
    done = manager.commit(session)
    assert_type(done, Commit)
    assert_type(done.action, Literal["keep", "set", "drop"])
    assert_type(done.max_age, int | None)
    with manager.open(done.token) as again:
        jwt = manager.tickets.issue("download", {"file": "a.pdf"}, session=again, ttl=timedelta(minutes=2))
    ticket = manager.tickets.redeem(jwt, "download")
    assert_type(ticket, Ticket)
    assert_type(ticket.expires_at, datetime)
    for info in manager.sessions("ada"):
        assert_type(info, SessionInfo)
        assert_type(manager.revoke(info.handle, user_id="ada"), bool)
    assert_type(manager.revoke_user("ada", keep=session), int)
    assert_type(manager.update_user("ada", {"role": "editor"}), int)
    assert_type(manager.info("nobody's"), SessionInfo | None)
    assert_type(manager.purge(), int)
    stop()


async def aserve(manager: AsyncSessionManager) -> None:
    """The same, awaited."""
    session = await manager.load(None)
    assert_type(session, Session)
    sign_in(session)
    assert_type(await manager.commit(session), Commit)
    assert_type(await manager.sessions("ada"), list[SessionInfo])
    jwt = await manager.tickets.issue("download", {}, session=session)
    assert_type(await manager.tickets.redeem(jwt, "download"), Ticket)
    assert_type(await manager.revoke_all(), int)


async def amain(settings: Policy, time: Clock) -> None:
    """An asynchronous application that is on the move."""
    store = AsyncMovingStore(AsyncSQLiteStore(SQLiteStore("old.db")), AsyncSQLiteStore(SQLiteStore("new.db")))
    async with AsyncSessionManager(store, secret=[generate_secret()], policy=settings, clock=time) as manager:
        await aserve(manager)


def main() -> None:
    """All of it."""
    trail = AuditTrail("sqlite:///audit.db", retention=timedelta(days=30))
    with SessionManager(
        MovingStore(SQLiteStore("a.db"), SQLiteStore("b.db")),
        policy=Policy(idle_timeout=timedelta(hours=2), absolute_timeout=timedelta(days=2)),
        cookie=CookieSettings(same_site="strict"),
        audit=trail,
        clock=clock,
    ) as manager:
        serve(manager)
        assert_type(trail.flush(), bool)
        assert_type(trail.entries("ada"), list[AuditEntry])
    trail.close()
    asyncio.run(amain(NIST_AAL2, clock))


if __name__ == "__main__":
    main()
