"""The store for asynchronous callers."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar

import redis
import redis.asyncio
import redis.asyncio.sentinel
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ... import fork
from ...change import Change
from ...codec import Wire
from ...moves import AsyncMoves
from ...record import Record
from ...store import Held, Login, Stats, Taken
from . import feed
from .census import Census
from .faults import dropped, plain, slow
from .hosts import Node
from .lane import Lane
from .lanes import Lanes
from .moves import Travels
from .plans import Plans
from .steps import Pause, Plan
from .sweep import Sweep
from .talk import CONNECT, REPLY, TURNS, Talk
from .url import Target, check_client, place
from .values import Names

if TYPE_CHECKING:
    from .blocking import RedisStore

T = TypeVar("T")


class AsyncRedisStore(AsyncMoves):
    """Sessions in Redis or Valkey, for any number of event loops. Constructing it does no I/O.

    `client` is the application's own `redis.asyncio.Redis` (used as it is, and never closed), or the target of a
    URL: then each event loop gets connections of its own. `wait` is the number of replicas that have to confirm
    a write before it is acknowledged. `namespace` is the manager's; `offset` is as in `Store`.

    Raises `ConfigurationError` for a namespace that no key can have, or another kind of client.
    """

    def __init__(self, client: redis.asyncio.Redis | Target, *, namespace: str = "coatcheck", wait: int = 0) -> None:
        names = Names(namespace)
        self.namespace = namespace
        self.offset: float = 0.0
        self._plans, self._sweep, self._census = Plans(names), Sweep(names), Census(names)
        self._travels = Travels(names, self._plans)
        self._client = client
        self._lanes: dict[asyncio.AbstractEventLoop, Lane | Lanes] = {}
        if isinstance(client, Target):
            self._talk = Talk(client.where, client.wait, client.nodes)
        else:
            check_client(client, redis.asyncio.Redis, "AsyncRedisStore")
            self._talk = Talk(place(client.connection_pool), wait)
        fork.watch(self)

    def __repr__(self) -> str:
        return f"<AsyncRedisStore {self._talk.where}>"

    def twin(self) -> RedisStore | None:
        """As `health.HasTwin`."""
        from .blocking import RedisStore

        return RedisStore(self._client, namespace=self.namespace) if isinstance(self._client, Target) else None

    def forked(self) -> object:
        """Begin with connections of this process; those before."""
        before, self._lanes = self._lanes, {}
        return before

    def _lane(self) -> Any:
        loop = asyncio.get_running_loop()
        lane = self._lanes.get(loop)
        return lane if lane is not None else self._new_lane(loop)

    def _new_lane(self, loop: asyncio.AbstractEventLoop) -> Lane | Lanes:
        # A copy first: another thread's loop may be added meanwhile.
        for other in [other for other in list(self._lanes) if other.is_closed()]:
            self._lanes.pop(other, None)
        routes = self._talk.routes
        lane = self._lanes[loop] = Lanes(self._open, routes.known) if routes else self._open(None)
        return lane

    def _open(self, node: Node | None) -> Lane:
        if not isinstance(self._client, Target):
            return Lane(self._client, owned=False)
        client = self._client.client(
            redis.asyncio,
            node,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=CONNECT,
            # The lane has its own, for the whole trip: a timer for each read costs more than the read.
            socket_timeout=None,
        )
        return Lane(client, owned=True, merging=node is None)

    async def _in_turn(self, handle: str, plan: Plan[T]) -> T:
        """Tasks that write to one session take turns: of two that compare and set, one has to begin again."""
        started = time.monotonic()
        turn = self._lane().turns[hash(handle) % TURNS]
        if not turn.locked():
            await turn.acquire()
        else:
            try:
                async with asyncio.timeout(REPLY):
                    await turn.acquire()
            except TimeoutError:
                raise slow(self._talk.where) from None
        try:
            return await self._drive(plan, started)
        finally:
            turn.release()

    async def _drive(self, plan: Plan[T], started: float | None = None) -> T:
        lane, talk = self._lane(), self._talk.carry(plan, started)
        try:
            step = next(talk)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    step = talk.send([])
                    continue
                try:
                    replies = await lane.ask(step)
                except (redis.RedisError, OSError) as error:
                    step = talk.throw(error)
                else:
                    step = talk.send(replies)
        except StopIteration as done:
            self.offset = self._talk.offset
            result: T = done.value
            return result

    # -- the contract ------------------------------------------------------------------------------------

    async def meet(self) -> None:
        """Check the server and measure its clock, once."""
        await self._drive(self._plans.nothing())

    async def _move(self, method: str, *arguments: Any) -> Any:
        return await self._drive(getattr(self._travels, method)(*arguments))

    async def load(self, handle: str) -> Held:
        started = time.monotonic()
        if self._talk.settled(started):
            try:
                (raw,) = await self._lane().ask([("GET", self._plans.names.session(handle))])
                if isinstance(raw, Exception):
                    raise raw
                return self._plans.read(handle, raw)
            except (redis.RedisError, OSError) as error:
                if not dropped(error):
                    raise plain(error, self._talk.where) from None
        return await self._drive(self._plans.load(handle), started)

    async def create(self, record: Record, now: float) -> bool:
        return await self._drive(self._plans.create(record, now))

    async def login(
        self, record: Record, began: float, now: float, limit: int | None, reason: str, replaces: str | None = None
    ) -> Login:
        return await self._drive(self._plans.login(record, began, now, limit, reason, replaces))

    async def commit(self, handle: str, change: Change, now: float) -> Held:
        return await self._in_turn(handle, self._plans.commit(handle, change, now))

    async def replace(self, handle: str, change: Change, new: Record, now: float) -> Held:
        return await self._in_turn(handle, self._plans.replace(handle, change, new, now))

    async def end(self, handle: str, user_id: str | None, reason: str, now: float) -> Held:
        return await self._drive(self._plans.end(handle, user_id, reason, now))

    async def sessions(self, user_id: str, now: float, limit: int, after: str | None) -> list[Record]:
        return await self._drive(self._plans.sessions(user_id, now, limit, after))

    async def revoke_user(self, user_id: str, keep: str | None, reason: str, now: float, until: float) -> list[str]:
        return await self._drive(self._plans.revoke_user(user_id, keep, reason, now, until))

    async def update_user(self, user_id: str, fields: dict[str, Wire], now: float, until: float) -> int:
        return await self._drive(self._plans.update_user(user_id, fields, now, until))

    async def revoke_all(self, before: float, reason: str, now: float) -> int:
        return await self._drive(self._sweep.revoke_all(before, reason, now))

    async def redeem(self, handle: str, jti: str, nonce: str, note: str, now: float, until: float) -> Taken:
        return await self._drive(self._plans.redeem(handle, jti, nonce, note, now, until))

    async def taken(self, handle: str, jti: str, now: float) -> Taken:
        return await self._drive(self._plans.taken(handle, jti, now))

    async def purge(self, now: float, batch: int = 500) -> int:
        """0: Redis forgets by itself."""
        return 0

    async def stats(self, now: float, within: float | None = None) -> Stats:
        return await self._drive(self._census.stats(now, within))

    @property
    def strays(self) -> int:
        """As `feed.Feeds`."""
        return self._talk.routes.strays if self._talk.routes else 0

    def feed(self) -> feed.RedisFeed | feed.ClusterFeed:
        """As `feed.Feeds`."""
        target = self._client if isinstance(self._client, Target) else None
        return feed.feed(target, self._plans.names, self._talk.routes)

    async def close(self) -> None:
        """Close this event loop's connections; it can be used again afterwards."""
        lane = self._lanes.pop(asyncio.get_running_loop(), None)
        if lane is not None:
            await lane.close()
