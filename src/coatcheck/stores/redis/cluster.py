"""Redis Cluster: which node has which keys, and what to do when it has them no more. No I/O.

All keys of one script or one MGET share a slot, so a command has one node. What is sent together is split by node;
a node that has passed a slot on says so, and is believed. `WAIT` follows on each connection that wrote.
"""

from __future__ import annotations

import random
import time
from collections.abc import Generator, Iterator
from typing import Any, NamedTuple, TypeAlias, TypeVar

from redis import exceptions as driver

from ...errors import ConfigurationError
from .faults import slow
from .hosts import Node
from .slots import ALL, Range, Slots, address, count, covered, told
from .steps import Pause, Turn

T = TypeVar("T")
Wire: TypeAlias = list[tuple[Any, ...]]
Trips: TypeAlias = dict[Node, Wire]
"""What is sent to several nodes at the same time."""
Routed = Generator["Trips | Pause", dict[Node, Any], T]
"""It is sent back the replies of each node, or the fault of the way to it."""

_MIGRATING = 0.02
"""Seconds, at most, between two attempts at keys of which one half is here and the other there."""
_LOOKS = 0.1
"""Seconds between two looks at the map, at least: while a primary is silent, each request would look."""

_KINDS: dict[str, Any] = {
    "MOVED": driver.MovedError,
    "ASK": driver.AskError,
    "TRYAGAIN": driver.TryAgainError,
    "CLUSTERDOWN": driver.ClusterDownError,
    "MASTERDOWN": driver.MasterDownError,
}
_LAYOUT: Wire = [("INFO", "server"), ("CLUSTER", "NODES")]


class Cursor(NamedTuple):
    """Where a SCAN of all nodes is."""

    node: Node
    position: int
    later: tuple[Node, ...] = ()
    """The nodes that come after it."""
    owned: tuple[int, ...] = ()
    """The slots that it has, in order; () before it was asked."""


