"""Server processes: each serves on a socket that its parent has opened, until its parent tells it to stop or dies."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any

import uvicorn

HOST = "127.0.0.1"

LAST_RESPONSES = 3.5
"""Seconds for the responses that are under way when a process is told to stop."""

STOP_WITHIN = 4.0
"""Seconds that processes have for their last responses, together."""


def listen(port: int = 0) -> socket.socket:
    """A listening socket on loopback, on a free port unless one is asked for. Raises OSError.

    It is made by the parent: workers may share it, and a port in use shows at once.
    """
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def start(
    module: str,
    listener: socket.socket,
    arguments: Sequence[str],
    env: Mapping[str, str],
    log: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Run a module of ours as a process that serves on that socket. `log`: where it prints; None: where we do."""
    # A session of its own keeps the terminal's ctrl-C from the worker: only its parent tells it to stop, by
    # closing the pipe, which the kernel does too if the parent is killed.
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", module, "--fd", str(listener.fileno()), *arguments],
        stdin=subprocess.PIPE,
        pass_fds=[listener.fileno()],
        start_new_session=True,
        env=env,
        stdout=log,
        stderr=log,
    )


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Tell them to stop; those that do not within `STOP_WITHIN` seconds are killed."""
    for process in processes:
        if process.stdin:
            process.stdin.close()
    deadline = time.monotonic() + STOP_WITHIN
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def serve_until_told(app: Any, listener: socket.socket) -> None:
    """In such a process: serve until the parent closes our standard input."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
    )

    def watch() -> None:
        sys.stdin.buffer.read()
        server.should_exit = True
        time.sleep(LAST_RESPONSES)
        os._exit(0)  # a client that never reads its response must not keep this process alive

    threading.Thread(target=watch, daemon=True).start()
    server.run(sockets=[listener])
