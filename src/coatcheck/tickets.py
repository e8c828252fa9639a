"""Tickets: single-use JWTs that live for minutes, each for one purpose and bound to the session that asked.

One atomic step of the store checks that the session lives and takes the ticket, by its `jti` and never by its
text. The mark outlives every moment at which a server would accept the ticket, so once means once.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from . import ticket_jwt
from .clock import as_datetime
from .engine import Engine, Plan
from .errors import TicketError, TicketExpired, TicketInvalid, TicketRevoked, TicketSpent
from .keyring import Keyring
from .session import Session
from .store import Taken
from .strict_jwt import plain
from .ticket_jwt import MAX_LENGTH, MAX_TTL, Read
from .ticket_jwt import Ticket as Ticket

E = TypeVar("E", bound=TicketError)

LEEWAY = 5.0
"""Seconds by which a ticket may come from the future, should the clocks of two servers differ. Its expiry has no
leeway: times are corrected to the store's, and two minutes are two minutes."""
_MARK_KEPT = 60.0
"""Seconds for which a used ticket is remembered after its expiry, should a server's clock be further off."""
_MAX_TEXT = 512


class Spent(TicketSpent):
    """`TicketSpent`, and what is needed to let the same client resume what it began, by Range.

    `ticket` is None unless the session that asks is the one that the ticket is bound to (a bearer's is bound to
    none); `note` is what the first use recorded, and `used_at` says when that was.
    """

    def __init__(
        self,
        message: str,
        *,
        jti: str | None = None,
        used_at: datetime | None = None,
        ticket: Ticket | None = None,
        note: str = "",
    ) -> None:
        super().__init__(message, jti=jti, used_at=used_at)
        self.ticket = ticket
        self.note = note


