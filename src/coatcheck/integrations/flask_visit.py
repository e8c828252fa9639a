"""One request to a Flask application: what is decided before its view, and committed before its response starts."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

from flask import Response, current_app
from werkzeug.wsgi import get_input_stream

from ..arrival import arrive
from ..csrf import SCAN_LIMIT, TokenScanner
from ..departure import commit, settle
from ..errors import CoatcheckError
from ..exchange import CACHE_RULES, Exchange, Front, Told
from ..incoming import environ_headers, environ_path, is_handshake
from ..manager import SessionManager
from ..replies import Reply
from ..session import Session
from ..streams import Stream, ends_with

_PIECE = 16_384


class Visit(Exchange[SessionManager]):
    """One request on its way through the application."""

    context: Callable[[], object] = staticmethod(lambda: None)
    """Flask's context that it began with; None where that is gone."""
    has_session: bool = False
    """Whether there is one: none on an excluded path."""
    reply: Reply | None = None
    """The answer in place of the view's."""
    failed: bool = False
    """Whether nothing but a logout is to be committed."""
    guarded: bool = False
    """Whether it is a request, not a test's look at the session."""
    _committed = _settled = False

    def __init__(self, front: Front[SessionManager], environ: dict[str, Any]) -> None:
        super().__init__(
            front,
            environ_headers(environ),
            method=environ.get("REQUEST_METHOD", "GET"),
            path=environ_path(environ),
            scheme=environ.get("wsgi.url_scheme", "http"),
            peer=environ.get("REMOTE_ADDR"),
            websocket=is_handshake(environ),
        )

    # -- before the view ---------------------------------------------------------------------------------

    def open(self) -> None:
        """Load the session, or find out why the request is to be answered without the view. Never raises: Flask
        has nothing to answer with so early."""
        self.reply = self.from_elsewhere()
        if self.reply is not None:
            self.session: Session = self.visitor()
            self.failed = True
        elif self.excluded:
            return
        else:
            self.reply = arrive(self)
        self.has_session = True

    def refuse(self, error: CoatcheckError) -> None:
        """There is no session to be had."""
        self.reply, self.has_session = self.without_store(error), True

    def guard(self, environ: dict[str, Any]) -> Reply | None:
        """The answer in place of the view's, or None. Raises werkzeug's `HTTPException` for a body that breaks off."""
        self.guarded = True
        if self.reply is None and self.has_session and self.asks_token(self.session):
            given = self.token_in_header or self._token_in_body(environ)
            self.reply = self.without_token(self.session, given)
        self.failed = self.failed or self.reply is not None
        return self.reply

    def _token_in_body(self, environ: dict[str, Any]) -> str | None:
        """The form's token, found in the body's first bytes; the view then reads all of them."""
        scanner = TokenScanner(self.text(b"content-type"))
        if scanner.done:
            return None
        stream = get_input_stream(environ)
        read = bytearray()
        while len(read) <= SCAN_LIMIT:
            piece = stream.read(_PIECE)
            read += piece
            if scanner.feed(piece, last=not piece):
                break
        environ["wsgi.input"] = io.BufferedReader(_Again(bytes(read), stream))
        return scanner.token

    # -- the response ------------------------------------------------------------------------------------

    def finish(self, response: Response) -> None:
        """Commit, and put the session's part into the response, or an answer of ours in its place.

        Raises what is the application's own mistake, and anything in a test's session transaction.
        """
        if not self.has_session or self._committed:
            return
        status = response.status_code
        self.failed = self.failed or status >= 500
        try:
            result = commit(self, self.session, failed=self.failed)
        except Exception as error:
            # Flask comes back with the page of a 500, which is committed as one that failed.
            if not (self.guarded and self.is_ours(error)):
                raise
            self._committed = self._settled = True
            become(response, self.replacement(error))
            return
        self._committed = True
        _tell(response, self.told(self.session, result, status))
        if response.is_streamed and not response.direct_passthrough:
            pieces = ends_with(self.front.manager, self.session, response.content_type, response.response)
            response.response = _Body(response.response, pieces, self)

    def settle(self, failed: bool) -> None:
        """The commit at the end of a streamed body, or of a request that never came to its response: there is
        nobody left to tell but the log."""
        if self._settled or not self.has_session:
            return
        self._settled = self._committed = True
        settle(self.front.manager, self.session, failed=failed or self.failed)

    def teardown(self) -> None:
        """The request is over. An exception that leaves the application comes by no response."""
        if self.guarded and not self._committed:
            self.settle(failed=True)


class _Body(Iterator[Any]):
    """A streamed body: what it changes in the session is committed at its end."""

    def __init__(self, body: Iterable[Any], pieces: Iterable[Any], visit: Visit) -> None:
        self._body, self._pieces, self._visit = body, iter(pieces), visit

    def __next__(self) -> Any:
        try:
            return next(self._pieces)
        except StopIteration:
            # Before the last byte goes out: the client's next request finds it.
            self._visit.settle(failed=False)
            raise
        except BaseException:
            self._visit.settle(failed=True)
            raise

    def close(self) -> None:
        """The server has done with it, perhaps before its end."""
        failed = True
        try:
            if isinstance(self._pieces, Stream):
                self._pieces.close()
            if close := getattr(self._body, "close", None):
                close()
            failed = False
        finally:
            self._visit.settle(failed)


class _Again(io.RawIOBase):
    """A body of which the first bytes were read before."""

    def __init__(self, read: bytes, rest: IO[bytes]) -> None:
        self._read, self._rest = read, rest

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As `io.RawIOBase.readinto`."""
        room = len(buffer)
        piece = self._read[:room] or self._rest.read(room)
        self._read = self._read[room:]
        buffer[: len(piece)] = piece
        return len(piece)


def as_response(reply: Reply) -> Response:
    """An answer of ours as the application's views give theirs."""
    headers = [(name.title(), value) for name, value in reply.text_headers]
    return current_app.response_class(reply.body, reply.status, headers)


def become(response: Response, reply: Reply) -> None:
    """Let a response be an answer of ours: Flask hands the object on, and takes no other."""
    if close := getattr(response.response, "close", None):
        close()
    response.direct_passthrough = False
    response.headers.clear()
    response.status_code = reply.status
    response.set_data(reply.body)
    for name, value in reply.text_headers:
        response.headers[name.title()] = value


def _tell(response: Response, told: Told) -> None:
    """Put the session's part into a response."""
    if told.vary is None:
        return
    for name, value in told.add:
        response.headers.add(name.title(), value)
    if told.no_store:
        for name in {name for name, _ in response.headers if name.lower().endswith(CACHE_RULES)}:
            response.headers.remove(name)
        response.headers["Cache-Control"] = "no-store"
    if any(name.lower() == "vary" for name, _ in response.headers):
        response.vary.update(told.vary.split(", "))
    else:
        response.headers.add("Vary", told.vary)  # werkzeug's set of names costs as much as the session does
