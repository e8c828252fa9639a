"""The servers of a soak: uvicorn with two workers, and the store that they share."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import redis

from bench.servers import redis_server

from .fast import SPEED
from .watch import Gauge, children, resident

WORKERS = 2
READY_WITHIN = 30.0

_AGE = """
local reply = redis.call('SCAN', ARGV[1], 'COUNT', 1000)
for _, key in ipairs(reply[2]) do
  local left = redis.call('PTTL', key)
  if left > 0 then redis.call('PEXPIRE', key, math.max(1, left - tonumber(ARGV[2]))) end
end
return reply[1]
"""
"""Redis has no clock to set: its keys' time is taken off them."""


class Stage(NamedTuple):
    """What visitors need, and what is watched."""

    port: int
    gauges: dict[str, Gauge]
    log: Path
    age: redis.Redis | None

    def fault_lines(self) -> list[str]:
        """The lines of the log that a fault leaves."""
        words = ("Traceback", "ERROR", "Exception", "could not be", "is lost")
        return [line for line in self.log.read_text(errors="replace").splitlines() if any(w in line for w in words)]

    def pass_time(self, seconds: float) -> None:
        """Let that many real seconds pass for a Redis as for the application, whose clock runs fast."""
        age: Any = self.age
        if age is not None:
            cursor: bytes | int = 0
            while True:
                # Keys that are met twice are aged twice: only a rehash does that, and it ends sessions early at worst
                # by minutes of their weeks.
                cursor = age.eval(_AGE, 0, cursor, int(seconds * (SPEED - 1) * 1000))
                if int(cursor) == 0:
                    return


@contextmanager
def stage(store: str, forgets: str = "") -> Iterator[Stage]:
    """Workers over "sqlite" or "redis"; `forgets` breaks a promise. Raises RuntimeError where there is no Redis."""
    with TemporaryDirectory(prefix="coatcheck-soak-") as name:
        folder = Path(name)
        if store == "sqlite":
            path = folder / "sessions.db"
            log = path.with_name("sessions.db-wal")
            gauges = {
                "the database": Gauge(lambda: path.stat().st_size),
                "its log": Gauge(lambda: log.stat().st_size if log.exists() else 0),
            }
            with workers(f"sqlite:///{path}", folder, forgets) as (port, pid):
                yield Stage(port, _with_memory(gauges, pid), folder / "log", None)
            return
        with redis_server() as url:
            if url is None:
                raise RuntimeError("redis-server is not installed")
            with redis.Redis.from_url(url) as client, workers(url, folder, forgets) as (port, pid):
                gauges = {"Redis, its data": Gauge(lambda: int(client.info("memory")["used_memory_dataset"]))}
                yield Stage(port, _with_memory(gauges, pid), folder / "log", client)


def _with_memory(gauges: dict[str, Gauge], pid: int) -> dict[str, Gauge]:
    processes = children(pid)
    if len(processes) != WORKERS:
        raise RuntimeError(f"{len(processes)} workers in place of {WORKERS}")
    return {"the workers' memory": Gauge(lambda: resident(processes))} | gauges


@contextmanager
def workers(
    url: str, folder: Path, forgets: str, *, secret: str | None = None, speed: float = SPEED
) -> Iterator[tuple[int, int]]:
    """The application over a store: its port, and its process."""
    settings = {
        "COATCHECK_STORE": url,
        "COATCHECK_SECRET": secret or secrets.token_urlsafe(32),
        "SOAK_SPEED": repr(speed),
        "SOAK_BEGUN": repr(time.time()),
        "SOAK_FORGETS": forgets,
    }
    with socket.socket() as listener, (folder / "log").open("ab") as log:
        listener.bind(("127.0.0.1", 0))
        port, number = listener.getsockname()[1], listener.fileno()
        options = f"--fd {number} --workers {WORKERS} --no-access-log --timeout-graceful-shutdown 2".split()
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "bench.soak.app:app", *options],
            pass_fds=[number],
            env=os.environ | settings,
            cwd=Path(__file__).parents[2],
            stdout=log,
            stderr=log,
        )
    try:
        _wait(port, process)
        yield port, process.pid
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/me", timeout=5) as response:
            if response.status == 200:
                return
        time.sleep(0.05)
    raise RuntimeError("uvicorn does not start")
