"""What a worker said that it did, what must therefore be true, and what is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from coatcheck import SessionManager
from coatcheck.errors import TicketError, TicketRevoked, TicketSpent
from tests.processes.team import Message

NEW = "?"
"""The token of a session whose login or rotation was not answered: nobody knows it."""

ABSENT, ENDED = "absent", "ended"


class Live(NamedTuple):
    """A session as it is seen. A write stores one number in two fields, and a patch another in two."""

    user: str
    wrote: int | str
    patched: int | str


class State(NamedTuple):
    """The world after some operations."""

    sessions: dict[str, Live | str]
    tickets: dict[str, str]
    unknown: int
    """Live sessions whose tokens nobody knows."""


class History:
    """The operations of one worker, in their order: one after the other, each of them one commit."""

    def __init__(self) -> None:
        self.done: list[Message] = []
        self.doubt: Message | None = None
        """The operation that had begun and was not answered."""
        self.synced: list[Any] | None = None
        self.slowest = 0.0

    def take(self, message: Message) -> None:
        """Enter what the worker said. Raises AssertionError for a store that failed it."""
        assert "failed" not in message, message
        if "try" in message:
            self.doubt = message["try"]
        elif self.doubt is not None:
            self.done.append({**self.doubt, **message["did"]})
            self.doubt, self.synced = None, message["synced"]
            self.slowest = max(self.slowest, message["seconds"])

    def tokens(self) -> list[str]:
        """All that were ever issued."""
        return [one["issued"] for one in self.done if one.get("issued")]

    def states(self, first: int = 0) -> Iterator[State]:
        """The world after `first` operations, and after each that follows; last, if one is in doubt, after that."""
        sessions: dict[str, Live | str] = dict.fromkeys(self.tokens(), ABSENT)
        spent: set[str] = set()
        patches: dict[str, int] = {}
        tickets = {one["ticket"]: one["token"] for one in [*self.done, self.doubt or {}] if "ticket" in one}

        def state() -> State:
            known = {token: what for token, what in sessions.items() if token != NEW}
            marks = {
                ticket: ("spent" if ticket in spent else "whole") if isinstance(sessions[token], Live) else ENDED
                for ticket, token in tickets.items()
            }
            return State(known, marks, NEW in sessions)

        if first == 0:
            yield state()
        for place, one in enumerate([*self.done, *([self.doubt] if self.doubt else [])], 1):
            _apply(one, sessions, spent, patches)
            if place >= first:
                yield state()


def _apply(one: Message, sessions: dict[str, Live | str], spent: set[str], patches: dict[str, int]) -> None:
    op, token, number = one["op"], one.get("token", ""), one["number"]
    held = sessions.get(token)
    mine = {name: what for name, what in sessions.items() if isinstance(what, Live) and what.user == one.get("user")}
    if op == "login":
        sessions[one.get("issued", NEW)] = Live(one["user"], number, patches.get(one["user"], "none"))
    elif op == "rotate":
        assert held is not None
        sessions[one.get("issued", NEW)], sessions[token] = held, ENDED
    elif op == "write":
        assert isinstance(held, Live)
        sessions[token] = held._replace(wrote=number)
    elif op in {"logout", "revoke"}:
        sessions[token] = ENDED
    elif op == "revoke_user":
        sessions.update(dict.fromkeys(mine, ENDED))
    elif op == "update_user":
        patches[one["user"]] = number
        sessions.update({name: what._replace(patched=number) for name, what in mine.items()})
    elif op == "redeem":
        spent.add(one["ticket"])


def observe(manager: SessionManager, history: History) -> State:
    """The world as it is. Raises AssertionError for a half-written record, `StoreUnavailable` for one that
    cannot be read."""
    sessions: dict[str, Live | str] = {}
    for token in history.tokens():
        session = manager.load(token)
        if session.is_new:
            sessions[token] = ENDED if session.ended_reason else ABSENT
        else:
            assert (session["a"], session.get("p")) == (session["b"], session.get("q")), dict(session)
            sessions[token] = Live(str(session.user_id), session["a"], session.get("p", "none"))
    tickets = {}
    for one in [*history.done, history.doubt or {}]:
        if "ticket" in one:
            tickets[one["ticket"]] = _ticket(manager, one["ticket"])
    users = {one["user"] for one in [*history.done, history.doubt or {}] if "user" in one}
    listed = {info.handle for user in users for info in manager.sessions(user)}
    live = {token[:22] for token, what in sessions.items() if isinstance(what, Live)}
    assert live <= listed, "a live session is not in its user's list"
    return State(sessions, tickets, len(listed - live))


def _ticket(manager: SessionManager, ticket: str) -> str:
    try:
        manager.tickets.peek(ticket, "download")
    except TicketSpent:
        return "spent"
    except TicketRevoked:
        return ENDED
    except TicketError as error:
        return type(error).__name__
    return "whole"
