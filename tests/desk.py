"""A ticket desk for tests: either manager behind one synchronous face, on a clock that stands still."""

from __future__ import annotations

import asyncio
import inspect
import secrets
from datetime import timedelta
from typing import Any, Literal

from coatcheck import AsyncSessionManager, Event, Session, SessionManager, Ticket
from coatcheck.keyring import Keyring

SECRET = "a-secret-of-more-than-32-bytes-0123456789"
Kind = Literal["sync", "async"]


class Desk:
    """One manager over a fresh memory store, what it has reported, and the time."""

    def __init__(self, kind: Kind = "sync", **settings: Any) -> None:
        self.now = 1_000_000.0
        self.namespace = settings.setdefault("namespace", f"desk-{secrets.token_hex(6)}")
        settings.setdefault("secret", SECRET)
        make: Any = SessionManager if kind == "sync" else AsyncSessionManager
        self.manager = make("memory://", clock=lambda: self.now, **settings)
        self.events: list[Event] = []
        self.manager.subscribe(self.events.append)

    @property
    def key(self) -> bytes:
        """The key that signs tickets: what an attacker lacks."""
        return Keyring(SECRET, namespace=self.namespace).keys("ticket")[0]

    def run(self, answer: Any) -> Any:
        """The answer, awaited where it has to be."""
        return asyncio.run(answer) if inspect.iscoroutine(answer) else answer

    def load(self, token: str | None) -> Session:
        session: Session = self.run(self.manager.load(token))
        return session

    def commit(self, session: Session) -> str | None:
        token: str | None = self.run(self.manager.commit(session)).token
        return token

    def session(self, user: str | None = "7", **fields: Any) -> Session:
        """A session as the next request finds it: `user`'s, or an anonymous one with a field."""
        session = self.load(None)
        session.update(fields or {"cart": [1]})
        if user is not None:
            session.login(user)
        return self.load(self.commit(session))

    def issue(
        self,
        session: Session,
        purpose: str = "download",
        claims: dict[str, Any] | None = None,
        ttl: timedelta = timedelta(minutes=2),
        bearer: bool = False,
    ) -> str:
        claims = {"file": "a.pdf"} if claims is None else claims
        jwt: str = self.run(self.manager.tickets.issue(purpose, claims, session=session, ttl=ttl, bearer=bearer))
        return jwt

    def redeem(self, jwt: Any, purpose: str = "download", session: Session | None = None, **more: Any) -> Ticket:
        ticket: Ticket = self.run(self.manager.tickets.redeem(jwt, purpose, session, **more))
        return ticket

    def peek(self, jwt: Any, purpose: str = "download", session: Session | None = None) -> Ticket:
        ticket: Ticket = self.run(self.manager.tickets.peek(jwt, purpose, session))
        return ticket

    def told(self, name: str) -> list[Event]:
        """The events of one name."""
        return [event for event in self.events if event.name == name]
