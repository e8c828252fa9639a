"""Real servers for tests, each on a free loopback port, in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import psycopg
import pytest
import redis

from tools import programs

READY_WITHIN = 20.0
"""Seconds that a server may take to answer on a slow, busy machine."""


def needed(program: str) -> Path:
    """Where a program is; the test is skipped if this machine lacks it, and fails if CI=true."""
    found = programs.find(program)
    if found is None:
        (pytest.fail if programs.in_ci() else pytest.skip)(f"{program} is missing: make system")
    return found


class Server:
    """A program in a process group and a folder of its own. Use `with`, or `start` and `close`."""

    host = "127.0.0.1"
    port: int

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="coatcheck-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the program, also its group's; raises RuntimeError if it does not run."""
        if self._process is None:
            message = "the server does not run"
            raise RuntimeError(message)
        return self._process.pid

    @property
    def log(self) -> str:
        """All that the program has printed so far."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        raise NotImplementedError

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> None:
        """Stop the program and everything in its group; nothing happens if it is not running."""
        if self._process is None:
            return
        process, self._process = self._process, None
        self._signal(process.pid, signum)
        self._signal(process.pid, signal.SIGCONT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            self._signal(process.pid, signal.SIGKILL)
            process.wait()
        # Workers whose parent has gone keep the group alive, and the port with it.
        self._signal(process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.stop(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it: connections stay open, and nothing answers."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        os.killpg(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Stop it and remove its folder."""
        self.stop()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    def _signal(group: int, signum: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signum)

    def _spawn(self, command: Sequence[str | Path], **options: Any) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, **options
            )

    def _answers(self, ready: Callable[[], bool]) -> bool:
        """Wait until `ready()`; False if the program ended before. Raises TimeoutError if neither happens."""
        assert self._process is not None
        deadline = time.monotonic() + READY_WITHIN
        while self._process.poll() is None:
            if ready():
                return True
            if time.monotonic() > deadline:
                log = self.log
                self.kill()
                message = f"no answer within {READY_WITHIN:g} s:\n{log}"
                raise TimeoutError(message)
            time.sleep(0.01)
        self._process = None
        return False

    def _start_on_a_port(self, spawn: Callable[[], None], ready: Callable[[], bool], port: int = 0) -> None:
        """Spawn it until it answers, on that port or on free ones: another may take one in between."""
        for _ in range(20):
            self.port = port or free_port()
            spawn()
            if self._answers(ready):
                return
        message = f"{type(self).__name__} does not start:\n{self.log}"
        raise RuntimeError(message)


class RedisServer(Server):
    """A redis-server that keeps nothing on disk, with further options as on its command line."""

    def __init__(self, *options: str) -> None:
        super().__init__()
        self._options = options
        self.port = 0
        self.until_loaded = True
        """Whether `start` waits until it has read its file, and serves."""

    @property
    def url(self) -> str:
        """The store URL of its first database."""
        return f"redis://{self.host}:{self.port}/0"

    def start(self) -> None:
        """Start it, on the port that it had before if there was one; returns when it answers."""
        executable = needed("redis-server")

        def spawn() -> None:
            base = f"--bind {self.host} --port {self.port} --appendonly no --dir {self.folder}"
            self._spawn([executable, *base.split(), "--save", "", *self._options])

        self._start_on_a_port(spawn, self._is_ours, self.port)

    def restart(self) -> None:
        """Stop and start it on the same port: what it held is gone, unless its options keep it."""
        self.stop()
        self.start()

    def cli(self, *command: str | int) -> Any:
        """Send one command and return its answer."""
        with redis.Redis(host=self.host, port=self.port, decode_responses=True, socket_timeout=10) as client:
            return client.execute_command(*command)

    def _is_ours(self) -> bool:
        """Whether it answers, and not some other server that took the port in between."""
        with contextlib.suppress(redis.ConnectionError, redis.TimeoutError):
            found = self.cli("INFO")
            return found["process_id"] == self.pid and not (self.until_loaded and found["loading"])
        return False


