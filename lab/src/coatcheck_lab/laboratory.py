"""Where experiments happen: an empty store, server processes of a contender, a proxy and a browser, all real."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING, Any, TypeVar

from redis import Redis

from coatcheck import generate_secret

from . import processes
from .contenders import CONTENDERS, DENYLIST, UNCHECKED, Contender
from .contenders.application import prepare
from .contenders.mechanism import Settings
from .programs import find
from .site import Site

if TYPE_CHECKING:
    from .chromium import Chromium
    from .tab import Tab

Found = TypeVar("Found")

WORKER = "coatcheck_lab.contenders.worker"

READY_WITHIN = 20.0
"""Seconds that a server may take until it answers."""


class Laboratory:
    """A folder, a Redis if there is one, and the contenders. Use `with`."""

    def __init__(
        self,
        contenders: Mapping[str, Contender] = CONTENDERS,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`tell`: hears what is being done, in a few words."""
        self.contenders, self.tell = contenders, tell
        self._stack = contextlib.ExitStack()
        self._chromium: Chromium | None = None
        self.has_redis = False
        self._redis_process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Laboratory:
        with contextlib.ExitStack() as stack:
            self.folder = Path(
                stack.enter_context(TemporaryDirectory(prefix="coatcheck-lab-", ignore_cleanup_errors=True))
            )
            self._redis = stack.enter_context(self._started_redis())
            self.has_redis = self._redis is not None
            self._counter = stack.enter_context(Redis.from_url(self._redis)) if self._redis else None
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def store(self) -> str:
        """In words, where sessions are."""
        return "Redis" if self.has_redis else "SQLite"

    @property
    def with_denylist(self) -> dict[str, Contender]:
        """The contenders, and beside them the JWT with a denylist, where there is a Redis for it."""
        return {**self.contenders, **({DENYLIST.name: DENYLIST} if self.has_redis else {})}

    @property
    def known(self) -> dict[str, Contender]:
        """The contenders and all that single rows have beside them."""
        return {**self.with_denylist, UNCHECKED.name: UNCHECKED}

    def each(self, measure: Callable[[str], Found], names: Iterable[str] | None = None) -> dict[str, Found]:
        """What `measure` finds for each contender, one after the other. `names`: for these in place of all."""
        found: dict[str, Found] = {}
        for name in self.contenders if names is None else names:
            self.tell(name)
            found[name] = measure(name)
        return found

    def at_once(self, measure: Callable[[str], Found], names: Iterable[str] | None = None) -> dict[str, Found]:
        """The same, all at the same time: for experiments that mostly wait."""
        self.tell("all contenders at once")
        asked = list(self.contenders if names is None else names)
        with ThreadPoolExecutor(len(asked)) as pool:
            return dict(zip(asked, pool.map(measure, asked), strict=True))

    def asked_of_redis(self) -> int | None:
        """How many commands the Redis has carried out so far; None if there is none."""
        return None if self._counter is None else int(self._counter.info("stats")["total_commands_processed"])

    @contextlib.contextmanager
    def store_stopped(self) -> Iterator[None]:
        """While the block lasts the Redis keeps its connections and answers nothing; SQLite has nothing to stop."""
        if self._redis_process is None:
            yield
            return
        self._redis_process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._redis_process.send_signal(signal.SIGCONT)

    # -- servers -----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def site(self, contender: str, *, workers: int = 1, **settings: Any) -> Iterator[Site]:
        """The contender's application, with an empty store. With several `workers` each has a port of its own."""
        who = self.known[contender]
        folder = self._new_folder()
        prepare(f"{folder}/users.db")
        made = Settings(
            made_by=who.made_by,
            storage=who.storage,
            users=f"{folder}/users.db",
            store=self._redis or f"sqlite:///{folder}/sessions.db",
            namespace=folder.name,
            secret=generate_secret(),
        )
        made = replace(made, **settings)
        with contextlib.ExitStack() as stack:
            running: list[subprocess.Popen[bytes]] = []
            log = stack.enter_context((folder / "log").open("ab"))
            stack.callback(lambda: processes.stop(running))
            ports = []
            for _ in range(workers):
                # Closed here: where the process has gone nobody answers.
                with processes.listen() as listener:
                    running.append(processes.start(WORKER, listener, [], made.environment(), log))
                    ports.append(listener.getsockname()[1])
            for port, worker in zip(ports, running, strict=True):
                if not _comes_up(port, worker, _serves):
                    raise TimeoutError(f"the application does not start: {_last_line(folder / 'log')}")
            yield Site(
                f"http://{processes.HOST}:{ports[0]}", made, running, ports, stack.enter_context(contextlib.ExitStack())
            )

    @contextlib.contextmanager
    def proxy(self, site: Site) -> Iterator[str]:
        """An nginx before all processes of a site, as Debian has it; its URL."""
        folder, port = self._new_folder(), _free_port()
        servers = "\n".join(f"server {processes.HOST}:{port} max_fails=1 fail_timeout=60s;" for port in site.ports)
        (folder / "nginx.conf").write_text(
            f"daemon off; pid {folder}/pid; error_log {folder}/log; worker_processes 1; events {{}}\n"
            f"http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};\n"
            f"fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};\n"
            f"upstream all {{ {servers} }}\n"
            f"server {{ listen {processes.HOST}:{port}; location / {{ proxy_pass http://all;"
            f" proxy_set_header Host $http_host; }} }} }}\n"
        )
        with self._program(
            [_found("nginx"), "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "log"]
        ) as running:
            if not _comes_up(port, running, _serves):
                raise TimeoutError(f"nginx does not start: {_last_line(folder / 'log')}")
            yield f"http://{processes.HOST}:{port}"

    @contextlib.contextmanager
    def _started_redis(self) -> Iterator[str | None]:
        executable = find("redis-server")
        if executable is None:
            yield None
            return
        port = _free_port()
        options = f"--bind {processes.HOST} --port {port} --appendonly no --dir".split()
        with self._program([executable, *options, self.folder, "--save", ""]) as running:
            up = _comes_up(port, running)
            self._redis_process = running if up else None
            yield f"redis://{processes.HOST}:{port}/0" if up else None

    @staticmethod
    @contextlib.contextmanager
    def _program(command: Sequence[str | Path]) -> Iterator[subprocess.Popen[bytes]]:
        running = subprocess.Popen(  # noqa: S603 - a program that we found
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield running
        finally:
            running.terminate()
            running.wait()

    # -- browsers ----------------------------------------------------------------------------------------

    @property
    def chromium(self) -> Chromium:
        """A real one, headless; started when it is first asked for."""
        if self._chromium is None:
            from .chromium import started

            self._chromium = self._stack.enter_context(started(_found("chromium"), self.folder))
        return self._chromium

    @contextlib.contextmanager
    def tab(self, site: Site, url: str | None = None) -> Iterator[Tab]:
        """A tab of a browser that has nothing from before, with the site's page; `url`: as a proxy shows it."""
        from .tab import Tab

        with self.chromium.browser.new_context() as context:
            yield Tab(context.new_page(), url or site.url)

    def _new_folder(self) -> Path:
        return Path(mkdtemp(dir=self.folder))


def _found(program: str) -> Path:
    path = find(program)
    if path is None:
        raise FileNotFoundError(program)
    return path


def _free_port() -> int:
    with processes.listen() as probe:
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    try:
        socket.create_connection((processes.HOST, port), 1).close()
    except OSError:
        return False
    return True


def _serves(port: int) -> bool:
    """Whether it answers a request: a connection is taken by the kernel before anybody listens to it."""
    connection = HTTPConnection(processes.HOST, port, timeout=1)
    try:
        connection.request("HEAD", "/")
        connection.getresponse()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return True


def _comes_up(port: int, process: subprocess.Popen[bytes], ready: Callable[[int], bool] = _answers) -> bool:
    """Waits until that process answers there; not for one that has ended: who answers then is somebody else."""
    deadline = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        if ready(port):
            return process.poll() is None
        time.sleep(0.02)
    return False


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "it says nothing"