class TicketEngine:
    """Every decision about a ticket. `redeem` and `peek` are plans, as in `engine`; `issue` asks no store."""

    def __init__(self, engine: Engine, keyring: Callable[[], Keyring], namespace: str) -> None:
        self._engine = engine
        self._keyring = keyring
        self._namespace = namespace

    def issue(self, purpose: str, claims: Mapping[str, Any], session: Session, ttl: timedelta, bearer: bool) -> str:
        """The JWT. Raises ValueError, TypeError and `SessionDataError` as `Tickets.issue` says."""
        if not ticket_jwt.is_purpose(purpose):
            raise ValueError(
                f"purpose={purpose!r}: use 1 to 64 letters, digits, '_', '.', ':' or '-', the first a letter or digit"
            )
        _check_ttl(ttl)
        if not isinstance(claims, Mapping):
            raise TypeError(f"a ticket's claims are a mapping, not {type(claims).__name__}")
        data = plain(claims, "claims")
        handle, user_id = session.handle, session.user_id
        if handle is None:
            raise ValueError(
                "a ticket is bound to a session, and this one is not in the store: nothing was stored in it yet, or it "
                "was logged out in this request. Log in, or store something and commit, before you issue."
            )
        jwt, jti = ticket_jwt.write(
            self._keyring(),
            issuer=self._namespace,
            purpose=purpose,
            handle=handle,
            user_id=user_id,
            bearer=bearer,
            data=data,
            now=self._engine.now(),
            ttl=ttl.total_seconds(),
        )
        if len(jwt) > MAX_LENGTH:
            raise ValueError(
                f"the ticket would have {len(jwt)} characters and may have {MAX_LENGTH}. Keep the data in the session "
                "or in your database, and its id in the claims."
            )
        detail = {"jti": jti, "purpose": purpose, "expires": f"{self._engine.now() + ttl.total_seconds():.0f}"}
        self._engine.emit("ticket_issued", handle=handle, user_id=user_id, detail=detail)
        return jwt

    def redeem(
        self,
        jwt: str,
        purpose: str,
        session: Session | None,
        note: str,
        nonce: str | None,
        resume: timedelta = timedelta(0),
    ) -> Plan[Ticket]:
        """Take the ticket, once. Raises as `Tickets.redeem` says."""
        _check_text("note", note, 0)
        use = secrets.token_urlsafe(16) if nonce is None else _check_text("nonce", nonce, 1)
        now = self._engine.now()
        read = self._read(jwt, purpose, now)
        self._in_time(read, now)
        ticket, own = read.ticket, _is_own(read, session)
        if session is None or own or read.bearer:
            until = max(read.expires, now + resume.total_seconds()) + _MARK_KEPT
            taken = yield "redeem", (ticket.session_handle, ticket.jti, use, note, now, until)
            self._judge(read, own, taken)
        else:
            # Somebody else: told when it is over, and otherwise refused, without spending it.
            taken = yield "taken", (ticket.session_handle, ticket.jti, now)
            self._judge(read, own, taken)
            raise self._not_yours(ticket)
        self._engine.emit("ticket_redeemed", **_facts(ticket))
        return ticket

    def peek(self, jwt: str, purpose: str, session: Session | None, resume: timedelta = timedelta(0)) -> Plan[Ticket]:
        """What `redeem` would return or raise now, spending nothing."""
        now = self._engine.now()
        read = self._read(jwt, purpose, now)
        self._in_time(read, now - resume.total_seconds())
        ticket, own = read.ticket, _is_own(read, session)
        self._judge(read, own, (yield "taken", (ticket.session_handle, ticket.jti, now)))
        self._in_time(read, now)
        if not (session is None or own or read.bearer):
            raise self._not_yours(ticket)
        return ticket

    def _read(self, jwt: str, purpose: str, now: float) -> Read:
        """The ticket, once all has been checked that needs no store, but for its expiry. Raises `TicketInvalid`."""
        read = ticket_jwt.read(self._keyring(), self._namespace, jwt)
        if read is None:
            message = "this is not a ticket of ours, or it was altered on its way. Ask for a new one."
            # Nothing of it is told: nothing in it is known to be true.
            self._engine.emit("ticket_refused", reason="not a ticket of ours")
            raise TicketInvalid(message)
        ticket, jti = read.ticket, read.ticket.jti
        if ticket.purpose != purpose:
            message = "this ticket was issued for another purpose. Ask for a new one."
            raise self._refused(TicketInvalid(message, jti=jti), "another purpose", ticket)
        if read.issued > now + LEEWAY:
            message = f"this ticket was issued in the future: the clocks of two servers differ by over {LEEWAY:.0f} s."
            raise self._refused(TicketInvalid(message, jti=jti), "issued in the future", ticket)
        return read

    def _in_time(self, read: Read, now: float) -> None:
        """Raises `TicketExpired`."""
        if now >= read.expires:
            at = read.ticket.expires_at
            message = f"this ticket expired at {at:%Y-%m-%d %H:%M:%S} UTC. Ask for a new one."
            raise self._refused(TicketExpired(message, jti=read.ticket.jti, expired_at=at), "expired", read.ticket)

    def _judge(self, read: Read, own: bool, taken: Taken) -> None:
        """Raises what the store's answer means, unless the ticket was whole."""
        ticket = read.ticket
        if taken.ended is not None:
            why = taken.ended.reason
            # Not why: those are an operator's words, and whoever found the link would read them.
            message = "the session that this ticket was issued to has ended. Sign in, and ask for a new ticket."
            raise self._refused(TicketRevoked(message, jti=ticket.jti, reason=why), f"revoked: {why}", ticket)
        if not taken.won:
            at = as_datetime(taken.at)
            message = f"this ticket was used before, at {at:%Y-%m-%d %H:%M:%S} UTC. Ask for a new one."
            # Who used a bearer's first is not known: to resume it would be a second use, by its issuer.
            resumable = ticket if own and not read.bearer else None
            error = Spent(message, jti=ticket.jti, used_at=at, ticket=resumable, note=taken.note)
            raise self._refused(error, "spent", ticket)

    def _not_yours(self, ticket: Ticket) -> TicketInvalid:
        message = "this ticket was issued to another session. Open it in the browser that asked for it."
        return self._refused(TicketInvalid(message, jti=ticket.jti), "another session", ticket)

    def _refused(self, error: E, why: str, ticket: Ticket) -> E:
        """The error to raise, reported."""
        self._engine.emit("ticket_refused", reason=why, **_facts(ticket))
        return error


def _is_own(read: Read, session: Session | None) -> bool:
    # Against None, not for truth: a session without fields is an empty dict.
    if session is None:
        return False
    session.accessed = True
    return session.handle == read.ticket.session_handle


def _facts(ticket: Ticket) -> dict[str, Any]:
    detail = {"jti": ticket.jti, "purpose": ticket.purpose}
    return {"handle": ticket.session_handle, "user_id": ticket.user_id, "detail": detail}


