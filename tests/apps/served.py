"""The kit's applications on their real servers, over one store."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import redis

from coatcheck import SessionManager
from coatcheck.testing import Site
from tests.servers import READY_WITHIN, RedisServer

ROOT = Path(__file__).parents[2]
PYTHON = sys.executable
SECRET = "one-that-guards-nothing-for-tests-alone"

UVICORN = (PYTHON, "-m", "uvicorn", "--fd", "{fd}", "--log-level", "warning")
GUNICORN = (PYTHON, "-m", "gunicorn", "--bind", "fd://{fd}", "--workers", "2", "--threads", "12")

SERVERS: dict[str, Sequence[str]] = {
    "starlette": (*UVICORN, "tests.apps.starlette_app:app"),
    "wsgi": (*GUNICORN, "tests.apps.wsgi_app:app"),
    "bottle": (*GUNICORN, "tests.apps.bottle_app:app"),
    "falcon": (*GUNICORN, "tests.apps.falcon_app:app"),
    "pyramid": (*GUNICORN, "tests.apps.pyramid_app:app"),
    "django": (*GUNICORN, "tests.apps.django_app:application"),
    "django-async": (*UVICORN, "--lifespan", "off", "tests.apps.django_async_app:application"),
    "flask": (*GUNICORN, "tests.apps.flask_app:app"),
    "quart": (*UVICORN, "tests.apps.quart_app:app"),
    "litestar": (*UVICORN, "tests.apps.litestar_app:app"),
    "aiohttp": (PYTHON, "-m", "tests.apps.aiohttp_app"),
}
"""How each framework's application is started; `{fd}` is the number of the listening socket."""


@contextmanager
def running(framework: str, store: str, command: Sequence[str] = ()) -> Iterator[str]:
    """The base URL of a framework's application over that store, or of what `command` starts."""
    with TemporaryDirectory(prefix="coatcheck-app-") as folder, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        base, number = f"http://127.0.0.1:{listener.getsockname()[1]}", listener.fileno()
        settings = {"COATCHECK_STORE": store, "COATCHECK_SECRET": SECRET, "APP_FD": str(number), "APP_FOLDER": folder}
        log = Path(folder, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [part.format(fd=number) for part in command or SERVERS[framework]],
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
        except BaseException as error:
            error.add_note(log.read_text(errors="replace")[-3000:])
            raise
        finally:
            for kind in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, kind)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(10)


def _wait(base: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        # The socket listens from the start: the first answer waits until there is somebody to give it.
        with suppress(httpx.TransportError):
            if httpx.get(f"{base}/page", timeout=1).is_success:
                return
    raise RuntimeError(f"does not start:\n{log.read_text(errors='replace')[-3000:]}")


@contextmanager
def paused(server: RedisServer) -> Iterator[None]:
    """The server holds its connections, and answers nothing."""
    server.pause()
    try:
        yield
    finally:
        server.resume()
        with redis.Redis(port=server.port) as client:
            client.ping()


@contextmanager
def site(framework: str) -> Iterator[Site]:
    """A framework's application over a Redis of its own, as `AppContract` wants it."""
    with (
        RedisServer() as server,
        running(framework, server.url) as url,
        SessionManager(server.url, secret=SECRET) as manager,
    ):
        yield Site(url, manager, lambda: paused(server))
