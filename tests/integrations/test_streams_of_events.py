"""Streams of events that their session ends: the application's body runs as it does without us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import anyio
import pytest
from flask import Flask, Response
from werkzeug.test import create_environ

from coatcheck import SessionManager
from coatcheck.integrations.flask import Coatcheck
from coatcheck.integrations.wsgi import SessionMiddleware
from coatcheck.stores.memory import MemoryStore
from coatcheck.streams import EVENTS, aends_with
from tests.integrations.front import KEY, Front
from tests.integrations.opened import PATIENCE, end

VARIABLE: ContextVar[str | None] = ContextVar("variable", default=None)


async def timeout() -> AsyncIterator[str]:
    """A timeout around its pieces."""
    try:
        async with asyncio.timeout(0.05):
            yield "1"
            await asyncio.sleep(PATIENCE)
            yield "the timeout did not fire"
    except TimeoutError:
        yield "timed out"


async def group() -> AsyncIterator[str]:
    """A child that fails."""

    async def child() -> None:
        raise ValueError

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(child())
            yield "1"
            await asyncio.sleep(PATIENCE)
            yield "the child's failure went unseen"
    except* ValueError:
        pass
    yield "group over"


async def slow_reader() -> AsyncIterator[str]:
    """A timeout that passes while the client reads, and not while the body works."""
    try:
        async with asyncio.timeout(0):
            yield "1"
            await asyncio.sleep(PATIENCE)
            yield "the timeout did not fire"
    except TimeoutError:
        yield "timed out"


async def variable() -> AsyncIterator[str]:
    """A context variable."""
    VARIABLE.set("set")
    yield "1"
    yield str(VARIABLE.get())


async def scope() -> AsyncIterator[str]:
    """A cancel scope of anyio's."""
    async with anyio.create_task_group():
        yield "1"
        await asyncio.sleep(0)
        yield "2"


async def opened(desk: Front, body: AsyncIterator[Any]) -> tuple[AsyncIterator[Any], str]:
    """A body that ends with a new session, and that session's token."""
    token = await desk.signed_in()
    return aends_with(desk.manager, await desk.manager.load(token), EVENTS, body), token


@pytest.mark.parametrize(
    ("body", "pieces"),
    [
        (timeout, ["1", "timed out"]),
        (slow_reader, ["1", "timed out"]),
        (group, ["1", "group over"]),
        (variable, ["1", "set"]),
        (scope, ["1", "2"]),
    ],
    ids=lambda part: getattr(part, "__name__", ""),
)
async def test_what_a_body_enters_before_a_piece_is_there_after_it(
    desk: Front, body: Callable[[], AsyncIterator[str]], pieces: list[str]
) -> None:
    """All of them belong to a task: the whole body has to run in one."""
    stream, _ = await opened(desk, body())
    async with asyncio.timeout(PATIENCE):
        got = []
        async for piece in stream:
            got.append(piece)
            await asyncio.sleep(0.002)
    assert got == pieces
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]  # there is one


@pytest.mark.parametrize("how", ["ends", "hangs up", "is cancelled", "is over"])
@pytest.mark.parametrize("waits", [False, True], ids=["between pieces", "in the body"])
async def test_a_body_is_closed_in_the_task_that_ran_it(desk: Front, how: str, waits: bool) -> None:
    """Whether its session ends, its client hangs up or it comes to its end; wherever it is at that moment."""
    tasks: list[Any] = []

    async def body() -> AsyncIterator[str]:
        tasks.append(asyncio.current_task())
        try:
            yield "1"
            if waits and how != "is over":
                await asyncio.sleep(PATIENCE)
            if not waits:
                yield "2"
        finally:
            await asyncio.sleep(0)
            tasks.append(asyncio.current_task())

    stream, token = await opened(desk, body())
    got: list[str] = []

    async def consume() -> None:
        async for piece in stream:
            got.append(piece)
            if how != "is over" and not waits:
                await asyncio.sleep(PATIENCE)

    if how == "is over":
        await consume()
    elif how == "is cancelled":
        task = asyncio.create_task(consume())
        await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()
        await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
    else:
        assert await anext(stream) == "1"
        if how == "ends":
            await end(desk, token)
            await asyncio.sleep(0.01)
            async with asyncio.timeout(PATIENCE):
                assert [piece async for piece in stream] == []
        await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert len(tasks) == 2
    assert tasks[0] is tasks[1]


