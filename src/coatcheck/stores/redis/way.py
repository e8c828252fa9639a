"""The synchronous store's way to one server: redis-py's connections, without what it does around each command.

Its pool, retries and measurements cost more than the trip. Whatever has to be made of a reply is left to its client.
"""

from __future__ import annotations

from typing import Any

import redis

from .cluster import Wire
from .sentinel import others
from .talk import PLAIN
from .url import reading


class Way:
    """A client and, where it is ours, connections of its pool's making; shared by threads, of which each has its own
    for a trip: taking one and giving it back are one step each, so there is no lock."""

    def __init__(self, client: Any, owned: bool) -> None:
        self.client = client
        self._owned = owned
        self._raw = reading(client)
        self._resting: list[Any] = []
        self._broken: list[Any] = []
        """They are connected anew before more are made: a pool counts what it makes."""

    def exchange(self, wire: Wire) -> list[Any]:
        """The replies, an error reply as its exception. Raises the driver's error where the connection fails."""
        for command in wire:
            if command[0] not in PLAIN or not self._owned:
                return self._by_client(wire)
        link = self._connected()
        try:
            link.send_packed_command(link.pack_commands(wire), check_health=False)
            replies = [_reply(link) for _ in wire]
        except BaseException:
            # A reply that comes late must never answer somebody else; and whoever asks again, once, must not find
            # the next dead connection.
            self._break(link)
            self._break_resting()
            raise
        self._resting.append(link)
        return replies

    def close(self) -> None:
        """Close what is ours. It can be used again afterwards."""
        if self._owned:
            self._break_resting()
            for one in (self.client, *others(self.client)):
                one.close()

    def _connected(self) -> Any:
        try:
            link = self._resting.pop()
            if not _spoiled(link):
                return link
            link.disconnect()
        except IndexError:
            link = self._spare()
        try:
            link.connect()
        except BaseException:
            self._break(link)
            raise
        return link

    def _spare(self) -> Any:
        try:
            return self._broken.pop()
        except IndexError:
            return self.client.connection_pool.make_connection()

    def _break(self, link: Any) -> None:
        link.disconnect()
        self._broken.append(link)

    def _break_resting(self) -> None:
        while self._resting:
            try:
                self._break(self._resting.pop())
            except IndexError:
                return  # another thread has taken it

    def _by_client(self, wire: Wire) -> list[Any]:
        if len(wire) == 1:
            try:
                return [self.client.execute_command(*wire[0], **self._raw)]
            except redis.ResponseError as error:
                return [error]
        pipeline = self.client.pipeline(transaction=False)
        for command in wire:
            pipeline.execute_command(*command, **self._raw)
        replies: list[Any] = pipeline.execute(raise_on_error=False)
        return replies


def _spoiled(link: Any) -> bool:
    """Whether it was closed over there while it rested, or something came that nobody has asked for."""
    try:
        return bool(link.can_read())
    except (redis.RedisError, OSError):
        return True


def _reply(link: Any) -> Any:
    try:
        return link.read_response()
    except redis.ResponseError as error:
        return error
