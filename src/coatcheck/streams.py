"""What stays open until somebody ends it, websockets and streams of server-sent events: it ends with its session."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

from .events import logger
from .manager import AsyncSessionManager, SessionManager
from .session import Session

T = TypeVar("T")

EVENTS = "text/event-stream"

FAULT = 5.0
"""Seconds after which one looks again that could not; up to twice that, so that they do not look together."""

_SOON = 0.01
_HUNG_UP = frozenset({"WebSocketDisconnect", "ClientDisconnect"})
"""What frameworks raise for a client that has gone, and so for the `Closed` of ours."""


def ends_with(manager: SessionManager, session: Session, content_type: str | None, body: Iterable[T]) -> Iterable[T]:
    """The body of a response; one of events ends with its session, at its next piece."""
    return Stream(manager, session, body) if is_open(session, content_type) else body


def aends_with(
    manager: AsyncSessionManager, session: Session, content_type: str | None, body: AsyncIterator[T]
) -> AsyncIterator[T]:
    """The same, at once."""
    return _astream(manager, session, body) if is_open(session, content_type) else body


def is_open(session: Session, content_type: str | None) -> bool:
    """Whether what starts with that type is open until somebody ends it, and has a session that may end before."""
    # The type first: to ask for the handle is to look at the session, and makes a response vary by it.
    return (content_type or "").lower().startswith(EVENTS) and session.handle is not None


class Stream(Iterator[T]):
    """A synchronous body up to the first piece that comes after its session has ended. Whoever has the body closes it:
    a server does so once (PEP 3333)."""

    def __init__(self, manager: SessionManager, session: Session, body: Iterable[T]) -> None:
        self._pieces = iter(body)
        self._watch = manager.watch(session)

    def __next__(self) -> T:
        try:
            piece = next(self._pieces)
        except BaseException:
            self.close()
            raise
        if self._watch.ended() is not None:
            self.close()
            raise StopIteration
        return piece

    def close(self) -> None:
        """The server has done with it."""
        self._watch.close()


async def _astream(manager: AsyncSessionManager, session: Session, body: AsyncIterator[T]) -> AsyncIterator[T]:
    """Also while it waits for its next piece."""
    pulled = _Pulled(body)
    ended = asyncio.create_task(_until_ended(manager, session))
    ended.add_done_callback(pulled.stir)
    try:
        while await pulled.has_piece(ended) and not ended.done():
            yield pulled.given.pop(0)
            pulled.wanted.set()
    finally:
        ended.cancel()
        await pulled.close()


class _Pulled(Generic[T]):
    """A body that one task runs from its start to its end, for a timeout, a task group or a context variable that it
    enters before a piece belongs to a task (PEP 789). It goes on only when the next piece is wanted."""

    def __init__(self, body: AsyncIterator[T]) -> None:
        self.given: list[T] = []
        """What nobody has taken yet: a piece, or two of a body that was cancelled."""
        self.wanted = asyncio.Event()
        self._body, self._over, self._told, self._stirred = body, False, False, asyncio.Event()
        self._task = asyncio.create_task(self._pull())
        self._task.add_done_callback(self.stir)

    def stir(self, _: object = None) -> None:
        """Let `has_piece` look again."""
        self._stirred.set()

    async def has_piece(self, ended: asyncio.Task[None]) -> bool:
        """Wait for the next piece, the end of the body or that of its session; whether there is a piece."""
        while not (self.given or self._task.done() or ended.done()):
            self._stirred.clear()
            await self._stirred.wait()
        return bool(self.given)

    async def close(self) -> None:
        """Cancel it unless it is over. Raises what it raises."""
        self._over = True
        self._task.cancel()
        await asyncio.wait((self._task,))
        if not self._task.cancelled():
            self._task.result()

    async def _pull(self) -> None:
        try:
            async for piece in self._body:
                if self._over:  # it was cancelled and went on
                    return
                self.given.append(piece)
                self.stir()
                await self._turn()
        finally:
            if close := getattr(self._body, "aclose", None):
                await close()

    async def _turn(self) -> None:
        try:
            await self.wanted.wait()
        except asyncio.CancelledError:
            if self._over or self._told:
                raise
            # By a timeout or a task group of the body's, or by the loop's end: the body is told, at its next step.
            self._told = True
            self._task.uncancel()
            self._task.cancel()
        else:
            self._told = False
            self.wanted.clear()


async def _until_ended(manager: AsyncSessionManager, session: Session) -> None:
    """Return when the session has ended. Whatever fails meanwhile, an open connection does not go unwatched."""
    said = False
    while True:
        try:
            async with manager.watch(session) as watch:
                await watch.ended()
        except Exception:  # noqa: BLE001 (an open connection must not go unwatched)
            if not said:
                logger.exception("an open connection's session could not be watched; it is tried again, and again")
            said = True
            await asyncio.sleep(random.uniform(FAULT, 2 * FAULT))  # noqa: S311 (guards nothing)
        else:
            return


class Closed(OSError):
    """Raised by `send` on a connection that was closed since its session has ended, as the ASGI specification wants."""


class Guard:
    """Closes one connection when its session has ended, once it is `ready` for that."""

    closed: bool = False

    def __init__(
        self,
        manager: AsyncSessionManager,
        session: Session,
        close: Callable[[], Awaitable[object]],
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self._receiving: set[asyncio.Timeout] = set()
        self._task = asyncio.get_running_loop().create_task(self._wait(manager, session, close, ready))

    async def _wait(
        self,
        manager: AsyncSessionManager,
        session: Session,
        close: Callable[[], Awaitable[object]],
        ready: Callable[[], bool],
    ) -> None:
        await _until_ended(manager, session)
        while not ready():  # noqa: ASYNC110 (aiohttp has no event for it, and it is but a moment)
            await asyncio.sleep(_SOON)
        self.closed = True
        for waiting in self._receiving:
            waiting.reschedule(0)
        with suppress(OSError, RuntimeError):  # the other side was faster
            await close()

    def passes(self, last: bool) -> None:
        """The application sends something, or its `last`. Raises `Closed`."""
        if self.closed:
            raise Closed
        if last:
            self._task.cancel()

    async def hear(self, receive: Callable[[], Awaitable[T]]) -> T | None:
        """What is received while the connection is open; None once it was closed, also where somebody waits. A server
        may hand on what a client says after that, for as long as the client does not answer the close."""
        message: T | None = None
        waiting = asyncio.timeout(None)
        try:
            if not self.closed:
                async with waiting:
                    self._receiving.add(waiting)
                    try:
                        message = await receive()
                    finally:
                        self._receiving.discard(waiting)
        except TimeoutError:
            if not waiting.expired():
                raise
        return None if self.closed else message

    async def stop(self) -> None:
        """The application has done with it."""
        if self.closed:
            # It may have since we close: whoever says goodbye is not to be cut short.
            await asyncio.wait((self._task,))
        else:
            self._task.cancel()

    def explains(self, error: BaseException, by: Callable[[BaseException], bool] = lambda _: False) -> bool:
        """Whether the application failed of nothing but that the connection was closed. `by` knows what its server
        raises then. An error while one of those was handled is the application's own."""
        if not self.closed:
            return False
        if isinstance(error, BaseExceptionGroup):
            return all(self.explains(one, by) for one in error.exceptions)
        if isinstance(error, Closed) or type(error).__name__ in _HUNG_UP or by(error):
            return True
        return error.__cause__ is not None and self.explains(error.__cause__, by)
