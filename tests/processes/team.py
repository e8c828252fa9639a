"""The test's end of worker processes: commands, what they say, and their end."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

PATIENCE = 60.0
"""Seconds after which a worker that says nothing fails the test."""

Message = dict[str, Any]
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.processes.worker", "tests.processes.victim"])


class Hand:
    """One worker process."""

    def __init__(self, serve: Callable[..., None], *args: Any, direct: bool = False) -> None:
        """`direct`: a child of this very process, which can wait until it has been stopped."""
        context: Any = multiprocessing.get_context("spawn") if direct else _FORKS
        self.pipe: Connection
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, *args), daemon=True)
        self.process.start()
        theirs.close()

    def say(self, **message: Any) -> None:
        """Send a message."""
        self.pipe.send_bytes(json.dumps(message).encode())

    def hear(self, within: float = PATIENCE) -> Message | None:
        """The next message; None if none comes in time. Raises EOFError when the worker has gone."""
        if not self.pipe.poll(within):
            return None
        try:
            message: Message = json.loads(self.pipe.recv_bytes())
        except OSError as error:  # killed in the middle of a message
            raise EOFError from error
        return message

    def begin(self, op: str, args: dict[str, Any], now: float, stop: int | None = None) -> None:
        """Let it begin an operation, to be stopped at a point or not."""
        self.say(op=op, args=args, now=now, stop=stop)

    def next(self, *kinds: str) -> Message:
        """The next message of one of these kinds; others are passed over."""
        while True:
            message = self.hear()
            assert message is not None, "a worker says nothing"
            if {*kinds} & {*message}:
                return message

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.kill()
        self.process.join(PATIENCE)

    def close(self) -> None:
        """Let it come to its end, and make sure of it."""
        self.pipe.close()
        self.process.join(5)
        self.kill()
        self.process.close()


@contextlib.contextmanager
def hired(count: int, serve: Callable[..., None], *args: Any) -> Iterator[list[Hand]]:
    """So many workers, until the block ends."""
    with contextlib.ExitStack() as closing:
        hands = []
        for _ in range(count):
            hand = Hand(serve, *args)
            closing.callback(hand.close)
            hands.append(hand)
        yield hands
