"""What Redis tells of its changes: client-side caching in broadcasting mode, for our sessions' keys.

The server tells of every write, by whomever, so no writer can forget to. Two connections: one to which it tells, and
one that asked it to. Redis sends what it has to tell, then acknowledges the writes, then reads the next commands: an
answer to a PING that was sent after a write was acknowledged comes after the news of that write.
"""

from __future__ import annotations

import select
import time
from contextlib import suppress
from typing import Any

import redis
from redis import exceptions as driver

from ...errors import ConfigurationError, StoreUnavailable
from ...feed import Told, together
from .client import opened
from .cluster import Routes
from .faults import plain, slow
from .hosts import Node
from .sentinel import others
from .slots import ALL, Range, covered, told
from .talk import REPLY
from .url import Target
from .values import Names

_CHANNEL = "__redis__:invalidate"
RIGHTS = ("+client|id", "+client|tracking", "+subscribe", "+ping", "+role", f"&{_CHANNEL}")
"""What an ACL has to allow beside what the store needs; in a cluster also `+cluster|info`."""
_MOST = 1000
"""Messages that are read at once."""


class RedisFeed:
    """A `Feed` of one server. Raises `StoreUnavailable`, and `ConfigurationError` for a user who may not listen."""

    def __init__(self, client: Any, names: Names, where: str, question: str = "ROLE") -> None:
        self._client, self._names, self._where, self._question = client, names, where, question
        self._connections: list[Any] = []
        try:
            self._ear, self._asker = self._connect(), self._connect()
            number = self._ask(self._ear, "CLIENT", "ID")
            self._ask(self._ear, "SUBSCRIBE", _CHANNEL)
            self._ask(self._asker, "CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST", "PREFIX", names.start)
            self.state: Any = self._ask(self._asker, *question.split())
            """What the server says of itself; what it says now, after `prove`."""
        except (redis.RedisError, OSError) as error:
            self.close()
            if isinstance(error, driver.NoPermissionError):
                raise ConfigurationError(
                    f"Redis at {where} does not let this user hear what changes: {' '.join(RIGHTS)}, in a cluster also "
                    "+cluster|info"
                ) from None
            raise plain(error, where) from None
        self._check()

    def _check(self) -> None:
        """A primary that became a replica hears of ends late, and one whose link is broken of none."""
        if self.state[0] == b"slave":
            self.close()
            raise StoreUnavailable(f"Redis at {self._where} is a replica by now: what it tells may be late")

    def _connect(self) -> Any:
        connection = self._client.connection_pool.make_connection()
        self._connections.append(connection)
        connection.connect()
        return connection

    @staticmethod
    def _ask(connection: Any, *command: Any) -> Any:
        connection.send_command(*command)
        return connection.read_response(disable_decoding=True)

    def fileno(self) -> int:
        """For a poll of several."""
        number: int = self._ear._sock.fileno()
        return number

    def prove(self) -> Told:
        try:
            # First the one that asked: without it nothing would be told, and the other would not notice.
            self.state = self._ask(self._asker, *self._question.split())
            self._ear.send_command("PING")
            news: list[Told] = []
            until = time.monotonic() + REPLY
            while (message := self._ear.read_response(disable_decoding=True))[0] != b"pong":
                news.append(self._read(message))
                if time.monotonic() > until:
                    raise slow(self._where)
        except (redis.RedisError, OSError) as error:
            raise plain(error, self._where) from None
        self._check()
        return together(news)

    def wait(self, seconds: float) -> Told:
        news: list[Told] = []
        try:
            while len(news) < _MOST and self._ear.can_read(0 if news else seconds):
                news.append(self._read(self._ear.read_response(disable_decoding=True)))
        except (redis.RedisError, OSError) as error:
            raise plain(error, self._where) from None
        return together(news)

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


class ClusterFeed:
    """A `Feed` of all primaries, as long as they are the same ones. Raises `StoreUnavailable`."""

    def __init__(self, target: Target, names: Names, routes: Routes) -> None:
        self._where, self._routes = target.where, routes
        self._feeds: list[RedisFeed] = []
        try:
            primaries = _primaries(target)
            for node in primaries:
                self._feeds.append(RedisFeed(opened(target, node), names, node.netloc, "CLUSTER INFO"))
        except BaseException:
            self.close()
            raise
        self._began = self._states()
        self._routes.heard = frozenset(primaries)

    def _states(self) -> list[tuple[bytes, ...]]:
        """Of each, whether it is well, and the epoch, which every failover and every new home of a slot makes a later
        one."""
        return [
            tuple(line for line in feed.state.split() if line.startswith((b"cluster_state", b"cluster_current_epoch")))
            for feed in self._feeds
        ]

    def prove(self) -> Told:
        news = together([feed.prove() for feed in self._feeds])
        states = self._states()
        if states != self._began or any(b"cluster_state:ok" not in state for state in states):
            raise StoreUnavailable(f"Redis at {self._where} has changed: it is listened to anew")
        return news

    def wait(self, seconds: float) -> Told:
        ready = select.poll()
        for feed in self._feeds:
            ready.register(feed, select.POLLIN)
        ready.poll(seconds * 1000)
        return together([feed.wait(0.0) for feed in self._feeds])

    def close(self) -> None:
        self._routes.heard = frozenset()
        for feed in self._feeds:
            feed.close()


def _primaries(target: Target) -> list[Node]:
    """The primaries, as the node of the URL says that knows of most slots."""
    fault: Exception = redis.ConnectionError("no node knows of any primary")
    best: tuple[Range, ...] = ()
    for seed in target.nodes:
        client = opened(target, seed)
        try:
            best = max(best, told(client.execute_command("CLUSTER SLOTS", NEVER_DECODE=True), seed), key=covered)
        except (redis.RedisError, OSError) as error:
            fault = error
        finally:
            client.close()
        if covered(best) == ALL:
            break
    if not best:
        raise plain(fault, target.where) from None
    return sorted({one.node for one in best})


def feed(target: Target | None, names: Names, routes: Routes | None) -> RedisFeed | ClusterFeed:
    """Connect an ear to what a URL names. Raises `StoreUnavailable`, or `ConfigurationError` where there is none."""
    if target is None:
        raise ConfigurationError(
            "a store around a client of the application's own tells nothing of its changes: give the manager the "
            "store's URL"
        )
    if routes is not None:
        return ClusterFeed(target, names, routes)
    return RedisFeed(opened(target, None), names, target.where)
