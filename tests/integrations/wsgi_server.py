"""A WSGI server of a few lines, which keeps a diary; and somebody who is signed in on it."""

from __future__ import annotations

import io
from typing import Any, NamedTuple, cast
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

from coatcheck import Event, SessionManager
from coatcheck.errors import StoreUnavailable
from coatcheck.integrations.wsgi import SessionMiddleware
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import FakeClock

KEY = "a key that guards nothing, for tests only"
NAME = "__Host-coatcheck"
TEXT = [("Content-Type", "text/plain")]


class Answer(NamedTuple):
    """What a client gets."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """The values of a header."""
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def token(self) -> str | None:
        """The session's token in Set-Cookie, "" in a deletion, None without one of ours."""
        lines = [line for line in self.all("set-cookie") if line.startswith(NAME)]
        return lines[0].partition(";")[0].partition("=")[2] if lines else None


class Upload(io.RawIOBase):
    """`wsgi.input` as some servers have it: to read on where the body has ended would wait for ever."""

    def __init__(self, body: bytes, ends: bool) -> None:
        self._body, self._ends, self.taken = io.BytesIO(body), ends, 0
        self._size = len(body)

    def _check(self, size: int | None) -> None:
        if not self._ends and (size is None or size < 0 or self.taken + size > self._size):
            raise AssertionError("this would wait for ever")

    def read(self, size: int | None = -1) -> bytes:
        self._check(size)
        data = self._body.read(-1 if size is None else size)
        self.taken += len(data)
        return data

    def readline(self, size: int | None = -1) -> bytes:
        line = self._body.readline(-1 if size is None else size)
        self.taken += len(line)
        return line


class Store:
    """A store that notes what is asked of it, and can be down for some of it."""

    def __init__(self, diary: list[str]) -> None:
        self._store, self._diary = MemoryStore(), diary
        self.down: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found) or name == "own_secret":
            return found

        def call(*arguments: Any) -> Any:
            self._diary.append(name)
            if name in self.down:
                raise StoreUnavailable("down, for this test")
            return found(*arguments)

        return call


class Serving:
    """One application behind the middleware, on the server. `check`: it is held to PEP 3333, too."""

    def __init__(self, app: Any, *, check: bool = True, **settings: Any) -> None:
        self.diary: list[str] = []
        self.store = Store(self.diary)
        self.clock = FakeClock()
        self.manager = SessionManager(cast(Any, self.store), secret=KEY, clock=self.clock)
        self.events: list[Event] = []
        self.manager.subscribe(self.events.append)
        self.middleware = SessionMiddleware(validator(app) if check else app, self.manager, **settings)
        self.served: Any = None
        """What the server was given to send."""

    def ask(
        self,
        method: str = "GET",
        path: str = "/",
        *,
        token: str | None = None,
        body: bytes = b"",
        ends: bool = False,
        take: int | None = None,
        **headers: str,
    ) -> Answer:
        """One request. `ends`: the input tells its end; `take`: so many pieces, then the client has gone."""
        path, _, query = path.partition("?")
        self.upload = Upload(body, ends)
        del self.diary[:]
        self.environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "RAW_URI": f"{path}?{query}" if query else path,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "localhost",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": self.upload,
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
        }
        if body and not ends:
            self.environ["CONTENT_LENGTH"] = str(len(body))
        if ends:
            self.environ["wsgi.input_terminated"] = True
        if token:
            self.environ["HTTP_COOKIE"] = f"{NAME}={token}"
        for name, value in headers.items():
            key = name.upper()
            self.environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        return self._serve(validator(self._watched), take)

    def _watched(self, environ: Any, start_response: Any) -> Any:
        self.served = self.middleware(environ, start_response)
        return self.served

    def _serve(self, app: Any, take: int | None) -> Answer:
        told: list[tuple[str, list[tuple[str, str]]]] = []
        sent: list[bytes] = []

        def write(data: bytes) -> None:
            assert told, "bytes before the headers"
            sent.append(data)

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
            assert not told, "told twice"
            self.diary.append(f"start {status[:3]}")
            told.append((status, headers))
            return write

        pieces = app(self.environ, start_response)
        try:
            for number, piece in enumerate(pieces):
                if take is not None and number >= take:
                    break
                write(piece)
        finally:
            pieces.close()
            pieces.close()  # a server may
        [(status, headers)] = told or [("000 ", [])]
        return Answer(int(status[:3]), headers, b"".join(sent))

    def signed_in(self, user: str = "ada", **fields: Any) -> str:
        """The token of a new session."""
        session = self.manager.load(None)
        session.login(user)
        session.update(fields)
        return self.manager.commit(session).token or ""

    def fields(self, token: str) -> dict[str, Any] | None:
        """What the store has; None for a session that is no more."""
        session = self.manager.load(token)
        return None if session.is_new else dict(session)
