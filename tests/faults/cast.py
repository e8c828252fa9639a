"""Several real Redis servers that follow each other, and a real Sentinel that watches them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import redis

from tests.servers import READY_WITHIN, RedisServer, Server, needed

NAME = "sessions"
"""What the Sentinel calls the primary that it watches."""

SWIFT = ("--repl-diskless-sync-delay", "0")
"""A primary that does not wait for further replicas before it begins to copy."""


def until(ready: Callable[[], Any], within: float = READY_WITHIN) -> None:
    """Ask until the answer is true. Raises TimeoutError."""
    deadline = time.monotonic() + within
    while not ready():
        if time.monotonic() > deadline:
            message = f"not within {within:g} s"
            raise TimeoutError(message)
        time.sleep(0.01)


def in_step(primary: RedisServer, replicas: int) -> None:
    """Wait until so many replicas have all that the primary has."""
    with redis.Redis(port=primary.port, single_connection_client=True) as client:

        def has_followers() -> bool:
            try:
                client.set("probe", 1)
            except redis.ResponseError:  # a primary that needs replicas has none yet
                return False
            # A new replica confirms nothing until it has loaded what it was sent.
            return int(client.execute_command("WAIT", replicas, 100)) >= replicas

        until(has_followers)


def follows(server: RedisServer) -> int:
    """The port of the primary that a replica has; 0 for a primary, and while it is turned round: a Sentinel has it drop
    its clients then, this one too."""
    try:
        return int(server.cli("INFO", "replication").get("master_port", 0))
    except redis.ConnectionError:
        return 0


def promote(replica: RedisServer) -> None:
    """Make a replica a primary, as a failover does."""
    replica.cli("REPLICAOF", "NO", "ONE")


class Sentinel(Server):
    """A redis-sentinel of its own quorum, with further lines of its configuration."""

    def __init__(self, primary: RedisServer, port: int = 0, *lines: str) -> None:
        """`port`: that of the primary, where it is not the one that it is asked at here."""
        super().__init__()
        self._primary, self._primarys_port, self._lines = primary, port or primary.port, lines
        self._password = next((line.split()[1] for line in lines if line.startswith("requirepass")), None)
        self.port = 0

    def start(self) -> None:
        """Start it; returns when it answers."""
        executable = needed("redis-server")

        def spawn() -> None:
            settings = self.folder / "sentinel.conf"
            settings.write_text(
                f"bind {self.host}\nport {self.port}\ndir {self.folder}\n"
                f"sentinel monitor {NAME} {self.host} {self._primarys_port} 1\n"
                f"sentinel down-after-milliseconds {NAME} 300\n"
                f"sentinel failover-timeout {NAME} 3000\n" + "".join(f"{line}\n" for line in self._lines)
            )
            self._spawn([executable, settings, "--sentinel"])

        self._start_on_a_port(spawn, lambda: bool(self.ask("INFO", "server")["process_id"] == self.pid))

    def ask(self, *command: str) -> Any:
        """Send one command; an empty dict while it does not answer."""
        with redis.Redis(
            host=self.host,
            port=self.port,
            password=self._password,
            protocol=3,
            decode_responses=True,
            socket_timeout=10,
        ) as client:
            with contextlib.suppress(redis.ConnectionError):
                return client.execute_command(*command)
            return {"process_id": None}

    @property
    def primary(self) -> int:
        """The port of the server that is the primary now, as it says."""
        return int(self.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[1])

    def knows(self, replicas: int) -> bool:
        """Whether it has met so many replicas, and finds them well."""
        found = self.ask("SENTINEL", "REPLICAS", NAME)
        return len(found) == replicas and all(
            one["flags"] in ("slave", {"slave"}) and one["master-link-status"] == "ok" for one in found
        )


@contextlib.contextmanager
def fleet(replicas: int = 2) -> Iterator[tuple[Sentinel, dict[int, RedisServer]]]:
    """A primary, its replicas and a Sentinel that has met them all; the servers by port."""
    with contextlib.ExitStack() as stack:
        primary = stack.enter_context(RedisServer(*SWIFT))
        follows = (*SWIFT, "--replicaof", primary.host, str(primary.port))
        others = [stack.enter_context(RedisServer(*follows)) for _ in range(replicas)]
        in_step(primary, replicas)
        sentinel = stack.enter_context(Sentinel(primary))
        until(lambda: sentinel.knows(replicas))
        yield sentinel, {server.port: server for server in (primary, *others)}
