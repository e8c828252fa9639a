"""One contender's server, on a free port, from its start to its end."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from .contenders import ROOT, Contender
from .gatehouse import Gatehouse
from .race import Track

READY_WITHIN = 30.0


@asynccontextmanager
async def stage(contender: Contender, redis_url: str) -> AsyncIterator[Track]:
    """The application of a contender, up and running. Raises RuntimeError if it does not start."""
    async with Gatehouse() as gate:
        with _server(contender, {"RACES_REDIS": redis_url, "RACES_GATE": str(gate.port)}) as base:
            # Each browser has a jar of its own, so the client must not keep another.
            none = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
            async with httpx.AsyncClient(base_url=base, timeout=30, cookies=none) as client:
                yield Track(client, gate)


@contextmanager
def _server(contender: Contender, settings: dict[str, str]) -> Iterator[str]:
    with TemporaryDirectory(prefix="coatcheck-races-") as folder, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        base, number = f"http://127.0.0.1:{listener.getsockname()[1]}", listener.fileno()
        settings |= {
            "RACES_STORE": contender.store,
            "RACES_FOLDER": folder,
            "RACES_FD": str(number),
            "RACES_SECRET": secrets.token_urlsafe(32),
        }
        log = Path(folder, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [part.format(fd=number) for part in contender.command],
                pass_fds=[number],
                env=os.environ | settings,
                cwd=ROOT,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            _wait(base, process, log)
            yield base
        finally:
            _end(process)


def _wait(base: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        # The socket listens from the start: the first answer waits until there is somebody to give it.
        with suppress(httpx.TransportError):
            if httpx.get(f"{base}/versions", timeout=1).is_success:
                return
    raise RuntimeError(f"does not start:\n{log.read_text(errors='replace')[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
