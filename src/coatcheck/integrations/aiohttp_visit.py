"""One request or websocket on its way through `aiohttp.setup`'s middleware."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

from ..arrival import aarrive
from ..csrf import SCAN_LIMIT, TokenScanner
from ..departure import acommit, asettle, has_more
from ..engine import Commit
from ..errors import ConfigurationError
from ..exchange import ANSWERED, CACHE_RULES, NOTHING, Exchange, Front, Told
from ..incoming import joined
from ..manager import AsyncSessionManager
from ..replies import Reply, refusal
from ..streams import EVENTS, Guard, is_open
from ..watch import ENDED, WORDS

try:
    from aiohttp import ClientConnectionResetError, web
except ImportError as _error:  # pragma: no cover
    raise ConfigurationError('aiohttp is missing: pip install "coatcheck[aiohttp]"') from _error

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

current: ContextVar[Visit] = ContextVar("coatcheck")
"""The visit of the running task; aiohttp has one for each request."""

_KEY: Any = web.RequestKey("coatcheck", object) if hasattr(web, "RequestKey") else "coatcheck"


def visit_of(request: web.BaseRequest) -> Visit:
    """The visit of a request or of a clone of it. Raises `ConfigurationError` for none."""
    found = request.get(_KEY)
    if not isinstance(found, Visit):
        raise ConfigurationError("no session here: call setup(app, manager), or take this path out of its exclude=")
    return found


def _is_websocket(headers: dict[bytes, bytes]) -> bool:
    return headers.get(b"upgrade", b"").strip().lower() == b"websocket"


class Visit(Exchange[AsyncSessionManager]):
    """One request or websocket.

    A whole response is committed when the handler has returned it, and told when it goes out: what is around us may
    still replace it. One that the handler starts itself (a stream, a websocket) is committed as it starts.
    """

    before: Callable[[web.StreamResponse], Awaitable[None]] | None = None
    """What a download's gate has to do when a response starts."""
    committed: bool = False
    """Whether what goes out with the response is decided."""
    tells: Told = NOTHING
    failed: bool = True
    """Until a response below 500 starts."""
    over: bool = False
    """Whether the handler has returned: what starts then is whole."""
    guard: Guard | None = None
    """While a websocket or a stream of events is open, who closes it with its session."""
    open_response: web.StreamResponse
    refused: Exception | None = None
    """Why the last response that was tried could not go out."""

    def __init__(self, front: Front[AsyncSessionManager], request: web.Request) -> None:
        self.request = request
        headers = joined((name.lower(), value) for name, value in request.raw_headers)
        super().__init__(
            front,
            headers,
            method=request.method,
            path=request.rel_url.raw_path,
            scheme=request.scheme,
            peer=request.remote,
            websocket=_is_websocket(headers),
        )

    # -- before the handler ------------------------------------------------------------------------------

    async def open(self) -> Reply | None:
        """Load the session; the answer to a request that the handler must not see."""
        if reply := await aarrive(self):
            return reply
        if self.asks_token(self.session):
            given = self.token_in_header or await self._token_in_body()
            if reply := self.without_token(self.session, given):
                return reply
        current.set(self)
        self.request[_KEY] = self
        return None

    async def _token_in_body(self) -> str | None:
        """The form's token, found in the body's first bytes; the handler then reads them all again."""
        scanner, content = TokenScanner(self.text(b"content-type")), self.request.content
        held = bytearray()
        while not scanner.done and len(held) <= SCAN_LIMIT:
            chunk = await content.readany()
            held += chunk
            scanner.feed(chunk[: SCAN_LIMIT + 1], last=content.at_eof())
            if content.at_eof():
                break
        with warnings.catch_warnings():
            # Deprecated for years, and the only way to look at a body without keeping all of it.
            warnings.simplefilter("ignore", DeprecationWarning)
            content.unread_data(bytes(held))
        return scanner.token

    # -- around the handler ------------------------------------------------------------------------------

    async def run(self, handler: Handler) -> web.StreamResponse:
        """The handler's response, or ours in its place. Raises what the handler does."""
        raised: web.HTTPException | None = None
        try:
            try:
                response = await handler(self.request)
            except web.HTTPException as http:
                response = raised = http
            await self._finish(response)
        except BaseException as error:
            answer = await self._failed(error)
            if answer is None:
                raise
            return answer
        finally:
            self.over = True
            if self.guard is not None:
                await self.guard.stop()
        if raised is not None:
            raise raised
        return response

    async def _finish(self, response: web.StreamResponse) -> None:
        """The commit after the handler; the first one, unless the handler started the response."""
        if not self.committed:
            # A handler that forgot its return has no status: aiohttp answers 500.
            await self.commit(getattr(response, "status", 500))
        elif has_more(self, self.session):
            await self._settle(self.failed)

    async def _failed(self, error: BaseException) -> web.StreamResponse | None:
        """A failed request commits nothing but an end. The answer to its error, if that is ours to answer."""
        started = self.committed
        # A websocket whose other side has gone has not failed.
        gone = self.websocket and isinstance(error, asyncio.CancelledError) and self.request.transport is None
        await self._settle(failed=self.failed or not gone)
        if started:
            # What it writes to what we have closed is no fault of its own.
            closed = self.guard is not None and self.guard.explains(error, _tells_of_the_close)
            return self.open_response if closed else None
        refused = self.refused
        if refused is not None and refused is error:
            return self.answer(self.replacement(refused)) if self.is_ours(error) else None
        return self.answer(refusal(error, html=self.html)) if isinstance(error, ANSWERED) else None

    async def commit(self, status: int) -> None:
        """Store what the request did, and decide what its response says of it. Raises what the commit does."""
        self.failed = status >= 500
        try:
            result = await acommit(self, self.session, failed=self.failed)
        except Exception as error:
            self.refused = error
            raise
        self._decide(result, status)

    def _decide(self, result: Commit, status: int) -> None:
        # From now on `login` and `rotate` raise, in what is around us as well: their cookie would not go out.
        self.tells = self.told(self.session, result, status)
        self.committed = True

    async def _settle(self, failed: bool) -> None:
        """The commit of a failed request, or the one after the response."""
        result = await asettle(self.front.manager, self.session, failed=failed)
        if not self.committed:
            self._decide(result, 500)

    # -- the response ------------------------------------------------------------------------------------

    def owns(self, request: web.BaseRequest) -> bool:
        """Whether a request is this one; middleware around us may hand on a clone."""
        return request.writer is self.request.writer

    async def starts(self, response: web.StreamResponse) -> None:
        """A response to this request goes out. Raises where it must not, before its first byte."""
        try:
            if self.before is not None:
                await self.before(response)
            if not self.committed:
                await self.commit(response.status)
        except BaseException:
            _not_started(self.request)
            raise
        tell(response, self.tells)
        if self.guard is not None:
            await self.guard.stop()
        if is_open(self.session, EVENTS if self.websocket else response.content_type) and not self.over:
            self.open_response = response
            # It calls itself prepared before others' `on_response_prepare`, and its head goes out after them.
            started = lambda: self.request.writer.output_size > 0  # noqa: E731
            self.guard = Guard(self.front.manager, self.session, partial(_end, response), started)

    def answer(self, reply: Reply) -> web.Response:
        """A whole response in place of the handler's."""
        self.committed = True
        return as_response(reply)


