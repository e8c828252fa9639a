"""How a request comes to an application in its own process: as a server hands it over, for each kind of application."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from bench.visits import BROWSER, Message, Wrong, receive


class Shown(NamedTuple):
    """What a visitor shows."""

    method: str = "GET"
    cookie: str | None = None
    bearer: str | None = None

    def headers(self) -> list[tuple[bytes, bytes]]:
        """As Chromium sends them."""
        found = list(BROWSER)
        if self.method == "POST":
            found += [(b"content-length", b"0"), (b"origin", b"https://localhost:8000")]
        if self.bearer is not None:
            found.insert(3, (b"authorization", b"Bearer " + self.bearer.encode()))
        if self.cookie is not None:
            found.append((b"cookie", b"theme=dark; " + self.cookie.encode()))
        return found


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes
    cookie: str | None
    """Of a Set-Cookie, its name and value."""


class Asking(Protocol):
    """One kind of application. `visit` makes once what `ask` takes many times."""

    def visit(self, shown: Shown) -> Any: ...

    async def ask(self, app: Any, visit: Any) -> Answer: ...


class Asgi:
    """A scope, and what is sent."""

    def receiver(self) -> Callable[[], Awaitable[Message]]:
        """An empty body, however often it is asked for."""
        return receive

    def visit(self, shown: Shown) -> dict[str, Any]:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": shown.method,
            "scheme": "https",
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "root_path": "",
            "headers": shown.headers(),
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8000),
        }

    async def ask(self, app: Callable[[Any, Any, Any], Awaitable[None]], visit: dict[str, Any]) -> Answer:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await app(visit.copy(), self.receiver(), send)
        start = sent[0]
        body = sent[1]["body"] if len(sent) == 2 else b"".join(message.get("body", b"") for message in sent[1:])
        cookie = None
        for name, value in start["headers"]:
            if name == b"set-cookie":
                cookie = value.partition(b";")[0].decode("latin-1")
        return Answer(start["status"], body, cookie)


class PatientAsgi(Asgi):
    """For an application that goes on listening until its client has gone."""

    def receiver(self) -> Callable[[], Awaitable[Message]]:
        asked = False

        async def receives() -> Message:
            nonlocal asked
            if asked:
                await asyncio.get_running_loop().create_future()
            asked = True
            return await receive()

        return receives


class Wsgi:
    """An environ, and the body it returns. Nothing here suspends: it runs without an event loop."""

    def visit(self, shown: Shown) -> dict[str, Any]:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": shown.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in shown.headers():
            key = name.decode().upper().replace("-", "_")
            environ[key if key == "CONTENT_LENGTH" else f"HTTP_{key}"] = value.decode()
        return environ

    async def ask(self, app: Callable[[Any, Any], Any], visit: dict[str, Any]) -> Answer:
        begun: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], object]:
            begun[:] = status, headers
            return lambda _: None

        parts = app(visit | {"wsgi.input": io.BytesIO()}, start_response)
        try:
            body = b"".join(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        cookie = None
        for name, value in begun[1]:
            if name.lower() == "set-cookie":
                cookie = value.partition(";")[0]
        return Answer(int(begun[0][:3]), body, cookie)


class _Line(asyncio.Transport):
    """The server's end of a connection whose other end is a visitor here."""

    def __init__(self, server: Any) -> None:
        super().__init__({"peername": ("127.0.0.1", 50_000), "sslcontext": True})
        self.protocol = server()
        self.came = b""
        self.answered: asyncio.Future[None] | None = None
        self.protocol.connection_made(self)

    def write(self, data: Any) -> None:
        self.came += bytes(data)
        head, end, body = self.came.partition(b"\r\n\r\n")
        if end and self.answered is not None and not self.answered.done():
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or -1)
            if len(body) >= length >= 0:
                self.answered.set_result(None)

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        if self.answered is not None and not self.answered.done():
            self.answered.set_exception(Wrong(f"the connection was closed after {self.came!r}"))

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class AioHttp:
    """The bytes of a request, to aiohttp's own protocol: it has no other door. The application is a `web.Server`."""

    def __init__(self) -> None:
        self._free: dict[int, list[_Line]] = {}

    def visit(self, shown: Shown) -> bytes:
        lines = [b"%s / HTTP/1.1" % shown.method.encode(), *(b"%s: %s" % pair for pair in shown.headers())]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    async def ask(self, app: Any, visit: bytes) -> Answer:
        free = self._free.setdefault(id(app), [])
        line = free.pop() if free else _Line(app)
        line.came, line.answered = b"", asyncio.get_running_loop().create_future()
        line.protocol.data_received(visit)
        await line.answered
        head, _, body = line.came.partition(b"\r\n\r\n")
        free.append(line)
        cookie = None
        for header in head.split(b"\r\n")[1:]:
            if header[:11].lower() == b"set-cookie:":
                cookie = header[11:].partition(b";")[0].strip().decode()
        return Answer(int(head[9:12]), body, cookie)
