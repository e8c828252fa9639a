"""What the operations of this store are made of, without I/O.

A plan is a generator. It yields steps and is sent the replies: a list of commands is one round trip, and None
says that a long job got on, so its time starts again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterable
from typing import Any, NamedTuple, TypeAlias, TypeVar

from ...record import Ended
from .scripts import END_MANY, Call
from .values import DAY, Names, dump, ms, new_nonce

CHUNK = 200
"""Sessions that one command reads or ends: none holds the server for long."""

ABREAST = 50
"""Calls that end sessions in one round trip."""

T = TypeVar("T")
Command: TypeAlias = "Call | tuple[Any, ...]"
Step: TypeAlias = "list[Command] | Pause | Layout | None"
Plan = Generator[Step, Any, T]


class Pause(NamedTuple):
    """A step that lets others go first."""

    seconds: float


class Layout:
    """A step that asks for what changes when keys move, or a server is restarted or replaced: anything that can be
    compared, or None while keys are being moved."""


class Turn:
    """What one caller does for all who come meanwhile: a hundred of them at a cold start look once."""

    def __init__(self, patience: float) -> None:
        """`patience`: seconds for which others wait for the one who is at it."""
        self._patience = patience
        self.since: float = float("-inf")
        """Since when somebody is (monotonic)."""

    def take(
        self, due: Callable[[], bool], job: Callable[[], Generator[Any, Any, object]], started: float
    ) -> Generator[Any, Any, bool]:
        """Do it while it is due, or wait until it is not; False: the call that began at `started` has waited for as
        long as it may."""
        while due():
            now = time.monotonic()
            if now - self.since > self._patience:
                self.since = now
                try:
                    yield from job()
                finally:
                    self.since = float("-inf")
                return True
            if now - started > self._patience:
                return False
            yield Pause(0.01)
        return True


class Contest:
    """Several writers of one value: whoever lost reads again, at first at once, then at random moments.

    A pause that grows makes room: with two hundred of them, each wins after a few attempts.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._lost = 0

    def again(self, seen: dict[str, bytes | None]) -> Plan[dict[str, bytes | None]]:
        """The values after a loss: those that the scripts showed, or fresher ones."""
        self._lost += 1
        if self._lost > 1:
            yield Pause(random.uniform(0.0, min(0.001 * 2**self._lost, 0.1)))  # noqa: S311 (guards nothing)
            seen = yield from values(self._names, seen)
        return seen


def values(names: Names, handles: Iterable[str]) -> Plan[dict[str, bytes | None]]:
    """The values of sessions in one slot."""
    handles = list(handles)
    if len(handles) == 1:
        replies = yield [("GET", names.session(handles[0]))]
    elif handles:
        (replies,) = yield [("MGET", *map(names.session, handles))]
    else:
        replies = []
    return dict(zip(handles, replies, strict=True))


def end_all(names: Names, ends: dict[str | None, list[str]], reason: str, now: float) -> Plan[list[str]]:
    """End sessions and take them off their user (a key; None: nobody's). The handles of those that lived."""
    calls: list[Command] = []
    for user, handles in ends.items():
        for place in range(0, len(handles), CHUNK):
            # What belongs to nobody lies in slots of its own.
            chunk = handles[place : place + CHUNK]
            for group in [chunk] if user else [[handle] for handle in chunk]:
                keys = (*map(names.session, group), *((user,) if user else ()))
                calls.append(Call(END_MANY, keys, (ms(now), dump(Ended(reason, now), new_nonce()), DAY, *group)))
    ended: list[str] = []
    for place in range(0, len(calls), ABREAST):
        for answer in (yield calls[place : place + ABREAST]):
            ended += [handle.decode() for handle in answer]
        yield None
    return ended


def pairs(reply: Any) -> dict[bytes, bytes]:
    """A hash, as RESP2 or RESP3 gives it."""
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
