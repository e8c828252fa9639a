"""What PostgreSQL tells of its changes: LISTEN, and a trigger that NOTIFYs.

The trigger is the server's, so no writer can forget to. It signals those who listen before the writer is told that its
transaction is done, and a listener gets what it was signalled before the answer to its next question.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, ClassVar

import psycopg

from ...errors import CoatcheckError, ConfigurationError, StoreUnavailable
from ...feed import Told
from .schema import channel
from .server import CALL, Server, left
from .url import Target


class Connection(psycopg.Connection[Any]):
    """One whose every wait is over at a deadline (monotonic)."""

    server: ClassVar[Server]
    deadline: float = 0.0

    @classmethod
    def connect(cls, *arguments: Any, **keywords: Any) -> Any:
        """As the driver's; the pool keeps to itself why it fails."""
        try:
            made = super().connect(*arguments, **keywords)
        except psycopg.Error as error:
            cls.server.refusal = error
            raise
        cls.server.refusal = None
        return made

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As the driver's."""
        if timeout is None:
            timeout = left(self.deadline)
        return super().wait(gen, interval, timeout)


def connecting(server: Server) -> type[Connection]:
    """A class of connections to a server, which is told why one cannot be made."""
    return type("Connection", (Connection,), {"server": server})


class PostgreSQLFeed:
    """A `Feed` of the server that a URL, or a pool, leads to. Raises `StoreUnavailable`, `ConfigurationError`."""

    def __init__(self, target: Target, namespace: str) -> None:
        self._server = Server(target, namespace)
        self._channel = channel(namespace)
        try:
            self._db = connecting(self._server).connect(target.conninfo, **target.pool["kwargs"])
            try:
                self._listen(namespace)
            except BaseException:
                self.close()
                raise
        except (psycopg.Error, OSError) as error:
            raise self._server.plain(error) from None

    def _listen(self, namespace: str) -> None:
        self._table = self._ask(self._server.sql.tells)
        if not self._table:
            raise ConfigurationError(
                f'PostgreSQL at {self._server.where} does not tell what changes in "{namespace}_sessions". Have it '
                "do so with `coatcheck migrate --feed`"
            )
        ((number,),) = self._ask("SELECT pg_backend_pid()")
        if number != self._db.info.backend_pid:
            # Behind a pooler that lends a server's session for a transaction, what it is told is told to somebody.
            raise ConfigurationError(
                f"a pooler (pgbouncer) stands before PostgreSQL at {self._server.where}: it cannot pass on what the "
                "server tells. Let this application connect to PostgreSQL itself"
            )
        self._ask(f'LISTEN "{self._channel}"')

    def _ask(self, statement: str) -> list[Any]:
        self._db.deadline = time.monotonic() + CALL
        cursor = self._db.execute(statement)
        return cursor.fetchall() if cursor.description else []

    def prove(self) -> Told:
        try:
            table = self._ask(self._server.sql.tells)
        except (psycopg.Error, OSError) as error:
            raise self._server.plain(error) from None
        if table != self._table:
            raise StoreUnavailable(f"PostgreSQL at {self._server.where} has lost its trigger, or has other tables now")
        return self.wait(0.0)

    def wait(self, seconds: float) -> Told:
        try:
            told = [one.payload for one in self._db.notifies(timeout=seconds, stop_after=1)]
        except (psycopg.Error, OSError) as error:
            raise self._server.plain(error) from None
        return None if "*" in told else told  # the table was emptied

    def close(self) -> None:
        with suppress(psycopg.Error, CoatcheckError):
            self._db.close()
