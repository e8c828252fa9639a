"""Each store on a server of its own, and what that server's processes have spent of a processor."""

from __future__ import annotations

import os
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import redis as driver

from bench.scale.stock import Full
from coatcheck.stores import postgresql, redis, sqlite
from tests.cluster import Cluster
from tests.servers import PostgresServer, RedisServer

NAMESPACE = "coatcheck"


class Place(ABC):
    """Where one kind of store lives. It is emptied before each use, so it must be nobody's."""

    url: str

    @abstractmethod
    def empty(self) -> None:
        """Take everything out."""

    @abstractmethod
    def bytes(self) -> int:
        """What its sessions, and all that finds them, take."""

    @abstractmethod
    def version(self) -> str:
        """Of what program, with its name."""

    def pids(self) -> list[int]:
        """The processes that serve it; none where the application does."""
        return []

    def gone(self) -> float:
        """Seconds of a processor that processes spent which are no more."""
        return 0.0

    def open(self) -> Full:
        """A synchronous store over it."""
        return redis.open_sync(self.url, NAMESPACE)

    def spent(self) -> float:
        """Seconds of a processor that its processes have spent so far, as the kernel accounts for them."""
        return self.gone() + sum(clock(pid) for pid in self.pids())


def clock(pid: int) -> float:
    """Seconds of a processor that a process has spent so far; 0.0 for one that is no more."""
    try:
        # What clock_getcpuclockid(3) computes: of all threads, in nanoseconds, where /proc counts in hundredths.
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:  # it has ended since, and `gone` has it
        return 0.0


class SQLiteFile(Place):
    """A file, whose work the application's own process does."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._number = folder, 0
        self.empty()

    def empty(self) -> None:
        self._number += 1
        self.url = f"sqlite:///{self._file}"

    @property
    def _file(self) -> Path:
        return self._folder / f"{self._number}.db"

    def bytes(self) -> int:
        with closing(sqlite3.connect(self._file)) as db:
            pages, unused, page = (
                int(db.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_count", "freelist_count", "page_size")
            )
        return (pages - unused) * page

    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    def open(self) -> Full:
        return sqlite.SQLiteStore(self._file, namespace=NAMESPACE)


class OneRedis(Place):
    """A single redis-server."""

    def __init__(self, server: RedisServer) -> None:
        self._servers = [server]
        self.url = server.url

    def empty(self) -> None:
        for server in self._servers:
            server.cli("FLUSHALL")

    def bytes(self) -> int:
        seen, now = -1, self._bytes()
        while now != seen:  # while a key table grows there are two of it
            time.sleep(0.3)
            seen, now = now, self._bytes()
        return now

    def _bytes(self) -> int:
        return sum(_weight(server) for server in self._servers)

    def version(self) -> str:
        return f"Redis {self._servers[0].cli('INFO', 'server')['redis_version']}"

    def pids(self) -> list[int]:
        return [server.pid for server in self._servers]


def _weight(server: RedisServer) -> int:
    """What Redis says of its data, and of the tables by which it finds keys and their deadlines; no buffers."""
    with driver.Redis(host=server.host, port=server.port) as client:
        found: dict[str, Any] = client.memory_stats()
    tables: dict[str, int] = found.get("db.0", {})
    return int(found["dataset.bytes"]) + sum(tables.values())


class RedisCluster(OneRedis):
    """The primaries of a cluster. Their replicas do not count here."""

    def __init__(self, cluster: Cluster) -> None:
        self._servers = cluster.nodes[:3]
        self.url = cluster.url


class PostgreSQL(Place):
    """Tables in a PostgreSQL, with or without its log."""

    def __init__(self, server: PostgresServer, unlogged: bool) -> None:
        self._server, self._unlogged = server, unlogged
        self.url = server.url
        self.empty()

    def empty(self) -> None:
        self._server.empty()
        store = postgresql.open_sync(self.url, NAMESPACE)
        store.make_tables(unlogged=self._unlogged)
        store.close()

    def bytes(self) -> int:
        return self.tables() + self.indexes()

    def tables(self) -> int:
        """What the rows take."""
        return self._size("sum(pg_table_size(oid))")

    def indexes(self) -> int:
        """What their indexes take."""
        return self._size("sum(pg_indexes_size(oid))")

    def _size(self, what: str) -> int:
        ours = f"WHERE relname LIKE '{NAMESPACE}\\_%' AND relkind = 'r'"
        return int(self._server.sql(f"SELECT {what} FROM pg_class {ours}")[0][0])  # noqa: S608 (constants)

    def version(self) -> str:
        return f"PostgreSQL {self._server.sql('SHOW server_version')[0][0].split()[0]}"

    def pids(self) -> list[int]:
        pid = self._server.pid
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def gone(self) -> float:
        # utime and stime of children that were waited for; the name before may hold spaces.
        fields = Path(f"/proc/{self._server.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def open(self) -> Full:
        return postgresql.open_sync(self.url, NAMESPACE)


KINDS = ("sqlite", "redis", "cluster", "postgresql", "unlogged")


@contextmanager
def place(kind: str) -> Iterator[Place]:
    """A new, empty one of `KINDS`."""
    if kind == "sqlite":
        with TemporaryDirectory(prefix="coatcheck-capacity-") as folder:
            yield SQLiteFile(Path(folder))
    elif kind == "redis":
        with RedisServer() as server:
            yield OneRedis(server)
    elif kind == "cluster":
        with Cluster() as cluster:
            yield RedisCluster(cluster)
    else:
        with PostgresServer("shared_buffers=1GB", "max_wal_size=4GB") as postgres:
            yield PostgreSQL(postgres, kind == "unlogged")