class Routes:
    """What a store knows of the nodes of its cluster."""

    def __init__(self, seeds: tuple[Node, ...], where: str, patience: float) -> None:
        """`patience` is how many seconds after the beginning of a call something more may be asked."""
        self._seeds, self._where, self._patience = seeds, where, patience
        self._slots = Slots()
        self._stale = True
        self._looked = float("-inf")
        """When the map was asked for last (monotonic)."""
        self._turn = Turn(patience)
        self.heard: frozenset[Node] = frozenset()
        """The nodes that tell a feed what changes."""
        self.strays: int = 0
        """How often something was read from another one, or from one to which its keys are on their way."""
        self._doubted: dict[Node, float] = {}
        """Those that gave no answer when they were asked last, or said that they are cut off; when (monotonic)."""

    def primaries(self) -> list[Node]:
        """Every node that has slots, in an order that all processes share."""
        return self._slots.primaries

    def owner(self, key: str | bytes) -> Node | None:
        """The primary that has a key, as far as is known."""
        return self._slots.owner(key)

    def known(self) -> set[Node]:
        """Whom it may have to ask again."""
        return {*self.primaries(), *self._seeds}

    @property
    def unserved(self) -> int:
        """Slots that no node has."""
        return self._slots.unserved

    def carry(self, wire: Wire, started: float) -> Routed[list[Any]]:
        """The replies to one round trip, of a call that began at `started` (monotonic), wherever the keys are.

        Raises the driver's error where a node cannot be reached.
        """
        if self._stale:
            yield from self._look(started)
        match wire[0][0]:
            case "SCAN":
                return (yield from self._scan(*wire[0]))
            case "INFO" | "TIME":
                return (yield from self._everywhere(wire))
        # Of keys that move, one that is absent would hold up all that are read with it.
        single = [part for command in wire for part in _apart(command)]
        replies = iter((yield from self._keyed(single, started)))
        return [_together(command, replies) for command in wire]

    def layout(self, started: float) -> Routed[Any]:
        """What changes when keys move, or a node is restarted or replaced; None while some are being moved."""
        yield from self._learn(started)
        parts = []
        for node, answer in self._heard((yield dict.fromkeys(self.primaries(), _LAYOUT))).items():
            for reply in answer:
                if isinstance(reply, Exception):
                    raise reply
            facts, text = answer
            (own,) = [line.split() for line in text.decode().splitlines() if "myself" in line.split()[2]]
            if any(slots.startswith("[") for slots in own[8:]):
                return None
            # The epoch: a slot that has gone and come back meanwhile lies where it was, under a later one.
            parts.append((node, facts["run_id"], own[6], own[8:]))
        # A primary that the map lacks has keys that nobody would go through.
        return parts if sum(count(own) for *_, own in parts) == ALL else None

    # -- the nodes ---------------------------------------------------------------------------------------

    def _look(self, started: float) -> Routed[None]:
        """Learn the map, unless somebody else is at it, or has just done so; without any there is nothing to go by."""

        def due() -> bool:
            at_hand = self._slots.primaries and time.monotonic() - max(self._looked, self._turn.since) < _LOOKS
            return self._stale and not at_hand

        if not (yield from self._turn.take(due, lambda: self._learn(started), started)):
            raise slow(self._where)

    def _learn(self, started: float) -> Routed[None]:
        """Ask the nodes, one after the other, which of them has what, until one knows of all slots. Else what the one
        says that knows most: one that was taken out of the cluster answers as well."""
        fault: Exception = driver.ClusterDownError("no node has any slot")
        best: tuple[Range, ...] = ()
        # The longest in doubt first: of several that are silent not the same one takes all the time of each call.
        for node in sorted(
            dict.fromkeys([*self.primaries(), *self._seeds]), key=lambda node: self._doubted.get(node, 0)
        ):
            self._in_time(started)
            try:
                ((answer,),) = self._heard((yield {node: [("CLUSTER", "SLOTS")]})).values()
            except (driver.RedisError, OSError) as error:
                fault = error
                continue
            if isinstance(answer, Exception):
                if "cluster support disabled" in str(answer):
                    raise ConfigurationError(
                        f"Redis at {node.netloc} is in no cluster. Write redis:// instead"
                    ) from None
                fault = answer
                continue
            best = max(best, told(answer, node), key=covered)
            if covered(best) == ALL:
                break
        self._looked = time.monotonic()
        if not best:
            raise fault
        self._slots.learn(best)
        self._stale = False
        for gone in self._doubted.keys() - self.known():
            self._doubted.pop(gone, None)

    def _in_time(self, started: float) -> None:
        if time.monotonic() - started > self._patience:
            raise slow(self._where)

    def _heard(self, answers: dict[Node, Any]) -> dict[Node, Any]:
        """The answers, if every node has given one."""
        fault: Exception | None = None
        for node, answer in answers.items():
            if isinstance(answer, Exception):
                self._doubt(node)
                fault = answer
            else:
                self._doubted.pop(node, None)
        if fault is not None:
            raise fault
        return answers

    def _doubt(self, node: Node) -> None:
        self._doubted[node] = time.monotonic()
        self._stale = True

    def _owner(self, command: tuple[Any, ...]) -> Node:
        key = command[3 if command[0].startswith("EVAL") else 1]
        node = self.owner(key)
        if node is None:
            self._stale = True
            raise driver.ClusterDownError("no node has this slot")
        return node

    def _redirected(self, reply: Any, node: Node, asking: bool) -> tuple[Node, bool] | None:
        """Where a command has to be sent again, and whether as ASKING; None: it was answered."""
        if isinstance(reply, driver.MovedError):
            self._stale = True
            other = address(reply.host, reply.port, node)
            self._slots.move(reply.slot_id, other)
            return other, False
        if isinstance(reply, driver.AskError):
            return address(reply.host, reply.port, node), True
        if isinstance(reply, driver.TryAgainError):
            return node, asking
        if isinstance(reply, (driver.ClusterDownError, driver.MasterDownError)):
            # Perhaps it alone is cut off: the others are asked first who has what.
            self._doubt(node)
        return None

    # -- commands ----------------------------------------------------------------------------------------

    def _keyed(self, wire: Wire, started: float) -> Routed[list[Any]]:
        waits = wire[-1:] if wire[-1][0] == "WAIT" else []
        replies: list[Any] = [None] * len(wire)
        confirmed: list[Any] = []
        left = {place: (self._owner(wire[place]), False) for place in range(len(wire) - len(waits))}
        while left:
            if time.monotonic() - started > self._patience:
                waiting = (replies[place] for place in left)
                raise next((reply for reply in waiting if isinstance(reply, driver.TryAgainError)), slow(self._where))
            places: dict[Node, list[tuple[int, bool]]] = {}
            for place, (node, asking) in left.items():
                places.setdefault(node, []).append((place, asking))
            trips = {
                node: [part for place, asking in theirs for part in (*[("ASKING",)] * asking, wire[place])] + waits
                for node, theirs in places.items()
            }
            answers = self._heard((yield trips))
            left = {}
            for node, theirs in places.items():
                answer = iter(answers[node])
                for place, asking in theirs:
                    asked = next(answer) if asking else None
                    reply = _known(next(answer))
                    # Who may not ask is sent on for ever.
                    replies[place] = reply = asked if isinstance(asked, Exception) else reply
                    if asking or node not in self.heard:
                        self.strays += 1
                    if further := self._redirected(reply, node, asking):
                        left[place] = further
                # Who only sent us on has written nothing that replicas could confirm.
                if any(place not in left for place, _ in theirs):
                    confirmed += answer
            if any(isinstance(replies[place], driver.TryAgainError) for place in left):
                yield Pause(random.uniform(0.0, _MIGRATING))  # noqa: S311 (guards nothing)
        if waits:
            replies[-1] = next((reply for reply in confirmed if isinstance(reply, Exception)), None) or min(confirmed)
        return replies

    def _scan(self, name: str, cursor: Cursor | int, *options: Any) -> Routed[list[Any]]:
        """One step through all nodes, one after the other: the cursor says where it is, and is 0 in the end."""
        nodes = self.primaries()
        node, position, _, owned = cursor if isinstance(cursor, Cursor) else Cursor(nodes[0], 0)
        ((reply,),) = self._heard((yield {node: [(name, position, *options)]})).values()
        if isinstance(reply, Exception):
            return [reply]
        position, keys = reply
        later = tuple(one for one in nodes if one > node)
        if position:
            return [(Cursor(node, position, later, owned or self._slots.owned(node)), keys)]
        return [(Cursor(later[0], 0, later[1:]) if later else 0, keys)]

    def _everywhere(self, wire: Wire) -> Routed[list[Any]]:
        """Ask every primary; of each reply the one to worry about, else the first's. Who is silent is left out, unless
        all are."""
        # Who was silent a moment ago would be waited for again.
        asked = [node for node in self.primaries() if node not in self._doubted] or self.primaries()
        answers = yield dict.fromkeys(asked, wire)
        heard = {node: answer for node, answer in answers.items() if not isinstance(answer, Exception)}
        if not heard:
            self._heard(answers)
        for node in answers.keys() - heard.keys():
            self._doubt(node)
        return [max(column, key=_worry) for column in zip(*heard.values(), strict=True)]


def _apart(command: tuple[Any, ...]) -> Wire:
    return [("GET", key) for key in command[1:]] if command[0] == "MGET" else [command]


def _together(command: tuple[Any, ...], replies: Iterator[Any]) -> Any:
    if command[0] != "MGET":
        return next(replies)
    values = [next(replies) for _ in command[1:]]
    return next((value for value in values if isinstance(value, Exception)), values)


def _known(reply: Any) -> Any:
    """A redirection as one. The plain connections of older drivers take it for any error."""
    if type(reply) is not driver.ResponseError:
        return reply
    code, _, text = str(reply).partition(" ")
    kind = _KINDS.get(code)
    return reply if kind is None else kind(text)


def _worry(reply: Any) -> int:
    if isinstance(reply, Exception):
        return 2
    return int(isinstance(reply, dict) and reply.get("maxmemory_policy", "noeviction") != "noeviction")
