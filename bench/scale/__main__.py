"""`make bench-scale`: whether a store that is full is as fast as one that is not.

Each store is filled with ten thousand, a hundred thousand and a million sessions, side by side in namespaces of their
own, and asked in turns: what the machine does meanwhile concerns all of them. ARGS="--sizes 10000,100000
--stores sqlite" asks for less; --write writes docs/scale.md. ARGS=--commands measures `coatcheck list`, `revoke-user`
and `stats` in place of that, as whole processes, over the largest size.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from coatcheck.change import Change
from coatcheck.stores import postgresql, redis, sqlite
from tests.records import DAY, NOW
from tests.servers import PostgresServer, RedisServer

from . import commands, page
from .stock import PER_USER, Full, fill, hold_purges, shelved, user

SIZES = (10_000, 100_000, 1_000_000)
STORES = ("sqlite", "redis", "postgresql")
ROUNDS = 150
LAP = 20
"""Calls that are timed together."""

VERBS = ("load", "commit", "list", "login", "revoke_user")


def _say(text: str, end: str = "\n") -> None:
    print(text, file=sys.stderr, end=end, flush=True)


@contextmanager
def _server(kind: str) -> Iterator[Callable[[str], tuple[Full, str]]]:
    """A function of a namespace that opens a store, and says its URL."""
    with ExitStack() as stack:
        if kind == "sqlite":
            folder = stack.enter_context(TemporaryDirectory(prefix="coatcheck-scale-"))

            def file(name: str) -> tuple[Full, str]:
                path = Path(folder, f"{name}.db")
                return sqlite.SQLiteStore(path, namespace=name), f"sqlite:///{path}"

            yield file
        elif kind == "redis":
            url = stack.enter_context(RedisServer()).url
            yield lambda name: (redis.open_sync(url, name), url)
        else:
            url = stack.enter_context(PostgresServer("shared_buffers=2GB", "max_wal_size=8GB")).url
            yield lambda name: (postgresql.open_sync(f"{url}?create=1", name), url)


def _calls(store: Full, size: int, handles: list[str]) -> dict[str, Callable[[], Any]]:
    """Each verb, on a session or a user that is drawn anew."""
    users = size // PER_USER

    def login() -> None:
        # Of a user of its own, whom `revoke_user` ends: the store stays as full as it was.
        store.login(shelved("newcomer", NOW), NOW, NOW, None, "")

    return {
        "load": lambda: store.load(random.choice(handles)),
        "commit": lambda: store.commit(random.choice(handles), Change(set={"n": random.random()}), NOW),
        "list": lambda: store.sessions(user(random.randrange(users)), NOW, 100, None),
        "login": login,
        "revoke_user": lambda: store.revoke_user("newcomer", None, "revoked", NOW, NOW + DAY),
    }


def _measure(shelves: dict[int, dict[str, Callable[[], Any]]]) -> dict[str, dict[int, list[float]]]:
    """Seconds a call, by verb and size, lap by lap; in each round all sizes have their turn."""
    times: dict[str, dict[int, list[float]]] = {verb: {size: [] for size in shelves} for verb in VERBS}
    for number in range(ROUNDS + 1):
        for verb in VERBS:
            for size in random.sample(list(shelves), len(shelves)):
                call = shelves[size][verb]
                began = time.perf_counter()
                for _ in range(LAP):
                    call()
                if number:  # the first round warms up
                    times[verb][size].append((time.perf_counter() - began) / LAP)
    return times


def _purge(store: Full, handles: list[str]) -> page.Stall:
    """What loads take while everything that was forgotten is deleted, beside what they take without that."""

    def loads(until: Callable[[], bool]) -> list[float]:
        found = []
        while not until():
            began = time.perf_counter()
            store.load(random.choice(handles))
            found.append(time.perf_counter() - began)
        return found

    deadline = time.monotonic() + 2
    quiet = loads(lambda: time.monotonic() > deadline)
    deleted, began = [0], time.perf_counter()

    def purge() -> None:
        while rows := store.purge(NOW):
            deleted[0] += rows

    thread = threading.Thread(target=purge)
    thread.start()
    busy = loads(lambda: not thread.is_alive())
    thread.join()
    return page.Stall(deleted[0], time.perf_counter() - began, quiet, busy)


def _of(kind: str, sizes: list[int]) -> page.Scaled:
    with _server(kind) as opened, ExitStack() as closing:
        shelves, stalls, weights = {}, {}, {}
        stock: dict[int, tuple[Full, list[str]]] = {}
        for size in sizes:
            store, _ = opened(f"s{size}")
            closing.callback(store.close)
            hold_purges(store)
            _say(f"{kind}: filling {size:,}")
            stock[size] = store, fill(store, size, lambda number: _say(f"\r  {number:,}", end=""))
            _say("")
            counts = store.stats(NOW)
            weights[size] = counts.size / size if counts.size else None
            shelves[size] = _calls(store, size, stock[size][1])
        _say(f"{kind}: measuring")
        gc.collect()
        gc.disable()
        times = _measure(shelves)
        gc.enable()
        if kind != "redis":
            _say(f"{kind}: purging")
            stalls = {size: _purge(*stock[size]) for size in sizes}
    return page.Scaled(kind, times, stalls, weights)


def _commands(kind: str, size: int) -> commands.Timed:
    with _server(kind) as opened:
        store, url = opened("full")
        hold_purges(store)
        _say(f"{kind}: filling {size:,}")
        fill(store, size, lambda number: _say(f"\r  {number:,}", end=""), time.time())
        store.close()
        _say(f"\n{kind}: measuring")
        return commands.measure(kind, url, "full", size)


def main() -> int:
    """Fill, measure, and tell; 1 if a verb grows by more than it may, or a command takes longer."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="sessions (default: %(default)s)")
    parser.add_argument("--stores", default=",".join(STORES), help="which (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write docs/scale.md")
    parser.add_argument("--commands", action="store_true", help="measure the commands of operators in place of verbs")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    if options.commands:
        timed = [_commands(kind, max(sizes)) for kind in options.stores.split(",")]
        sys.stdout.write(commands.table(timed))
        if options.write:
            commands.write(timed)
        return int(any(commands.slow(one) for one in timed))
    found = [_of(kind, sizes) for kind in options.stores.split(",")]
    sys.stdout.write(page.table(found))
    if options.write:
        page.write(found)
    return int(any(page.grown(one) for one in found))


if __name__ == "__main__":
    sys.exit(main())
