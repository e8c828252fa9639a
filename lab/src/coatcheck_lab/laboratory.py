"""Where experiments happen: an empty store, server processes of a contender, a proxy and a browser, all real."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING, Any

import httpx

from coatcheck import generate_secret

from . import processes
from .contenders import CONTENDERS, Contender
from .contenders.application import OPERATOR, PASSWORD, prepare
from .contenders.mechanism import Settings
from .programs import find

if TYPE_CHECKING:
    from .chromium import Chromium
    from .experiments.experiment import Value
    from .tab import Tab

_TLS = httpx.create_ssl_context()
"""Made once: it takes longer than a request."""

WORKER = "coatcheck_lab.contenders.worker"

READY_WITHIN = 20.0
"""Seconds that a server may take until it answers."""


@dataclass
class Site:
    """A running application."""

    url: str
    settings: Settings
    workers: list[subprocess.Popen[bytes]]
    ports: list[int]
    """Of each process."""
    guests: contextlib.ExitStack
    """Its clients, which leave with it."""

    def client(self, url: str | None = None) -> Visitor:
        """A client with a cookie jar, and what a page would keep in local storage."""
        return self.guests.enter_context(Visitor(url or self.url, self.settings))

    def stranger(self) -> httpx.Client:
        """A client that has nothing, and keeps nothing. Use `with`."""
        return httpx.Client(base_url=self.url, timeout=10, verify=_TLS)

    def url_of(self, number: int) -> str:
        """Of one process, past any proxy."""
        return f"http://{processes.HOST}:{self.ports[number]}"

    def operator(self, verb: str, **form: Any) -> httpx.Response:
        """What an operator asks: "revoke" or "role"."""
        headers = {OPERATOR: self.settings.secret}
        return httpx.post(f"{self.url}/operator/{verb}", data=form, headers=headers, timeout=10, verify=_TLS)


class Visitor(httpx.Client):
    """As the lab's page behaves: cookies in a jar, a token in local storage sent along by the page."""

    def __init__(self, url: str, settings: Settings) -> None:
        super().__init__(base_url=url, timeout=10, verify=_TLS)
        self.settings = settings
        self._local = settings.storage == "local"

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """As httpx's; the token that a response brings for local storage is kept."""
        answer = super().send(request, **options)
        if self._local and "X-Token" in answer.headers:
            self.headers["Authorization"] = f"Bearer {answer.headers['X-Token']}"
        return answer

    def log_in(self, name: str = "ada", **form: Any) -> httpx.Response:
        """Log in with the right password; raises `httpx.HTTPStatusError` if the application does not agree."""
        return self.post("/log-in", data={"name": name, "password": PASSWORD} | form).raise_for_status()

    def link(self, file: str, seconds: float) -> str:
        """A link to a file, for so many seconds."""
        answer = self.post(f"/ticket/{file}", data={"seconds": seconds})
        link: str = answer.raise_for_status().json()["link"]
        return link

    def me(self) -> Mapping[str, Any]:
        """What the application says of this visitor: "user" (None for nobody), "role", "process"."""
        answer: Mapping[str, Any] = self.get("/me").json()
        return answer

    @property
    def token(self) -> str:
        """What the login is, of a visitor who has one: the only cookie's value, or what the page keeps."""
        if self._local:
            return self.headers["Authorization"].removeprefix("Bearer ")
        [token] = self.cookies.values()
        return token

    def impostor(self, token: str) -> Visitor:
        """Another client, which shows that token in the way of this one. Use `with`."""
        other = Visitor(str(self.base_url), self.settings)
        if self._local:
            other.headers["Authorization"] = f"Bearer {token}"
        else:
            [name] = self.cookies
            other.headers["Cookie"] = f"{name}={token}"
        return other

    def copy(self, other: Visitor) -> None:
        """Have what the other client holds, as a thief has it."""
        self.cookies.update(other.cookies)
        if "Authorization" in other.headers:
            self.headers["Authorization"] = other.headers["Authorization"]


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

    def __enter__(self) -> Laboratory:
        with contextlib.ExitStack() as stack:
            self.folder = Path(
                stack.enter_context(TemporaryDirectory(prefix="coatcheck-lab-", ignore_cleanup_errors=True))
            )
            self._redis = stack.enter_context(self._started_redis())
            self.has_redis = self._redis is not None
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def store(self) -> str:
        """In words, where sessions are."""
        return "Redis" if self.has_redis else "SQLite"

    def at_once(self, measure: Callable[[str], Mapping[str, Value]]) -> dict[str, Mapping[str, Value]]:
        """What `measure` finds for each contender, all at the same time: for experiments that mostly wait."""
        self.tell("all contenders at once")
        with ThreadPoolExecutor() as pool:
            return dict(zip(self.contenders, pool.map(measure, self.contenders), strict=True))

    # -- servers -----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def site(self, contender: str | Contender, *, workers: int = 1, **settings: Any) -> Iterator[Site]:
        """The contender's application, with an empty store. With several `workers` each has a port of its own."""
        who = self.contenders[contender] if isinstance(contender, str) else contender
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
            for port in ports:
                _until(partial(_answers, port), f"the application does not start: {folder}/log")
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
        with self._program([_found("nginx"), "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "log"]):
            _until(lambda: _answers(port), "nginx does not start")
            yield f"http://{processes.HOST}:{port}"

    @contextlib.contextmanager
    def _started_redis(self) -> Iterator[str | None]:
        executable = find("redis-server")
        if executable is None:
            yield None
            return
        port = _free_port()
        options = [
            "--bind",
            processes.HOST,
            "--port",
            str(port),
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            str(self.folder),
        ]
        with self._program([executable, *options]):
            _until(lambda: _answers(port), "redis-server does not start")
            yield f"redis://{processes.HOST}:{port}/0"

    @staticmethod
    @contextlib.contextmanager
    def _program(command: Sequence[str | Path]) -> Iterator[None]:
        running = subprocess.Popen(  # noqa: S603 - a program that we found
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield
        finally:
            running.terminate()
            running.wait()

    # -- browsers ----------------------------------------------------------------------------------------

    @property
    def chromium(self) -> Chromium:
        """A real one, headless; started when it is first asked for."""
        if self._chromium is None:
            from .chromium import started

            self._chromium = self._stack.enter_context(started(_found("chromium")))
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
    with socket.socket() as probe:
        probe.bind((processes.HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    try:
        socket.create_connection((processes.HOST, port), 1).close()
    except OSError:
        return False
    return True


def _until(ready: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{complaint}, in {READY_WITHIN:g} seconds")
        time.sleep(0.02)
