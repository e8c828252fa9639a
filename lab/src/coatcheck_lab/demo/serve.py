"""The demo's parent process: one listening socket, several workers, and an end that leaves nothing behind."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from coatcheck import AsyncSessionManager, generate_secret
from coatcheck.errors import ConfigurationError

from .. import processes
from .settings import Settings
from .state import State
from .users import SEED

_KEPT = {True: "", False: ", removed at the end"}


def serve(port: int, workers: int, data: Path | None, confirm_after: int) -> int:
    """Run the demo until ctrl-C; the exit status."""
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.default_int_handler)
    try:
        listener = processes.listen(port)
    except OSError as error:
        return _say(_no_port(port, error))
    with listener, _folder(data) as folder:
        state = State.open(Settings(folder))
        try:
            environment = _prepare(state, workers)
        except ConfigurationError as error:
            return _say(f"The store cannot be used: {error}")
        except OSError as error:
            return _say(f"The folder {folder} cannot be used: {error.strerror}")
        _introduce(state, port, workers, environment["COATCHECK_STORE"], kept=data is not None)
        arguments = ["--data", str(folder), "--confirm-after", str(confirm_after)]
        return _run(listener, workers, arguments, environment)


def _say(text: str) -> int:
    print(text, file=sys.stderr)
    return 1


def _no_port(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65_535 else 8000
        return f"Port {port} is in use. Choose another: make demo PORT={other}, or coatcheck-lab demo --port {other}"
    return f"Port {port} cannot be used: {error.strerror}. Choose another with --port."


@contextlib.contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    """The folder that was asked for, or a temporary one that goes at the end."""
    if data is not None:
        with contextlib.suppress(OSError):  # told later, in plain words
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield data.absolute()
    else:
        with TemporaryDirectory(prefix="coatcheck-demo-", ignore_cleanup_errors=True) as name:
            yield Path(name)


def _prepare(state: State, workers: int) -> dict[str, str]:
    """Fill the vault; the workers' environment. Raises `ConfigurationError` for a store that makes no sense."""
    folder = state.settings.data
    try:
        state.fill()
    except sqlite3.Error as error:
        raise OSError(errno.EIO, str(error)) from error
    environment = dict(os.environ)
    store = environment.setdefault("COATCHECK_STORE", f"sqlite:///{folder}/sessions.db")
    scheme = urlsplit(store).scheme
    if scheme == "memory" and workers > 1:
        raise ConfigurationError("memory:// is one for each process. Choose another, or --workers 1.")
    if scheme != "sqlite" and "COATCHECK_SECRET" not in environment:
        # A shared store has no place for a key of its own: the workers get theirs from a file.
        environment.setdefault("COATCHECK_SECRET_FILE", str(_secret_file(folder)))
    AsyncSessionManager(store)  # does no I/O: a setting that makes no sense shows here, in one line
    return environment


def _secret_file(folder: Path) -> Path:
    path = folder / "secret.key"
    with contextlib.suppress(FileExistsError):
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "w") as file:
            file.write(generate_secret())
    return path


def _introduce(state: State, port: int, workers: int, store: str, *, kept: bool) -> None:
    print(f"\nThe vault is open at http://{processes.HOST}:{port}\n")
    for name, password, _ in SEED:
        user = state.users.check(name, password)
        role, shown = (user.role, password) if user else ("", "(its password was changed)")
        print(f"    {name:<8} {shown:<18} {role}")
    count = "One worker process" if workers == 1 else f"{workers} worker processes"
    # Not the store's whole URL: it may hold a password.
    print(f"\n{count}, sessions in {urlsplit(store).scheme}. Files: {state.settings.data}{_KEPT[kept]}")
    print("Two browsers, or a private window beside the first, make two devices. Ctrl-C stops it.\n", flush=True)


def _run(listener: socket.socket, workers: int, arguments: list[str], environment: dict[str, str]) -> int:
    running: list[subprocess.Popen[bytes]] = []
    status = 0
    try:
        while len(running) < workers:
            running.append(processes.start("coatcheck_lab.demo.worker", listener, arguments, environment))
        while all(process.poll() is None for process in running):
            time.sleep(0.1)
        status = _say("A worker process ended by itself, so the demo stops.")
    except KeyboardInterrupt:
        print("\nThe vault is closed.")
    finally:
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, signal.SIG_IGN)  # the end below is bounded
        processes.stop(running)
    return status
