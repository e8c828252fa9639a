"""A websocket or a stream whose session has ended: nothing more is heard or said, and only that is excused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.responses import StreamingResponse
from starlette.websockets import WebSocket

from coatcheck import streams
from coatcheck.streams import Closed
from tests.integrations.front import Front
from tests.integrations.opened import CLOSED, FINAL, Opened, accept, end, start

TICK = {"type": "websocket.send", "text": "tick"}


async def ticks(send: Any) -> None:
    """Send until it fails."""
    while True:
        await send(TICK)
        await asyncio.sleep(0.001)


# -- what is heard and said ----------------------------------------------------------------------------------


async def test_a_client_that_ignores_the_close_is_not_heard_any_more(desk: Front) -> None:
    """A thief goes on sending, and some servers hand that on for as long as he does not answer the close."""
    token, heard, going = await desk.signed_in(), list[Any](), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        heard.append(await receive())
        await going.wait()
        heard.extend([await receive(), await receive()])

    opened = Opened(desk, app, token)
    opened.says("before")
    await opened.until(1)
    await end(desk, token)
    await opened.until(CLOSED)
    opened.says("transfer money")
    opened.says("and more")
    going.set()
    await opened.over()
    gone = {"type": "websocket.disconnect", "code": 4401, "reason": "the session has ended"}
    assert heard == [{"type": "websocket.receive", "text": "before"}, gone, gone]


@pytest.mark.parametrize("early", [False, True], ids=["since the accept", "since before"])
async def test_a_receive_that_waits_hears_of_the_close(desk: Front, early: bool) -> None:
    """The handler's loop ends though its client says nothing; one that waited before the accept, at the next word."""
    token, heard = await desk.signed_in(), list[Any]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        waiting = asyncio.create_task(receive())
        await asyncio.sleep(0) if early else None
        await send({"type": "websocket.accept"})
        heard.append(await waiting)

    opened = Opened(desk, app, token)
    await opened.until(1)
    await end(desk, token)
    await opened.until(CLOSED)
    if early:
        opened.says("transfer money")
    await opened.over()
    assert [message["type"] for message in heard] == ["websocket.disconnect"]


async def test_a_receive_is_cancelled_as_ever(desk: Front) -> None:
    """An application's own timeout around it is its own, and loses no message."""
    token, heard = await desk.signed_in(), list[Any]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await receive()
        await send(TICK)
        heard.append(await receive())

    opened = Opened(desk, app, token)
    await opened.until(2)
    opened.says("hello")
    await opened.over()
    assert heard == [{"type": "websocket.receive", "text": "hello"}]


async def test_what_is_sent_after_the_close_is_an_os_error_and_does_not_go_out(desk: Front) -> None:
    """The ASGI specification's word for a client that has gone; a send that did nothing would leave a loop running."""
    tokens = {"websocket": await desk.signed_in(), "http": await desk.signed_in()}
    refused: list[BaseException] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await accept(receive, send)
        else:
            await start(send)
        while len(refused) < 3:
            try:
                body = {"type": "http.response.body", "body": b"data: tick\n\n", "more_body": True}
                await send(TICK if scope["type"] == "websocket" else body)
            except OSError as error:
                refused.append(error)
            await asyncio.sleep(0.001)

    for kind, last in (("websocket", CLOSED), ("http", FINAL)):
        refused.clear()
        opened = Opened(desk, app, tokens[kind], kind)
        await opened.until(2)
        await end(desk, tokens[kind])
        await opened.over()
        assert [type(error) for error in refused] == [Closed] * 3
        assert opened.sent[-1] == last
        assert opened.sent.count(last) == 1