async def test_a_body_goes_on_only_when_its_next_piece_is_wanted(desk: Front) -> None:
    """A client that reads slowly holds it up, and what it changes in the session belongs to what it has sent."""
    made: list[int] = []

    async def body() -> AsyncIterator[int]:
        for number in range(3):
            made.append(number)
            yield number

    stream, _ = await opened(desk, body())
    for number in range(3):
        assert await anext(stream) == number
        await asyncio.sleep(0.005)
        assert made == [*range(number + 1)]
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


@pytest.mark.parametrize("when", ["itself", "cleaning up"])
async def test_an_error_of_the_body_reaches_the_framework(desk: Front, when: str) -> None:
    """After the pieces before it; also one of its cleanup, when the session has ended."""

    async def body() -> AsyncIterator[str]:
        try:
            yield "1"
            if when == "cleaning up":
                await asyncio.sleep(PATIENCE)
        finally:
            raise ZeroDivisionError

    stream, token = await opened(desk, body())
    assert await anext(stream) == "1"
    if when == "cleaning up":
        await end(desk, token)
    with pytest.raises(ZeroDivisionError):
        await anext(stream)


async def test_a_body_that_takes_no_cancellation_ends_at_its_next_piece(desk: Front) -> None:
    """It may have something to finish; it is not told to for ever, and sends nothing more."""
    over: list[bool] = []

    async def body() -> AsyncIterator[str]:
        try:
            yield "1"
            while True:
                try:
                    await asyncio.sleep(PATIENCE)
                except asyncio.CancelledError:
                    yield "secret"
        finally:
            over.append(True)

    stream, token = await opened(desk, body())
    assert await anext(stream) == "1"
    await end(desk, token)
    async with asyncio.timeout(PATIENCE):
        assert [piece async for piece in stream] == []
    assert over == [True]


async def test_a_loop_that_cancels_all_its_tasks_is_not_held_up(desk: Front) -> None:
    """As `asyncio.run` does at its end, while a client still reads: the body is told at its next step."""
    closed: list[bool] = []

    async def body() -> AsyncIterator[str]:
        try:
            while True:
                yield "1"
                await asyncio.sleep(0)
        finally:
            closed.append(True)

    before = asyncio.all_tasks()
    stream, _ = await opened(desk, body())
    assert await anext(stream) == "1"
    tasks = asyncio.all_tasks() - before
    for task in tasks:
        task.cancel()
    assert not (await asyncio.wait(tasks, timeout=PATIENCE))[1]
    assert closed == [True]
    await stream.aclose()  # type: ignore[attr-defined]  # it is a generator


# -- synchronous bodies --------------------------------------------------------------------------------------


class Body(Iterator[bytes]):
    """Three events; counts how often it is closed."""

    def __init__(self, between: Callable[[], object]) -> None:
        self.closed = 0
        self._left, self._between = 3, between

    def __next__(self) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise StopIteration
        if self._left == 1:
            self._between()
        return b"data: tick\n\n"

    def close(self) -> None:
        """As the server calls it."""
        self.closed += 1


@pytest.mark.parametrize("how", ["to its end", "hangs up", "ends"])
@pytest.mark.parametrize("framework", ["wsgi", "flask"])
def test_a_servers_one_close_is_one_close_of_the_body(framework: str, how: str) -> None:
    """PEP 3333: a second one may give a connection back to its pool twice."""
    manager = SessionManager(MemoryStore(), secret=KEY)
    session = manager.load(None)
    session.login("7")
    token = manager.commit(session).token

    def between() -> None:
        if how == "ends":
            manager.revoke_user("7")
            manager.hearing.watches.changed(session.handle)  # as a feed tells it

    body = Body(between)

    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", EVENTS)])
        return body

    app: Any = SessionMiddleware(application, manager)
    if framework == "flask":
        app = Flask(__name__)
        Coatcheck(app, manager)
        app.add_url_rule("/", view_func=lambda: Response(body, content_type=EVENTS))
    environ = create_environ("/", "https://app.example/", headers={"Cookie": f"__Host-coatcheck={token}"})
    pieces: list[bytes] = []
    iterable = app(environ, lambda *_: pieces.append)
    for piece in iterable:
        pieces.append(piece)
        if how == "hangs up":
            break
    assert body.closed == 0
    iterable.close()
    assert body.closed == 1
    assert len(pieces) == {"to its end": 3, "hangs up": 1, "ends": 1}[how]
    assert manager.hearing.watches._of == {}
