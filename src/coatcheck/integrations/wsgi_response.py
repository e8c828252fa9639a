"""A WSGI response whose start is held back until its first byte: what the middleware and the ticket gate share.

Until then an application may take its status and headers back (PEP 3333: `start_response` with `exc_info`), so
nothing is committed, and no ticket is taken, before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

from ..replies import Reply

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Write = Callable[[bytes], object]
StartResponse = Callable[..., Write]
App = Callable[[Environ, StartResponse], Iterable[bytes]]


class Response:
    """One application's response on its way to the server. A subclass says what happens at its turns."""

    started: bool = False
    """Whether the server has been told status and headers."""
    answered: bool = False
    """Whether an answer of ours goes out in place of the application's."""
    _held: tuple[str, Headers] | None = None
    _write: Write
    _iterable: Iterable[bytes] = ()
    _pieces: Iterator[bytes] = iter(())
    _over = False
    _closed = False

    def __init__(self, environ: Environ, start_response: StartResponse) -> None:
        self.environ = environ
        self._start_response = start_response

    # -- the turns ---------------------------------------------------------------------------------------

    def begins(self, status: int, headers: Headers) -> Headers | Reply:
        """The application's headers as they go out, or an answer of ours. What it raises goes to the server."""
        raise NotImplementedError

    def failed_with(self, error: BaseException, /) -> Reply | None:
        """The application raised: the answer, where nothing has gone out; None: the error goes to the server."""
        raise NotImplementedError

    def ends(self) -> None:
        """All is over, whether it went well or not. Never raises."""
        raise NotImplementedError

    # -- what the application and the server call --------------------------------------------------------

    def run(self, app: App) -> Iterable[bytes]:
        """Call the application; what the server gets."""
        try:
            iterable = self._iterable = app(self.environ, self.start)
            if not self._is_whole(iterable):
                self._pieces = iter(iterable)
                return self
            late = self.started
            body = None if late else self._begin()
            if not self.answered:
                if late:
                    self.ends()
                return iterable
        except BaseException as error:  # noqa: BLE001 (raised anew, unless it is answered)
            try:
                body = self._fail(error)
            finally:
                self.close()
            return (body,)
        self.close()
        return (body or b"",)

    def start(self, status: str, headers: Headers, exc_info: Any = None, /) -> Write:
        """The application's `start_response`. Raises AssertionError for a second call without exc_info (PEP 3333)."""
        try:
            if exc_info and self.started and not self.answered:
                raise exc_info[1].with_traceback(exc_info[2])
            if self._held is not None and not exc_info:
                raise AssertionError("start_response was called before, and this call has no exc_info")
        finally:
            exc_info = None  # a traceback that holds this frame would be a cycle
        self._held = (status, list(headers))
        return self.write

    def write(self, data: bytes) -> None:
        """The imperative way to send a body, for applications that need it."""
        if not self.started and data:
            body = self._begin()
            if body is not None:
                self._write(body)
        if self.started and not self.answered:
            self._write(data)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._over or self.answered:
            raise StopIteration
        try:
            piece = next(self._pieces)
            # Servers send the headers with the first byte: what is empty before it would send them too early.
            while not (piece or self.started):
                piece = next(self._pieces)
            return piece if self.started else self._first(piece)
        except StopIteration:
            self._over = True
            if not self.started and (body := self._begin()):
                return body
            raise
        except BaseException as error:  # noqa: BLE001 (raised anew, unless it is answered)
            self._over = True
            return self._fail(error)

    def close(self) -> None:
        """The server has done with it. Raises only what the application's own `close` raises, and once."""
        if self._closed:
            return
        self._closed = self._over = True
        try:
            if close := getattr(self._iterable, "close", None):
                close()
        finally:
            self.ends()

    # -- parts -------------------------------------------------------------------------------------------

    def _is_whole(self, iterable: Iterable[bytes]) -> bool:
        """Whether none of the application's code runs while this body goes out. Then the server gets it as it is: it
        knows the length of a list, and sends a file by the kernel."""
        if self._held is None:
            return False
        wrapper = self.environ.get("wsgi.file_wrapper")
        return type(iterable) in (list, tuple) or (isinstance(wrapper, type) and isinstance(iterable, wrapper))

    def _first(self, piece: bytes) -> bytes:
        body = self._begin()
        return piece if body is None else body

    def _begin(self) -> bytes | None:
        """Tell the server that the response starts. An answer's body, if one goes out in its place."""
        if self._held is None:
            raise AssertionError("the application did not call start_response before its first byte")
        status, headers = self._held
        told = self.begins(int(status[:3]), headers)
        if isinstance(told, Reply):
            return self._answer(told)
        self.started = True
        self._write = self._start_response(status, told)
        return None

    def _answer(self, reply: Reply) -> bytes:
        self.started = self.answered = True
        self._write = self._start_response(*status_and_headers(reply))
        return b"" if self.environ["REQUEST_METHOD"] == "HEAD" else reply.body

    def _fail(self, error: BaseException) -> bytes:
        """The body of an answer to an error; raises it where there is none."""
        reply = self.failed_with(error)
        if reply is None or self.started:
            raise error
        return self._answer(reply)


def status_and_headers(reply: Reply) -> tuple[str, Headers]:
    """An answer of ours as `start_response` takes it."""
    headers = [(name.title(), value) for name, value in reply.text_headers]
    return f"{reply.status} {HTTPStatus(reply.status).phrase}", headers


def answer(environ: Environ, start_response: StartResponse, reply: Reply) -> Iterable[bytes]:
    """A whole response of ours, without the application."""
    start_response(*status_and_headers(reply))
    return (b"" if environ["REQUEST_METHOD"] == "HEAD" else reply.body,)
