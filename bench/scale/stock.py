"""Stores that are full: sessions written past the verbs, in bulk, as the verbs would have stored them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from itertools import islice
from typing import Any

import psycopg

from coatcheck.codec import to_bytes
from coatcheck.gate import Gate, dump_patches
from coatcheck.record import Record, dump_record
from coatcheck.stores.postgresql import PostgreSQLStore
from coatcheck.stores.redis import AsyncRedisStore, RedisStore
from coatcheck.stores.sqlite import SQLiteStore
from tests.records import DAY, NOW, record

PER_USER = 5
FIELDS = '{"role":"editor","cart":[{"article":"A-1021","count":2}],"theme":"dark"}'
FORGOTTEN = 0.05
"""The part of the sessions that a purge has to delete."""

Tell = Callable[[int], None]
Full = SQLiteStore | RedisStore | PostgreSQLStore


def user(number: int) -> str:
    """A user's id."""
    return f"user-{number}"


def records(sessions: int, forgotten: bool, now: float = NOW) -> Iterator[Record]:
    """Sessions of users who have five each, over the last day; with some, of nobody, that were forgotten long ago."""
    for number in range(sessions):
        at = now - random.random() * DAY
        yield shelved(user(number // PER_USER), at)
    for _ in range(int(sessions * FORGOTTEN) if forgotten else 0):
        yield shelved(None, now - 100 * DAY)


def shelved(user_id: str | None, at: float) -> Record:
    """A session as a browser's is."""
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
    return record(user_id, at=at, address="192.0.2.1", user_agent=agent, fields=FIELDS)


def fill(store: Full, sessions: int, tell: Tell, now: float = NOW) -> list[str]:
    """Fill an empty store, as at that instant; some of the handles, drawn at random."""
    made = records(sessions, not isinstance(store, RedisStore), now)  # Redis forgets by itself
    keep = Sample(min(sessions, 20_000))
    put(store, _counting(made, keep, tell), now)
    return keep.handles


def put(store: Full, made: Iterator[Record], now: float = NOW) -> None:
    """Store these, as the verbs would have."""
    if isinstance(store, SQLiteStore):
        _sqlite(store, made)
    elif isinstance(store, PostgreSQLStore):
        _postgresql(store, made)
    else:
        asyncio.run(_redis(store, made, now))


class Sample:
    """As many handles of live sessions as asked for, each with the same chance."""

    def __init__(self, size: int) -> None:
        self.handles: list[str] = []
        self._size, self._seen = size, 0

    def take(self, one: Record) -> None:
        """Let one take part."""
        if one.user_id is None:
            return
        self._seen += 1
        if len(self.handles) < self._size:
            self.handles.append(one.handle)
        elif (place := random.randrange(self._seen)) < self._size:
            self.handles[place] = one.handle


def _counting(made: Iterator[Record], keep: Sample, tell: Tell) -> Iterator[Record]:
    for number, one in enumerate(made, 1):
        keep.take(one)
        if number % 10_000 == 0:
            tell(number)
        yield one


def _batches(made: Iterator[Record], size: int) -> Iterator[list[Record]]:
    while batch := list(islice(made, size)):
        yield batch


def _sqlite(store: SQLiteStore, made: Iterator[Record]) -> None:
    for batch in _batches(made, 10_000):
        with store._db.writing(durable=False) as db:
            for one in batch:
                store._put(db, one)
                if one.user_id is not None:
                    store._put_gate(db, one.user_id, Gate(), one.expires_at)


def _postgresql(store: PostgreSQLStore, made: Iterator[Record]) -> None:
    store.meet()
    space = store.namespace
    with psycopg.connect(store.target.conninfo) as connection:
        users: set[str] = set()
        columns = "handle, user_id, created_at, forget_at, record"
        with connection.cursor().copy(f'COPY "{space}_sessions" ({columns}) FROM STDIN') as copy:
            for one in made:
                owner = None if one.user_id is None else to_bytes(one.user_id)
                copy.write_row((one.handle, owner, one.created_at, one.forget_at, to_bytes(dump_record(one))))
                if one.user_id is not None:
                    users.add(one.user_id)
        with connection.cursor().copy(f'COPY "{space}_gates" FROM STDIN') as copy:
            for name in users:
                copy.write_row((to_bytes(name), 0.0, 0, to_bytes(dump_patches(Gate())), NOW + 30 * DAY))
        connection.commit()
        connection.autocommit = True
        connection.execute(f'VACUUM ANALYZE "{space}_sessions"')
        connection.execute(f'VACUUM ANALYZE "{space}_gates"')
        # As in a server that has served for a while: what was copied in is not in its own cache.
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
        named = "SELECT pg_prewarm(oid) FROM pg_class WHERE relname LIKE %s AND relkind IN ('r', 'i')"
        connection.execute(named, (f"{space}_%",))


async def _redis(store: RedisStore, made: Iterator[Record], now: float) -> None:
    assert store._target is not None
    async with AsyncExitStack() as closing:
        other = AsyncRedisStore(store._target, namespace=store.namespace)
        closing.push_async_callback(other.close)
        await other.meet()
        for batch in _batches(made, 400):
            calls: list[Any] = [
                other.create(one, now) if one.user_id is None else other.login(one, now, now, None, "") for one in batch
            ]
            await asyncio.gather(*calls)


def hold_purges(store: Full) -> None:
    """Let it delete nothing by itself."""
    if isinstance(store, SQLiteStore):
        store._purged_at = float("inf")
    elif isinstance(store, PostgreSQLStore):
        store._server._purge_due = float("inf")
