"""The store for synchronous callers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import count
from typing import Any, TypeVar

import redis

from ... import fork
from ...change import Change
from ...codec import Wire as Field
from ...errors import ConfigurationError, StoreUnavailable
from ...health import Check
from ...moves import Moves
from ...record import Record
from ...store import Held, Login, Stats, Taken
from ...trail import AuditEntry
from . import feed, health
from .census import Census
from .client import opened
from .cluster import Trips, Wire
from .faults import dropped, plain, slow
from .hosts import Node
from .moves import Travels
from .plans import Plans
from .steps import Pause, Plan
from .sweep import Sweep
from .talk import REPLY, TURNS, Talk
from .trail import Trail
from .url import Target, check_client, place
from .values import Names
from .way import Way

T = TypeVar("T")


class RedisStore(Moves):
    """Sessions in Redis or Valkey, safe to share between threads and after a fork. Constructing it does no I/O.

    `client` is the application's own `redis.Redis` (used as it is, its time-outs too, and never closed), or the
    target of a URL. `wait` is the number of replicas that have to confirm a write before it is acknowledged.
    `namespace` is the manager's; `offset` is as in `Store`.

    Raises `ConfigurationError` for a namespace that no key can have, or another kind of client.
    """

    def __init__(self, client: redis.Redis | Target, *, namespace: str = "coatcheck", wait: int = 0) -> None:
        names = Names(namespace)
        self.namespace = namespace
        self.offset: float = 0.0
        self._plans, self._sweep, self._census = Plans(names), Sweep(names), Census(names)
        self._travels = Travels(names, self._plans)
        self._trail = Trail(names)
        self._target = client if isinstance(client, Target) else None
        self._lent = None if isinstance(client, Target) else client
        if isinstance(client, Target):
            self._talk = Talk(client.where, client.wait, client.nodes)
        else:
            check_client(client, redis.Redis, "RedisStore")
            self._talk = Talk(place(client.connection_pool), wait)
        self._way: Any = None
        """None in a cluster."""
        self._nodes: dict[Node, Way] = {}
        """One to each node of a cluster that was ever asked."""
        self.forked()
        fork.watch(self)

    def __repr__(self) -> str:
        return f"<RedisStore {self._talk.where}>"

    def forked(self) -> object:
        """Begin with connections and locks of this process; the connections before."""
        before = self._way, self._nodes
        self._turns = [threading.Lock() for _ in range(TURNS)]
        self._nodes = {}
        if self._lent is not None:
            self._way = Way(self._lent, owned=False)
        elif self._target and not self._target.nodes:
            self._way = Way(opened(self._target, None), owned=True)
        return before

    def _in_turn(self, handle: str, plan: Plan[T]) -> T:
        """Threads that write to one session take turns: of two that compare and set, one has to begin again."""
        started = time.monotonic()
        turn = self._turns[hash(handle) % TURNS]
        if not turn.acquire(timeout=REPLY):
            raise slow(self._talk.where)
        try:
            return self._drive(plan, started)
        finally:
            turn.release()

    def _drive(self, plan: Plan[T], started: float | None = None) -> T:
        talk = self._talk.carry(plan, started)
        try:
            step = next(talk)
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    step = talk.send([])
                    continue
                try:
                    replies = self._send(step)
                except (redis.RedisError, OSError) as error:
                    step = talk.throw(error)
                else:
                    step = talk.send(replies)
        except StopIteration as done:
            self.offset = self._talk.offset
            result: T = done.value
            return result

    def _send(self, step: Wire | Trips) -> Any:
        if isinstance(step, dict):
            return {node: self._send_to(node, wire) for node, wire in step.items()}
        return self._way.exchange(step)

    def _send_to(self, node: Node, wire: Wire) -> Any:
        """The replies, or the fault of the way there."""
        try:
            return self._at(node).exchange(wire)
        except (redis.RedisError, OSError) as error:
            return error

    def _at(self, node: Node) -> Any:
        way = self._nodes.get(node)
        if way is None and self._target and self._talk.routes:
            # Whoever is in a call with one that has left the cluster keeps it so long.
            for gone in self._nodes.keys() - self._talk.routes.known():
                self._nodes.pop(gone, None)
            way = self._nodes.setdefault(node, Way(opened(self._target, node), owned=True))
        return way

    # -- the contract ------------------------------------------------------------------------------------

    def meet(self) -> None:
        """Check the server and measure its clock, once."""
        self._drive(self._plans.nothing())

    def _move(self, method: str, *arguments: Any) -> Any:
        return self._drive(getattr(self._travels, method)(*arguments))

    def load(self, handle: str) -> Held:
        started = time.monotonic()
        if self._talk.settled(started):
            try:
                (raw,) = self._way.exchange([("GET", self._plans.names.session(handle))])
                if isinstance(raw, Exception):
                    raise raw
                return self._plans.read(handle, raw)
            except (redis.RedisError, OSError) as error:
                if not dropped(error):
                    raise plain(error, self._talk.where) from None
        return self._drive(self._plans.load(handle), started)

    def create(self, record: Record, now: float) -> bool:
        return self._drive(self._plans.create(record, now))

    def login(
        self, record: Record, began: float, now: float, limit: int | None, reason: str, replaces: str | None = None
    ) -> Login:
        return self._drive(self._plans.login(record, began, now, limit, reason, replaces))

    def commit(self, handle: str, change: Change, now: float) -> Held:
        return self._in_turn(handle, self._plans.commit(handle, change, now))

    def replace(self, handle: str, change: Change, new: Record, now: float) -> Held:
        return self._in_turn(handle, self._plans.replace(handle, change, new, now))

    def end(self, handle: str, user_id: str | None, reason: str, now: float) -> Held:
        return self._drive(self._plans.end(handle, user_id, reason, now))

    def sessions(self, user_id: str, now: float, limit: int, after: str | None) -> list[Record]:
        return self._drive(self._plans.sessions(user_id, now, limit, after))

    def revoke_user(self, user_id: str, keep: str | None, reason: str, now: float, until: float) -> list[str]:
        return self._drive(self._plans.revoke_user(user_id, keep, reason, now, until))

    def update_user(self, user_id: str, fields: dict[str, Field], now: float, until: float) -> int:
        return self._drive(self._plans.update_user(user_id, fields, now, until))

    def revoke_all(self, before: float, reason: str, now: float) -> int:
        return self._drive(self._sweep.revoke_all(before, reason, now))

    def redeem(self, handle: str, jti: str, nonce: str, note: str, now: float, until: float) -> Taken:
        return self._drive(self._plans.redeem(handle, jti, nonce, note, now, until))

    def taken(self, handle: str, jti: str, now: float) -> Taken:
        return self._drive(self._plans.taken(handle, jti, now))

    def purge(self, now: float, batch: int = 500) -> int:
        """0: Redis forgets by itself."""
        return 0

    def stats(self, now: float, within: float | None = None) -> Stats:
        return self._drive(self._census.stats(now, within))

    def append(self, entries: list[AuditEntry], keep: float | None) -> None:
        self._drive(self._trail.append(entries, keep))

    def entries(self, user_id: str | None, handle: str | None, before: str | None, limit: int) -> list[AuditEntry]:
        return self._drive(self._trail.entries(user_id, handle, before, limit))

    def forget(self, keep: float, now: float) -> None:
        self._drive(self._trail.forget(keep))

    @property
    def strays(self) -> int:
        """As `feed.Feeds`."""
        return self._talk.routes.strays if self._talk.routes else 0

    def feed(self) -> feed.RedisFeed | feed.ClusterFeed:
        """As `feed.Feeds`."""
        return feed.feed(self._target, self._plans.names, self._talk.routes)

    def checks(self) -> Iterator[Check]:
        """Whether the server, or every primary of the cluster, keeps what sessions need."""
        names, talk = self._plans.names, self._talk
        if talk.routes is None:
            yield from health.checks(self._send, talk.where, talk.wait, names.bucket(0))
            yield health.encryption(talk.where, self._way.client.connection_pool)
            return
        try:
            self.meet()
        except (StoreUnavailable, ConfigurationError) as error:
            if not talk.routes.primaries():
                yield Check("fail", "reachable", str(error))
                return
        yield health.coverage(talk.routes)
        for node in talk.routes.primaries():
            own = next(bucket for bucket in map(names.bucket, count()) if talk.routes.owner(bucket) == node)
            way = self._at(node)
            yield from health.checks(way.exchange, node.netloc, talk.wait, own)
            yield health.encryption(node.netloc, way.client.connection_pool)

    def close(self) -> None:
        for way in (self._way, *self._nodes.values()):
            if way is not None:
                way.close()
