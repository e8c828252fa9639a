"""What Redis tells of its changes: client-side caching in broadcasting mode, for our sessions' keys.

The server tells of every write, by whomever, so no writer can forget to. Two connections: one to which it tells, and
one that asked it to. Redis sends what it has to tell, then acknowledges the writes, then reads the next commands: an
answer to a PING that was sent after a write was acknowledged comes after the news of that write.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import redis
import redis.sentinel
from redis.backoff import NoBackoff
from redis.retry import Retry

from ...errors import ConfigurationError
from ...feed import Told
from .faults import plain, slow
from .sentinel import others
from .talk import CONNECT, REPLY
from .url import Target
from .values import Names

_CHANNEL = "__redis__:invalidate"
RIGHTS = ("+client|id", "+client|tracking", "+subscribe", "+ping", f"&{_CHANNEL}")
"""What an ACL has to allow beside what the store needs."""
_MOST = 1000
"""Messages that are read at once."""


class RedisFeed:
    """A `Feed` of the one server that a URL names. Raises `StoreUnavailable`."""

    def __init__(self, target: Target, names: Names) -> None:
        self._names, self._where = names, target.where
        self._client = target.client(
            redis,
            None,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=CONNECT,
            socket_timeout=REPLY,
        )
        self._connections: list[Any] = []
        try:
            self._ear, self._asker = self._connect(), self._connect()
            number = self._ask(self._ear, "CLIENT", "ID")
            self._ask(self._ear, "SUBSCRIBE", _CHANNEL)
            self._ask(self._asker, "CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST", "PREFIX", names.start)
        except (redis.RedisError, OSError) as error:
            self.close()
            raise plain(error, self._where) from None

    def _connect(self) -> Any:
        connection = self._client.connection_pool.make_connection()
        self._connections.append(connection)
        connection.connect()
        return connection

    @staticmethod
    def _ask(connection: Any, *command: Any) -> Any:
        connection.send_command(*command)
        return connection.read_response(disable_decoding=True)

    def prove(self) -> Told:
        try:
            # First the one that asked: without it nothing would be told, and the other would not notice.
            self._ask(self._asker, "PING")
            self._ear.send_command("PING")
            news: list[Told] = []
            until = time.monotonic() + REPLY
            while (message := self._ear.read_response(disable_decoding=True))[0] != b"pong":
                news.append(self._read(message))
                if time.monotonic() > until:
                    raise slow(self._where)
        except (redis.RedisError, OSError) as error:
            raise plain(error, self._where) from None
        return _together(news)

    def wait(self, seconds: float) -> Told:
        news: list[Told] = []
        try:
            while len(news) < _MOST and self._ear.can_read(0 if news else seconds):
                news.append(self._read(self._ear.read_response(disable_decoding=True)))
        except (redis.RedisError, OSError) as error:
            raise plain(error, self._where) from None
        return _together(news)

    def _read(self, message: list[Any]) -> Told:
        keys = message[-1]
        if keys is None:
            return None  # the whole database was emptied
        return [name for kind, name in map(self._names.parse, keys) if kind == "s"]

    def close(self) -> None:
        for connection in self._connections:
            with suppress(redis.RedisError, OSError):
                connection.disconnect()
        for one in (self._client, *others(self._client)):
            one.close()


def _together(news: list[Told]) -> Told:
    told: list[str] = []
    for one in news:
        if one is None:
            return None
        told += one
    return told


def feed(target: Target | None, names: Names) -> RedisFeed:
    """Connect an ear to what a URL names. Raises `StoreUnavailable`, or `ConfigurationError` where there is none."""
    if target is None:
        raise ConfigurationError(
            "a store around a client of the application's own tells nothing of its changes: give the manager the "
            "store's URL"
        )
    if target.nodes:
        raise ConfigurationError("a cluster tells nothing of its changes yet")
    return RedisFeed(target, names)