async def _end(response: web.StreamResponse) -> None:
    if isinstance(response, web.WebSocketResponse):
        await response.close(code=ENDED, message=WORDS.encode())
    else:
        await response.write_eof()


def _tells_of_the_close(error: BaseException) -> bool:
    """Whether aiohttp raised it for what a handler writes to what has been closed."""
    late = isinstance(error, RuntimeError) and str(error) == "Cannot call write() after write_eof()"
    return late or isinstance(error, ClientConnectionResetError)


def _not_started(request: web.BaseRequest) -> None:
    """Take back what a response that must not go out has said of its body's form to the connection's writer."""
    writer: Any = request.writer
    writer.chunked, writer.length, writer._compress = False, None, None  # noqa: SLF001 (it has no other way back)


def as_response(reply: Reply) -> web.Response:
    """An answer of ours, as aiohttp sends it."""
    headers = {name.title(): value for name, value in reply.text_headers}
    headers.pop("Content-Length", None)  # it counts by itself
    return web.Response(status=reply.status, body=reply.body, headers=headers)


def tell(response: web.StreamResponse, told: Told) -> None:
    """Put the session's part into a response's headers."""
    if told.vary is None:
        return
    headers = response.headers
    for name, value in told.add:
        headers.add(name.title(), value)
    if told.no_store:
        for name in {name for name in headers if name.lower().endswith(CACHE_RULES)}:
            headers.popall(name)
        headers["Cache-Control"] = "no-store"
    headers.add("Vary", told.vary)
