"""What a store knows of its server, and what goes wrong with it, without I/O."""

from __future__ import annotations

import re
import select
import time
from typing import Any

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout

from ...clock import SLOW_LOOK, corrected
from ...errors import CoatcheckError, ConfigurationError, StoreUnavailable
from .plans import Ask, Plan
from .schema import VERSION, Statements, feed_schema, schema, statements
from .url import Target

CONNECT = 0.8
"""Seconds in which a connection must be had."""
CALL = 1.9
"""Seconds in which a whole call must be answered."""
CLOCK_EVERY = 60.0
PURGE_EVERY = 60.0
PURGE_BATCH = 100

OLDEST = 130000
"""PostgreSQL 13, as `server_version_num` has it."""

_WORDS = {
    "28": "refused the user or the password. Correct them in the store's URL: postgresql://user:password@host/database",
    "3D": "has no database of that name. Correct the store's URL, or create it: createdb NAME",
    "53": "is out of something: disk, memory or connections. See its log",
    "57014": "cancelled a statement. Is its statement_timeout below two seconds?",
    "57P": "is shutting down or starting. Try again in a moment",
    "25006": "takes no writes: it is a replica, or the user is read-only. Point the store's URL at the primary",
    "42P01": "has lost the tables. Make them again with `coatcheck migrate`",
    "42501": "does not let this user do what sessions need: SELECT, INSERT, UPDATE and DELETE on the tables",
    "40": "found two transactions in each other's way and undid this one. Nothing was changed",
}


class Server:
    """One server, as a store sees it."""

    def __init__(self, target: Target, namespace: str) -> None:
        self.where: str = target.where
        self._create = target.create
        self.offset: float = 0.0
        self.refusal: Exception | None = None
        """Why the last connection that was tried could not be made."""
        self.sql: Statements = Statements(namespace)
        self._namespace = namespace
        self._fit = False
        self._clock_due = self._purge_due = 0.0

    def look(self) -> Plan[None]:
        """Refuse a server that is too old, a replica, and tables that are not there: with `ConfigurationError`."""
        ((version, replica, isolation, comment),) = yield Ask(self.sql.look)
        if isolation != "read committed":
            raise ConfigurationError(
                f"PostgreSQL at {self.where} has default_transaction_isolation = '{isolation}' for this user: sessions "
                "need 'read committed', which is PostgreSQL's default. ALTER ROLE ... SET it, for this user alone"
            )
        if version < OLDEST:
            raise ConfigurationError(f"PostgreSQL at {self.where} is {version // 10000}; sessions need 13 or newer")
        if replica:
            raise ConfigurationError(
                f"PostgreSQL at {self.where} is a replica, which may be behind: a session that was ended would go "
                "on there. Point the store's URL at the primary"
            )
        if comment is None and self._create:
            yield from self.make()
        elif comment != f"coatcheck {VERSION}":
            named = "" if self._namespace == "coatcheck" else f" --namespace {self._namespace}"
            other = "are not there" if comment is None else "are of another version"
            raise ConfigurationError(
                f'the tables "{self._namespace}_sessions" and so on {other} in PostgreSQL at {self.where}. Make '
                f"them with `coatcheck migrate{named}`, or by what `coatcheck migrate{named} --print` prints"
            )

    def is_met(self) -> bool:
        """Whether there is nothing to find out before a call."""
        return self._fit and time.monotonic() < self._clock_due

    def meet(self) -> Plan[None]:
        """Look at the server once, and at its clock every minute."""
        if not self._fit:
            yield from self.look()
            self._fit = True
        # Its clock against ours, for those who share the store and not the clock.
        before = time.time()
        ((there,),) = yield Ask(self.sql.clock)
        after = time.time()
        trusted = after - before <= SLOW_LOOK
        self._clock_due = time.monotonic() + (CLOCK_EVERY if trusted else 1.0)
        self.offset = corrected(self.offset, before, there, after)

    def make(self, *, unlogged: bool = False, feed: bool = False) -> Plan[bool]:
        """Make what is missing; False if nothing is, as where another process has done it meanwhile."""
        yield Ask("BEGIN")
        yield Ask("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"coatcheck {self._namespace}",))
        ((*_, comment),) = yield Ask(self.sql.look)
        missing = [] if comment else statements(schema(self._namespace, unlogged=unlogged))
        if feed and not (yield Ask(self.sql.tells)):
            missing += statements(feed_schema(self._namespace))
        for statement in missing:
            yield Ask(statement)
        yield Ask("COMMIT")
        return bool(missing)

    def purge_is_due(self) -> bool:
        """Whether a call that is done should tidy up; then the next one need not."""
        due = time.monotonic() >= self._purge_due
        if due:
            self._purge_due = time.monotonic() + PURGE_EVERY
        return due

    def tidied(self, rows: int) -> None:
        """While there is more, each call tidies some."""
        if rows:
            self._purge_due = 0.0

    def plain(self, error: Exception) -> CoatcheckError:
        """A fault in words that name the remedy. Never the driver's own: a message may quote a statement's data."""
        if isinstance(error, CoatcheckError):
            return error
        if isinstance(error, PoolTimeout) and self.refusal is not None:
            error = self.refusal
        return StoreUnavailable(f"PostgreSQL at {self.where} {_say(error)}")


def _say(error: BaseException) -> str:
    state, text = getattr(error, "sqlstate", None) or "", str(error)
    # A connection that was refused has no SQLSTATE in the driver's error.
    if "password authentication failed" in text or "no pg_hba.conf entry" in text:
        state = "28P01"
    elif "hot standby" in text or "session is read-only" in text:
        state = "25006"
    elif re.search(r'database "[^"]*" does not exist', text):
        state = "3D000"
    words = next((words for start, words in _WORDS.items() if state.startswith(start)), None)
    if words or state:
        return words or f"refused a statement ({state})"
    if isinstance(error, PoolTimeout):
        return (
            "has no connection free. Raise ?pool_size= in the store's URL, or your pool's size, or see what holds them"
        )
    if isinstance(error, (TimeoutError, errors._WaitTimeout, errors.ConnectionTimeout)):
        return "did not answer in time. Is it paused, overloaded or out of reach?"
    return "cannot be reached. Is it running, and are host and port right?"


def left(deadline: float) -> float:
    """Seconds until a deadline (monotonic)."""
    return max(0.0, deadline - time.monotonic())


def is_stale(connection: Any) -> bool:
    """Whether a connection that was idle has been closed from the other side: nobody sends us anything else."""
    try:
        return connection.closed or bool(_readable(connection.fileno()))
    except (OSError, ValueError, psycopg.Error):
        return True


def _readable(number: int) -> list[Any]:
    if not hasattr(select, "poll"):
        return select.select([number], [], [], 0)[0]
    # It knows no limit of the numbers, where select() ends at 1024.
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return poll.poll(0)