@pytest.mark.parametrize("kind", ["websocket", "http"])
async def test_after_the_applications_own_end_nothing_follows(desk: Front, kind: str) -> None:
    """A background task runs on when a stream is over: a second final body, or close, would break the protocol."""
    token, own = await desk.signed_in(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if kind == "websocket":
            await accept(receive, send)
            await send({"type": "websocket.close", "code": 1000})
        else:
            await start(send)
            await send({"type": "http.response.body", "body": b"data: 1\n\n"})
        await own.wait()

    async def other(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await receive()

    opened, witness = Opened(desk, app, token, kind), Opened(desk, other, token)
    await opened.until(2)
    await witness.until(1)
    await end(desk, token)
    await witness.until(CLOSED)
    await asyncio.sleep(0.05)
    own.set()
    await opened.over()
    await witness.over()
    assert len(opened.sent) == 2


# -- a guard does not die ------------------------------------------------------------------------------------


async def test_a_fault_while_it_watches_leaves_no_connection_open(
    desk: Front, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a store raises, or a bug of ours: it is logged once, and looked at again."""
    token, real, faults = await desk.signed_in(), desk.manager.watch, iter(range(3))

    def watch(session: Any) -> Any:
        if next(faults, None) is not None:
            raise ZeroDivisionError
        return real(session)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await receive()

    monkeypatch.setattr(streams, "FAULT", 0.001)
    monkeypatch.setattr(desk.manager, "watch", watch)
    with caplog.at_level(logging.ERROR, "coatcheck"):
        opened = Opened(desk, app, token)
        await opened.until(1)
        await end(desk, token)
        await opened.until(CLOSED)
        await opened.over()
    assert caplog.text.count("could not be watched") == 1


# -- what is excused -----------------------------------------------------------------------------------------


async def alone(send: Any) -> None:
    """Its send fails."""
    await ticks(send)


async def in_a_group(send: Any) -> None:
    """Two of its tasks fail of the same."""
    async with asyncio.TaskGroup() as group:
        group.create_task(ticks(send))
        group.create_task(ticks(send))


async def said_otherwise(send: Any) -> None:
    """It says itself what it failed of."""
    try:
        await ticks(send)
    except OSError as error:
        raise ValueError("gone") from error


async def by_starlette(send: Any) -> None:
    """`WebSocketDisconnect` in place of it."""

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def after(message: Any) -> None:
        if message["type"] != "websocket.accept":
            await send(message)

    socket = WebSocket({"type": "websocket"}, receive, after)
    await socket.accept()
    await ticks(lambda _: socket.send_text("tick"))


async def a_bug(send: Any) -> None:
    """Its cleanup has one."""
    try:
        await ticks(send)
    except OSError:
        raise KeyError("the cleanup's own bug")  # noqa: B904 (as a bug does it)


async def a_bug_beside(send: Any) -> None:
    """Another of its tasks has one."""

    async def cleans_up() -> None:
        try:
            await ticks(send)
        finally:
            raise KeyError("the cleanup's own bug")

    async with asyncio.TaskGroup() as group:
        group.create_task(ticks(send))
        group.create_task(cleans_up())


@pytest.mark.parametrize(
    ("how", "raises"),
    [
        (alone, None),
        (in_a_group, None),
        (said_otherwise, None),
        (by_starlette, None),
        (a_bug, KeyError),
        (a_bug_beside, ExceptionGroup),
    ],
    ids=lambda part: getattr(part, "__name__", ""),
)
async def test_a_handler_that_fails_of_the_close_alone_is_no_error_and_its_own_bug_is(
    desk: Front, how: Callable[[Any], Any], raises: type[Exception] | None
) -> None:
    """The server logs what leaves the application: not each end of a session, and every bug."""
    token = await desk.signed_in()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await how(send)

    opened = Opened(desk, app, token)
    await opened.until(2)
    await end(desk, token)
    if raises is None:
        await opened.over()
    else:
        with pytest.raises(raises):
            await opened.over()
    assert opened.sent[-1] == CLOSED


async def test_starlettes_stream_fails_of_the_close_by_its_own_name(desk: Front) -> None:
    """`ClientDisconnect`, which it raises for a send that fails."""
    token = await desk.signed_in()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def body() -> AsyncIterator[bytes]:
            while True:
                yield b"data: tick\n\n"
                await asyncio.sleep(0.001)

        await StreamingResponse(body(), media_type="text/event-stream")(scope, receive, send)

    opened = Opened(desk, app, token, "http")
    await opened.until(2)
    await end(desk, token)
    await opened.over()
    assert opened.sent[-1] == FINAL


async def test_before_the_close_nothing_is_excused(desk: Front) -> None:
    """A connection that another one's end has broken is an error like any."""
    token = await desk.signed_in()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        raise Closed

    with pytest.raises(Closed):
        await Opened(desk, app, token).over()
