"""What stands between a plan and a connection, without I/O: time, faults, retries, and the server's fitness.

`Talk.carry` turns a plan into a talk, a generator that yields round trips as raw commands, and pauses. The
drivers send them, and send back the replies (an error reply among them as its exception), or throw the fault. In a
cluster it yields the round trips to several nodes as one, and is sent the replies, or the fault, of each.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Generator
from typing import Any, TypeVar

from redis import exceptions as driver

from ...clock import SLOW_LOOK, corrected
from ...errors import ConfigurationError, StoreUnavailable
from .cluster import Routes, Trips, Wire
from .faults import dropped, plain, slow
from .hosts import Node
from .scripts import Call
from .steps import Command, Layout, Pause, Plan, Turn

T = TypeVar("T")
Spoken = Generator[Wire | Trips | Pause, Any, T]

logger: logging.Logger = logging.getLogger("coatcheck")

CONNECT = 0.5
"""Seconds in which a connection must stand."""
REPLY = 1.0
"""Seconds in which a round trip must be answered, and in which the last one of a call must begin: 2 s in all."""
AGAIN = 0.4
"""Seconds in which a connection must have dropped for the command to be sent again."""
TURNS = 256
"""Locks among which the sessions that a process writes to are spread."""
PLAIN = frozenset({"GET", "MGET", "EVALSHA", "EVAL", "WAIT"})
"""Commands of whose replies nothing has to be made: they go past redis-py's client."""
REPLICAS = 500
"""Milliseconds for which `wait` waits for replicas."""

OLDEST = (6, 2)
"""The oldest version of Redis that this works with."""
_CLOCK_EVERY = 60.0
_CLOCK_SOON = 1.0


