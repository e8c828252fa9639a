"""What the tests of the Redis store share: records, a way to watch and repeat commands, and a lossy network."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import redis

from coatcheck.record import Record
from coatcheck.stores.redis import RedisStore, open_sync, scripts
from coatcheck.stores.redis.scripts import Script
from coatcheck.stores.redis.steps import Pause
from coatcheck.stores.redis.values import Names
from coatcheck.token import bucket_of, new_handle
from tests.records import NOW, record

SPACE = "shop"
NAMES = Names(SPACE)
SCRIPTS = [script.text for script in vars(scripts).values() if isinstance(script, Script)]


def successor(old: Record) -> Record:
    """What a session is replaced by, as `rotate()` makes it."""
    bucket = None if old.user_id is not None else bucket_of(old.handle)
    return record(old.user_id)._replace(handle=new_handle(old.user_id, bucket=bucket))


def signed_in(store: RedisStore, user_id: str, *, at: float = NOW, **changes: Any) -> Record:
    """A user's session that the store holds."""
    done = store.login(record(user_id, at=at, **changes), at, at, None, "")
    assert done.record is not None
    return done.record


@contextlib.contextmanager
def opened(url: str, namespace: str = SPACE) -> Iterator[RedisStore]:
    """A store, closed at the end."""
    store = open_sync(url, namespace)
    try:
        yield store
    finally:
        store.close()


@contextlib.contextmanager
def connected(url: str, **settings: Any) -> Iterator[redis.Redis]:
    """A client of the test's own."""
    with redis.Redis.from_url(url, **{"protocol": 3, **settings}) as client:
        yield client


def acquainted(store: RedisStore) -> None:
    """Meet the server, and let it know the scripts: from then on each step of a plan is one round trip."""
    store.meet()
    loads = [("SCRIPT LOAD", text) for text in SCRIPTS]
    routes = store._talk.routes
    store._send(dict.fromkeys(routes.primaries(), loads) if routes else loads)


class Steps:
    """A plan of a store, carried out one round trip at a time, so that others can come between."""

    def __init__(self, store: RedisStore, plan: Any) -> None:
        self._store = store
        acquainted(store)
        self._talk = store._talk.carry(plan)
        self._next: Any = next(self._talk)
        self.done = False
        self.result: Any = None

    def step(self) -> None:
        """Make the next round trip."""
        replies = [] if isinstance(self._next, Pause) else self._store._send(self._next)
        try:
            self._next = self._talk.send(replies)
        except StopIteration as end:
            self.done, self.result = True, end.value

    def finish(self) -> Any:
        """Make all that are left; what the plan returns."""
        while not self.done:
            self.step()
        return self.result


def between(store: RedisStore, change: Callable[[list[tuple[Any, ...]]], object]) -> None:
    """Call `change` with the commands of each round trip, before they are sent."""
    send = store._send

    def watched(step: Any) -> Any:
        change(step)
        return send(step)

    store._send = watched  # type: ignore[method-assign]


class LossyProxy:
    """A way to a Redis on which a reply can get lost: the server has done it, and nobody hears of it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self._lose: bytes | None = None
        self.lost = 0
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []

    def lose_reply_to(self, word: bytes) -> None:
        """Lose the reply to the next request that contains the word, and the connection with it."""
        self._lose = word

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        # shutdown() wakes accept(); close() alone does not.
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for one in (self._listener, *self._open):
            one.close()

    def _run(self, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                self._open += [client, server]
                self._run(self._carry, client, server)

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        losing = False
        with contextlib.suppress(OSError):
            while True:
                for one in select.select([client, server], [], [])[0]:
                    data = one.recv(65536)
                    if one is client and self._lose is not None and self._lose in data:
                        self._lose, losing = None, True
                    if not data or (one is server and losing):
                        self.lost += losing
                        for end in (client, server):
                            end.shutdown(socket.SHUT_RDWR)
                        return
                    (server if one is client else client).sendall(data)
