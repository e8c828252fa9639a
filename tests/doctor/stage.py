"""Real sites for the doctor: uvicorn over TLS, nginx before it, and names that lead to this machine."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple

from coatcheck.cli import main
from tests.certificates import Certificates
from tests.servers import READY_WITHIN, AppServer, Server, needed

HOST = "shop.example"


class TlsServer(AppServer):
    """uvicorn, over TLS."""

    def __init__(self, app: str, certificates: Certificates, *options: str, **settings: Any) -> None:
        files = ["--ssl-certfile", str(certificates.server), "--ssl-keyfile", str(certificates.server_key)]
        super().__init__(app, *files, *options, **settings)
        self._context = ssl.create_default_context(cafile=str(certificates.authority))

    @property
    def url(self) -> str:
        """The base URL."""
        return f"https://{self.host}:{self.port}"


class Nginx(Server):
    """nginx with `http` blocks of the test's own, in which `{port}` and `{folder}` are filled in."""

    def __init__(self, settings: str) -> None:
        super().__init__()
        self._settings = settings

    def start(self) -> None:
        """Start it; returns when it answers."""
        executable = needed("nginx")

        def spawn() -> None:
            http = self._settings.replace("{port}", str(self.port)).replace("{folder}", str(self.folder))
            kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            paths = "".join(f"{name}_temp_path {self.folder}/{name};" for name in kinds)
            file = self.folder / "nginx.conf"
            file.write_text(
                f"daemon off; pid {self.folder}/pid; error_log stderr; worker_processes 1; user {_user()};\n"
                f"events {{}}\nhttp {{ access_log off; {paths}\n{http} }}\n"
            )
            self._spawn([executable, "-e", "stderr", "-p", str(self.folder), "-c", str(file)])

        self._start_on_a_port(spawn, self._is_up)

    def _is_up(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(READY_WITHIN)
            return probe.connect_ex((self.host, self.port)) == 0


def _user() -> str:
    import getpass

    return getpass.getuser()


class Names:
    """Which host and port of the doctor's leads to which port of this machine. All others refuse."""

    def __init__(self) -> None:
        self.ports: dict[tuple[str, int], int] = {}
        self.asked: list[tuple[str, int]] = []
        self._connect = socket.create_connection

    def __call__(self, address: tuple[str, int], *arguments: Any, **settings: Any) -> socket.socket:
        self.asked.append(address)
        if address[0] == Server.host:
            return self._connect(address, *arguments, **settings)
        if address not in self.ports:
            raise ConnectionRefusedError(111, "Connection refused")
        return self._connect((Server.host, self.ports[address]), *arguments, **settings)


class Line(NamedTuple):
    """A check, as JSON has it."""

    level: str
    name: str
    found: str
    remedy: str
    requirement: str


class Told:
    """What the doctor said."""

    def __init__(self, code: int, out: str) -> None:
        self.code = code
        self.out = out
        parsed = json.loads(out)
        assert parsed["code"] == code
        self.lines = [Line(*(one[name] for name in Line._fields)) for one in parsed["checks"]]

    def level(self, name: str) -> str:
        """The worst level of a check; "" where it was not made."""
        order = ["", "ok", "warn", "fail"]
        return max((line.level for line in self.lines if line.name == name), key=order.index, default="")

    def text(self, name: str) -> str:
        """All that was found of it, and its remedies."""
        return "\n".join(f"{line.found}. {line.remedy}" for line in self.lines if line.name == name)

    def bad(self) -> dict[str, str]:
        """What is not well, by the check."""
        return {line.name: line.level for line in self.lines if line.level != "ok"}


Ask = Callable[..., Told]


def ask(capsys: Any, *arguments: str) -> Told:
    """Run the command with --json."""
    code = main(["doctor", "--json", *arguments])
    out, error = capsys.readouterr()
    assert error == ""
    return Told(code, out)