class Talk:
    """What one store knows of its server."""

    def __init__(self, where: str, wait: int, nodes: tuple[Node, ...] = ()) -> None:
        self.where = where
        self.routes: Routes | None = Routes(nodes, where, REPLY) if nodes else None
        self.offset: float = 0.0
        self.wait = wait
        self._fit = False
        self._turn = Turn(REPLY)
        self._warned = False
        self._clock_due = 0.0

    def settled(self, now: float) -> bool:
        """Whether there is nothing to do but to ask the one server, at this instant (monotonic)."""
        return self._fit and now < self._clock_due and self.routes is None

    def carry(self, plan: Plan[T], started: float | None = None) -> Spoken[T]:
        """Carry out a plan of a call that began at `started` (monotonic; None: now).

        Raises `StoreUnavailable`, or `ConfigurationError` for a server that is not fit.
        """
        began = started = time.monotonic() if started is None else started
        if not self._fit and not (yield from self._turn.take(lambda: not self._fit, lambda: self._check(began), began)):
            raise slow(self.where)
        replies: Any = None
        confirmed = self.wait
        while True:
            try:
                step = plan.send(replies)
            except StopIteration as done:
                if self._clock_due <= time.monotonic() < started + AGAIN:
                    # Where the time is short, another call's will do.
                    yield from self._look_again()
                # Only now: whoever is to be signed out is, on the primary, though nobody may rely on it yet.
                if confirmed < self.wait:
                    raise StoreUnavailable(
                        f"Redis at {self.where} has done it, but of {self.wait} replicas {confirmed} confirmed it "
                        f"within {REPLICAS} ms. Are they connected?"
                    ) from None
                result: T = done.value
                return result
            replies = None
            if step is None:
                started = time.monotonic()
            elif isinstance(step, Pause):
                yield step
            elif isinstance(step, Layout):
                replies = yield from self._layout(started)
            else:
                writes = any(isinstance(command, Call) for command in step)
                # Once is enough: the answer is no, and the time is short.
                waits = self.wait if writes and confirmed >= self.wait else 0
                replies = yield from self._ask(step, waits, started)
                if waits and (confirmed := replies.pop()) < waits:
                    # The replicas have had their time; the rest has its own.
                    started = time.monotonic()

    def _ask(self, commands: list[Command], waits: int, started: float) -> Spoken[list[Any]]:
        """One round trip of a plan: its replies, none of them a fault; last, if it waits, how many replicas have it."""
        replies = yield from self._send(_spell(commands, waits, in_full=False), started)
        faults = [reply for reply in replies if isinstance(reply, Exception)]
        if any(isinstance(fault, driver.NoScriptError) for fault in faults):
            replies = yield from self._send(_spell(commands, waits, in_full=True), started)
            faults = [reply for reply in replies if isinstance(reply, Exception)]
        if faults:
            raise plain(faults[0], self.where) from None
        return replies

    def _send(self, wire: Wire, started: float) -> Spoken[list[Any]]:
        """One round trip; a second one where the connection was stale."""
        again = False
        while True:
            spent = time.monotonic() - started
            if spent > REPLY:
                raise slow(self.where)
            try:
                return (yield from self._trip(wire, started))
            except (driver.RedisError, OSError) as error:
                # Once, and soon. Every script knows its own work when it comes a second time.
                if again or not dropped(error) or time.monotonic() - started > AGAIN:
                    raise plain(error, self.where) from None
                again = True

    def _trip(self, wire: Wire, started: float) -> Spoken[list[Any]]:
        if self.routes is None:
            replies: list[Any] = yield wire
            return replies
        return (yield from self.routes.carry(wire, started))

    def _layout(self, started: float) -> Spoken[Any]:
        try:
            if self.routes is not None:
                return (yield from self.routes.layout(started))
            (facts,) = yield [("INFO", "server")]
            # Where INFO is not allowed a restart cannot be seen.
            return facts["run_id"] if isinstance(facts, dict) else ""
        except (driver.RedisError, OSError) as error:
            raise plain(error, self.where) from None

    # -- the server's fitness ----------------------------------------------------------------------------

    def _check(self, started: float) -> Spoken[None]:
        """Refuse a server that is too old, or that may forget a session's end."""
        facts: dict[str, Any] = {}
        for reply in (yield from self._send([("INFO", "server"), ("INFO", "memory")], started)):
            if isinstance(reply, dict):
                facts |= reply
            elif not isinstance(reply, driver.NoPermissionError):
                raise plain(reply, self.where) from None
        version, policy = facts.get("redis_version"), facts.get("maxmemory_policy")
        if version and tuple(int(part) for part in re.findall(r"\d+", str(version))[:2]) < OLDEST:
            raise ConfigurationError(f"Redis at {self.where} is version {version}; sessions need 6.2 or newer")
        if policy and policy != "noeviction":
            raise ConfigurationError(
                f"Redis at {self.where} may drop a session, or the memory of its end, when it is full: its "
                f"maxmemory-policy is {policy}. Set `maxmemory-policy noeviction` there, or give sessions a Redis "
                "of their own."
            )
        if not (version and policy) and not self._warned:
            self._warned = True
            logger.warning(
                "Redis at %s does not let us read INFO: make sure that its version is 6.2 or newer and its "
                "maxmemory-policy is noeviction",
                self.where,
            )
        self._fit = True
        yield from self._look_again()

    def _look_again(self) -> Spoken[None]:
        """Measure the server's clock against ours, for those who share the store and not the clock.

        And have it checked anew if it evicts by now: it was set to, or a failover led to one that does.
        """
        self._clock_due = time.monotonic() + _CLOCK_EVERY
        before = time.time()
        try:
            reply, facts = yield from self._trip([("TIME",), ("INFO", "memory")], time.monotonic())
        except (driver.RedisError, OSError):
            return
        after = time.time()
        if after - before > SLOW_LOOK:
            self._clock_due = time.monotonic() + _CLOCK_SOON
        if isinstance(facts, dict) and facts.get("maxmemory_policy", "noeviction") != "noeviction":
            self._fit = False
        if isinstance(reply, Exception):
            return
        there = reply[0] + reply[1] / 1_000_000
        self.offset = corrected(self.offset, before, there, after)


def _spell(commands: list[Command], waits: int, in_full: bool) -> Wire:
    wire = [command.spell(in_full) if isinstance(command, Call) else command for command in commands]
    return [*wire, ("WAIT", waits, REPLICAS)] if waits else wire
