"""All servers at once, each a process group of its own, and what each has spent of a processor."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from bench.capacity.servers import OneRedis, PostgreSQL, clock
from tests.servers import PostgresServer, RedisServer, Server

from .contenders import ROOT, Contender

AT_ONCE = 2
"""Servers that start at the same time."""


class Application(Server):
    """One contender's server with one worker."""

    def __init__(self, contender: Contender, stores: dict[str, str]) -> None:
        super().__init__()
        self.contender = contender
        self._settings = stores | {
            "SERVED_KIND": contender.kind,
            "SERVED_FOLDER": str(self.folder),
            "SERVED_SECRET": secrets.token_urlsafe(32),
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        }

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Start it on a free port; returns when it answers."""

        def spawn() -> None:
            settings = self._settings | {"SERVED_PORT": str(self.port)}
            self._spawn(self.contender.command(self.port), env=os.environ | settings, cwd=ROOT)

        self._start_on_a_port(spawn, self._responds)

    def _responds(self) -> bool:
        try:
            with urlopen(f"{self.url}/read", timeout=10):  # noqa: S310 (our own server)
                return True
        except HTTPError as error:
            error.close()
            return True
        except OSError:
            return False

    def spent(self) -> float:
        """Seconds of a processor that it and all its workers have spent so far."""
        return sum(clock(pid) for pid in _tree(self.pid))


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            yield from _tree(child)


class Stage:
    """The servers that run, and the stores that they use together."""

    def __init__(self, redis: OneRedis, postgresql: PostgreSQL | None, applications: list[Application]) -> None:
        self.redis, self.postgresql, self.applications = redis, postgresql, applications

    def versions(self) -> str:
        """Of the stores."""
        return ", ".join(store.version() for store in (self.redis, self.postgresql) if store)

    def stores_spent(self) -> float:
        """Seconds of a processor that Redis and PostgreSQL have spent so far."""
        return self.redis.spent() + (self.postgresql.spent() if self.postgresql else 0.0)


@contextmanager
def stage(contenders: Sequence[Contender], tell: Callable[[str], None]) -> Iterator[Stage]:
    """Start them all. Raises RuntimeError or TimeoutError, with the log, for one that does not start."""
    with ExitStack() as open_servers:
        server = open_servers.enter_context(RedisServer("--databases", str(len(contenders))))
        redis, postgresql = OneRedis(server), None
        if any(one.kind == "coatcheck-postgresql" for one in contenders):
            postgresql = PostgreSQL(
                open_servers.enter_context(PostgresServer("fsync=on", "full_page_writes=on")), unlogged=False
            )
        applications = []
        for number, contender in enumerate(contenders):
            stores = {"SERVED_REDIS": f"{redis.url.rpartition('/')[0]}/{number}"}
            if contender.kind == "coatcheck-postgresql" and postgresql:
                stores["SERVED_POSTGRESQL"] = postgresql.url
            applications.append(Application(contender, stores))

        def start(application: Application) -> None:
            tell(f"starting {application.contender.key}")
            open_servers.enter_context(application)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(start, applications))
        yield Stage(redis, postgresql, applications)