def _check_ttl(ttl: timedelta) -> None:
    if not isinstance(ttl, timedelta):
        raise TypeError(f"ttl is a timedelta, not {type(ttl).__name__}")
    if not timedelta(0) < ttl <= MAX_TTL:
        raise ValueError(
            f"ttl={ttl}: above zero and at most {MAX_TTL}, better minutes. A ticket is for one use that follows at "
            "once; what lives longer belongs in a session, which its user can see and end."
        )


def _check_text(name: str, value: str, least: int) -> str:
    if not (least <= len(value) <= _MAX_TEXT and value.isprintable()):
        raise ValueError(f"{name}: {least} to {_MAX_TEXT} printable characters")
    return value


class Tickets:
    """A manager's tickets: `manager.tickets`."""

    def __init__(self, engine: TicketEngine, drive: Callable[[Plan[Ticket]], Ticket]) -> None:
        self._engine = engine
        self._drive = drive

    def issue(
        self,
        purpose: str,
        claims: Mapping[str, Any],
        *,
        session: Session,
        ttl: timedelta = timedelta(minutes=2),
        bearer: bool = False,
    ) -> str:
        """A JWT that may be redeemed once, for `purpose`, within `ttl` (at most an hour), while the session lives.

        `claims` come back with the ticket, and the client can read them. `bearer=True`: whoever holds it may use
        it, in whichever session; it still dies with the one that it was issued to. After `login` or `rotate` in
        this request, that is the session that the commit will store.

        Raises ValueError or TypeError for a purpose that is not a word, a ttl out of bounds, claims that JSON
        does not hold or that make the ticket longer than 4096 characters, and a session that is not stored.
        """
        return self._engine.issue(purpose, claims, session, ttl, bearer)

    def redeem(
        self,
        jwt: str,
        purpose: str,
        session: Session | None = None,
        *,
        note: str = "",
        nonce: str | None = None,
        resume: timedelta = timedelta(0),
    ) -> Ticket:
        """Take a ticket: of all the calls for it, wherever they are made, exactly one returns.

        `session`: only for the session that it was issued to, unless it is a bearer's; a refusal does not spend
        it. None: for whoever calls, so that your code must know who that is. `note` is kept with the first use
        (which resource). `nonce`, a fresh random text, lets you repeat a call whose answer was lost: the same
        nonce is the same use, so it must never come from a client. `resume`: for how long after it the use is
        remembered at least, also beyond the ticket's expiry, for a client that goes on with what it began.

        Raises `TicketInvalid`, `TicketExpired`, `TicketSpent` or `TicketRevoked`; `StoreUnavailable` when the
        store does not answer; ValueError for a note or a nonce of more than 512 characters.
        """
        return self._drive(self._engine.redeem(jwt, purpose, session, note, nonce, resume))

    def peek(
        self, jwt: str, purpose: str, session: Session | None = None, *, resume: timedelta = timedelta(0)
    ) -> Ticket:
        """What `redeem` would return or raise now, spending nothing: for HEAD and for prefetches.

        `resume`: for so long after its expiry a ticket that was used still raises `TicketSpent`, which tells of
        the use, in place of `TicketExpired`.
        """
        return self._drive(self._engine.peek(jwt, purpose, session, resume))


class AsyncTickets:
    """The same, awaited."""

    def __init__(self, engine: TicketEngine, drive: Callable[[Plan[Ticket]], Awaitable[Ticket]]) -> None:
        self._engine = engine
        self._drive = drive

    async def issue(
        self,
        purpose: str,
        claims: Mapping[str, Any],
        *,
        session: Session,
        ttl: timedelta = timedelta(minutes=2),
        bearer: bool = False,
    ) -> str:
        """As `Tickets.issue`."""
        return self._engine.issue(purpose, claims, session, ttl, bearer)

    async def redeem(
        self,
        jwt: str,
        purpose: str,
        session: Session | None = None,
        *,
        note: str = "",
        nonce: str | None = None,
        resume: timedelta = timedelta(0),
    ) -> Ticket:
        """As `Tickets.redeem`."""
        return await self._drive(self._engine.redeem(jwt, purpose, session, note, nonce, resume))

    async def peek(
        self, jwt: str, purpose: str, session: Session | None = None, *, resume: timedelta = timedelta(0)
    ) -> Ticket:
        """As `Tickets.peek`."""
        return await self._drive(self._engine.peek(jwt, purpose, session, resume))