class PostgresServer(Server):
    """A PostgreSQL that syncs nothing to the disk, with further settings. Made once, it can be stopped and started."""

    def __init__(self, *settings: str) -> None:
        super().__init__()
        self._settings = settings
        self.port = 0
        # It refuses to run as root. Debian's package makes this user.
        self._user: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}

    @property
    def url(self) -> str:
        """The store URL of its first database."""
        return f"postgresql://postgres:secret@{self.host}:{self.port}/postgres"

    def start(self) -> None:
        """Start it, on the port that it had before if there was one; returns when it answers."""
        initdb = needed("postgresql")
        data, first = self.folder / "data", self.port == 0
        if first:
            password = self.folder / "password"
            password.write_text("secret")
            for path in (self.folder, password):
                path.chmod(0o755)
            if self._user:
                shutil.chown(self.folder, **self._user)
            options = (
                f"--no-sync --encoding=UTF8 --locale=C -U postgres --auth=scram-sha-256 --pwfile={password} -D {data}"
            )
            subprocess.run([initdb, *options.split()], check=True, capture_output=True, cwd=self.folder, **self._user)

        def spawn() -> None:
            base = f"-D {data} -h {self.host} -p {self.port} -k {self.folder} -c fsync=off -c full_page_writes=off"
            settings = [part for setting in self._settings for part in ("-c", setting)]
            self._spawn([initdb.with_name("postgres"), *base.split(), *settings], cwd=self.folder, **self._user)

        self._start_on_a_port(spawn, self._is_up, self.port)

    def stop(self, signum: signal.Signals = signal.SIGINT) -> None:
        """Stop it without waiting for its clients to leave, as SIGTERM would."""
        super().stop(signum)

    def kill(self) -> None:
        """End it as a power cut would, and each connection's process with it."""
        connections = self._children()
        super().kill()
        for pid in connections:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask one statement, and return its rows."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def pause(self) -> None:
        """Freeze it, and each connection's process, which has a group of its own."""
        for pid in (self.pid, *self._children()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        for pid in (self.pid, *self._children()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _children(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def empty(self) -> None:
        """Take out all tables."""
        self.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def _is_up(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            return self.sql("SELECT current_setting('data_directory')") == [(str(self.folder / "data"),)]
        return False


class Bouncer(Server):
    """A pgbouncer before a PostgreSQL, that gives each transaction one of a few connections."""

    def __init__(self, postgres: PostgresServer, connections: int = 2) -> None:
        super().__init__()
        self._postgres, self._connections = postgres, connections

    @property
    def url(self) -> str:
        """The store URL through it."""
        return self._postgres.url.replace(f":{self._postgres.port}/", f":{self.port}/")

    def start(self) -> None:
        """Start it; returns when it answers."""
        executable = needed("pgbouncer")
        self.folder.chmod(0o755)

        def spawn() -> None:
            settings = self.folder / "settings.ini"
            users = self.folder / "users"
            users.write_text('"postgres" "secret"\n')
            settings.write_text(
                f"[databases]\n* = host={self.host} port={self._postgres.port}\n[pgbouncer]\n"
                f"listen_addr = {self.host}\nlisten_port = {self.port}\nunix_socket_dir =\npool_mode = transaction\n"
                f"default_pool_size = {self._connections}\nauth_type = scram-sha-256\nauth_file = {users}\n"
            )
            self._spawn([executable, settings], **({"user": "postgres"} if os.geteuid() == 0 else {}))

        self._start_on_a_port(spawn, self._is_up)

    def _is_up(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=10):
            return True
        return False


class AppServer(Server):
    """uvicorn with an application given as `module:name`, on a port that was bound before it started."""

    _context: ssl.SSLContext | None = None
    """What its certificate is checked by; None without TLS."""

    def __init__(
        self,
        app: str,
        *options: str,
        workers: int = 1,
        env: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """`folder` is where the module lies, the repository by default; `env` is added to the environment."""
        super().__init__()
        self._command = [sys.executable, "-m", "uvicorn", app, "--workers", str(workers), *options]
        self._env = env or {}
        self._where = folder or Path(__file__).parent.parent

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Start it on a port of its own; returns when it answers, whatever the status."""
        with socket.socket() as listener:
            listener.bind((self.host, 0))
            self.port = listener.getsockname()[1]
            number = listener.fileno()
            command = [*self._command, "--fd", str(number), "--timeout-graceful-shutdown", "2"]
            self._spawn(command, pass_fds=[number], env=os.environ | self._env, cwd=self._where)
        if not self._answers(self._responds):
            message = f"uvicorn does not start:\n{self.log}"
            raise RuntimeError(message)

    def _responds(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=READY_WITHIN, context=self._context):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            return True
        except OSError:
            return False


def free_port() -> int:
    """A loopback port that is free now, outside of the range that the system gives to outgoing connections.

    That range must be avoided since a server that restarts wants its port back.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((Server.host, port))
            return port
