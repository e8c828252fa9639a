"""A Redis of our own, on a free port, that keeps nothing on disk."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryDirectory

import redis

from tools import programs

READY_WITHIN = 10.0
"""Seconds that it may take to answer."""


@contextmanager
def redis_server() -> Iterator[str | None]:
    """The URL of a new, empty Redis; None where redis-server is not installed."""
    program = programs.find("redis-server")
    if program is None:
        yield None
        return
    with TemporaryDirectory(prefix="coatcheck-bench-") as folder:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = f"--bind 127.0.0.1 --port {port} --appendonly no --dir {folder}".split()
        process = subprocess.Popen([program, *options, "--save", ""], stdout=subprocess.DEVNULL)
        try:
            _wait(port, process)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait(10)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN
    with redis.Redis(port=port) as client:
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(redis.ConnectionError):
                # Another server may have taken the port in between.
                if client.info("server")["process_id"] == process.pid:
                    return
            time.sleep(0.02)
    raise RuntimeError("redis-server does not start")
