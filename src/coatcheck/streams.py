"""What stays open until somebody ends it, websockets and streams of server-sent events: it ends with its session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

from .manager import AsyncSessionManager, SessionManager
from .session import Session

T = TypeVar("T")

EVENTS = "text/event-stream"


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
    return session.handle is not None and (content_type or "").lower().startswith(EVENTS)


class Stream(Iterator[T]):
    """A synchronous body up to the first piece that comes after its session has ended."""

    def __init__(self, manager: SessionManager, session: Session, body: Iterable[T]) -> None:
        self._body, self._pieces = body, iter(body)
        self._watch = manager.watch(session)

    def __next__(self) -> T:
        try:
            piece = next(self._pieces)
        except BaseException:
            self._watch.close()
            raise
        if self._watch.ended() is not None:
            self.close()
            raise StopIteration
        return piece

    def close(self) -> None:
        """The server has done with it."""
        self._watch.close()
        if close := getattr(self._body, "close", None):
            close()


async def _astream(manager: AsyncSessionManager, session: Session, body: AsyncIterator[T]) -> AsyncIterator[T]:
    """Also while it waits for its next piece."""
    async with manager.watch(session) as watch:
        ended = asyncio.ensure_future(watch.ended())
        piece = asyncio.ensure_future(anext(body, None))
        try:
            while True:
                await asyncio.wait((piece, ended), return_when=asyncio.FIRST_COMPLETED)
                if ended.done() or (part := piece.result()) is None:
                    return
                yield part
                piece = asyncio.ensure_future(anext(body, None))
        finally:
            ended.cancel()
            piece.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await piece  # it runs in the body, which can be closed only then
            if close := getattr(body, "aclose", None):
                await close()


class Closed(OSError):
    """Raised by `send` on a connection that was closed since its session has ended, as the ASGI specification wants."""


class Guard:
    """Closes one connection when its session has ended."""

    closed = False

    def __init__(self, manager: AsyncSessionManager, session: Session, close: Callable[[], Awaitable[object]]) -> None:
        self._task = asyncio.get_running_loop().create_task(self._wait(manager, session, close))

    async def _wait(
        self, manager: AsyncSessionManager, session: Session, close: Callable[[], Awaitable[object]]
    ) -> None:
        async with manager.watch(session) as watch:
            await watch.ended()
        self.closed = True
        with suppress(OSError, RuntimeError):  # the other side was faster
            await close()

    async def stop(self) -> None:
        """The application has done with it."""
        if self.closed:
            # It may have since we close: whoever says goodbye is not to be cut short.
            await asyncio.wait((self._task,))
        else:
            self._task.cancel()

    def explains(self, error: BaseException | None, *kinds: type[Exception]) -> bool:
        """Whether the application failed since the connection was closed."""
        while error is not None and self.closed:
            if isinstance(error, (Closed, *kinds)):
                return True
            error = error.__cause__ or error.__context__
        return False
