"""What a session weighs in Redis, and what it takes to import the package."""

from __future__ import annotations

import json
import os
import secrets
import statistics
import subprocess
import sys
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import redis

from coatcheck import SessionManager

from .servers import redis_server

SESSIONS = 2000
"""Sessions that are stored for one figure, each of another user."""
SIZES = (100, 1_000, 4_000)
"""Bytes of data as JSON, about."""
STARTS = 21
"""Processes that import the package."""

_IMPORT = """
import sys, time
before = set(sys.modules)
start = time.perf_counter()
import coatcheck
print((time.perf_counter() - start) * 1000)
names = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(names - set(sys.stdlib_module_names) - {"coatcheck"}))
start = time.perf_counter()
coatcheck.SessionManager("memory://")
print((time.perf_counter() - start) * 1000)
"""


class Weight(NamedTuple):
    """Bytes a session takes in Redis, as Redis counts its own memory."""

    plain: float
    """The same data as one JSON string under a key of its own."""
    ours: float
    """Record, index of the user's sessions, and keys."""


class Start(NamedTuple):
    """What `import coatcheck` takes in a new process."""

    milliseconds: float
    modules: list[str]
    """Those that are neither the standard library's nor ours."""
    manager: float
    """Milliseconds of `coatcheck.SessionManager("memory://")` after it: what is not loaded before."""


def data(size: int) -> dict[str, Any]:
    """What a shop keeps: a role, and a basket of that many bytes as JSON."""
    basket: list[dict[str, Any]] = []
    fields = {"role": "administrator", "basket": basket}
    length = len(json.dumps(fields))
    while length < size:
        basket.append({"article": secrets.token_hex(5), "count": 2})
        length += len(json.dumps(basket[-1])) + 2 * (len(basket) > 1)
    return fields


def weights() -> dict[int, Weight] | None:
    """By size of the data; None where redis-server is not installed. Each figure has a new server to itself."""
    found = {}
    for size in SIZES:
        rows = [data(size) for _ in range(SESSIONS)]
        plain, ours = _grown(store_plainly, rows), _grown(_store_sessions, rows)
        if plain is None or ours is None:
            return None
        found[len(as_json(rows[0]))] = Weight(plain / SESSIONS, ours / SESSIONS)
    return found


def as_json(row: dict[str, Any]) -> str:
    return json.dumps(row, separators=(",", ":"))


def store_plainly(url: str, rows: list[dict[str, Any]]) -> None:
    with redis.Redis.from_url(url) as client:
        for number, row in enumerate(rows):
            client.set(f"session:{number:08}", as_json(row), ex=3600)


def _store_sessions(url: str, rows: list[dict[str, Any]]) -> None:
    with SessionManager(url, secret=secrets.token_urlsafe(32)) as manager:
        for number, row in enumerate(rows):
            session = manager.load(None)
            session.login(f"user-{number:08}")
            session.update(row)
            manager.commit(session)


def _grown(fill: Callable[[str, list[dict[str, Any]]], None], rows: list[dict[str, Any]]) -> int | None:
    """Bytes by which a new server's data has grown; the first row is there before, with all that comes once."""
    with redis_server() as url:
        if url is None:
            return None
        fill(url, rows[:1])
        with redis.Redis.from_url(url) as client:
            before = client.info("memory")["used_memory_dataset"]
            fill(url, rows)
            return int(client.info("memory")["used_memory_dataset"] - before)


def start() -> Start:
    """The median of several processes; the first one fills the cache of compiled modules, as an installation does."""
    with TemporaryDirectory(prefix="coatcheck-bench-") as cache:
        # An environment that forbids the cache would have each process compile the source anew.
        env = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": cache}
        outputs = [
            subprocess.run([sys.executable, "-c", _IMPORT], env=env, capture_output=True, text=True, check=True).stdout
            for _ in range(1 + STARTS)
        ]
    lines = [output.splitlines() for output in outputs[1:]]
    first, later = (statistics.median(float(line[number]) for line in lines) for number in (0, 2))
    return Start(first, lines[0][1].split(), later)
