"""Redis Cluster: which node has which keys, and what to do when it has them no more. No I/O.

All keys of one script or one MGET share a slot, so a command has one node. What is sent together is split by node;
a node that has passed a slot on says so, and is believed. `WAIT` follows on each connection that wrote.
"""

from __future__ import annotations

import random
import time
from collections.abc import Generator
from typing import Any, NamedTuple, TypeAlias, TypeVar

from redis import exceptions as driver
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from ...errors import ConfigurationError
from .faults import slow
from .hosts import Node
from .steps import Pause

T = TypeVar("T")
Wire: TypeAlias = list[tuple[Any, ...]]
Trips: TypeAlias = dict[Node, Wire]
"""What is sent to several nodes at the same time."""
Routed = Generator["Trips | Pause", dict[Node, Any], T]
"""It is sent back the replies of each node, or the fault of the way to it."""

_MIGRATING = 0.02
"""Seconds, at most, between two attempts at keys of which one half is here and the other there."""


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


class Routes:
    """What a store knows of the nodes of its cluster."""

    def __init__(self, seeds: tuple[Node, ...], where: str, patience: float) -> None:
        """`patience` is how many seconds after the beginning of a call something more may be asked."""
        self._seeds, self._where, self._patience = seeds, where, patience
        self._slots: dict[int, Node] = {}
        self._stale = True
        self._silent: set[Node] = set()
        """Those that gave no answer when they were asked last."""

    def primaries(self) -> list[Node]:
        """Every node that has slots, in an order that all processes share."""
        return sorted({*self._slots.values()})

    def owner(self, key: str | bytes) -> Node | None:
        """The primary that has a key, as far as is known."""
        return self._slots.get(key_slot(key.encode() if isinstance(key, str) else key))

    @property
    def unserved(self) -> int:
        """Slots that no node has."""
        return REDIS_CLUSTER_HASH_SLOTS - len(self._slots)

    def carry(self, wire: Wire, started: float) -> Routed[list[Any]]:
        """The replies to one round trip, of a call that began at `started` (monotonic), wherever the keys are.

        Raises the driver's error where a node cannot be reached.
        """
        if self._stale:
            yield from self._learn(started)
        match wire[0][0]:
            case "SCAN":
                return (yield from self._scan(*wire[0]))
            case "INFO" | "TIME":
                return (yield from self._everywhere(wire))
        return (yield from self._keyed(wire, started))

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
            parts.append((node, facts["run_id"], own[8:]))
        return parts

    # -- the nodes ---------------------------------------------------------------------------------------

    def _learn(self, started: float) -> Routed[None]:
        """Ask the nodes, one after the other until one answers, which of them has what."""
        fault: Exception = slow(self._where)
        known = dict.fromkeys([*self.primaries(), *self._seeds])
        for node in sorted(known, key=lambda node: node in self._silent):
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
            self._slots = {
                slot: _address(primary[0], primary[1], node)
                for first, last, primary, *_ in answer
                for slot in range(first, last + 1)
            }
            self._stale = False
            return
        raise fault

    def _in_time(self, started: float) -> None:
        if time.monotonic() - started > self._patience:
            raise slow(self._where)

    def _heard(self, answers: dict[Node, Any]) -> dict[Node, Any]:
        """The answers, if every node has given one."""
        silent = {node for node, answer in answers.items() if isinstance(answer, Exception)}
        self._silent = (self._silent - {*answers}) | silent
        for node in silent:
            self._stale = True
            raise answers[node]
        return answers

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
            other = self._slots[reply.slot_id] = _address(reply.host, reply.port, node)
            return other, False
        if isinstance(reply, driver.AskError):
            return _address(reply.host, reply.port, node), True
        if isinstance(reply, driver.TryAgainError):
            return node, asking
        if isinstance(reply, (driver.ClusterDownError, driver.MasterDownError)):
            self._stale = True
        return None

    # -- commands ----------------------------------------------------------------------------------------

    def _keyed(self, wire: Wire, started: float) -> Routed[list[Any]]:
        waits = wire[-1:] if wire[-1][0] == "WAIT" else []
        replies: list[Any] = [None] * len(wire)
        confirmed: list[Any] = []
        left = {place: (self._owner(wire[place]), False) for place in range(len(wire) - len(waits))}
        while left:
            self._in_time(started)
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
                    if asking:
                        next(answer)
                    replies[place] = reply = _known(next(answer))
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
        node, position = cursor if isinstance(cursor, Cursor) else Cursor(nodes[0], 0)
        ((reply,),) = self._heard((yield {node: [(name, position, *options)]})).values()
        if isinstance(reply, Exception):
            return [reply]
        position, keys = reply
        later = [one for one in nodes if one > node]
        if position:
            return [(Cursor(node, position), keys)]
        return [(Cursor(later[0], 0) if later else 0, keys)]

    def _everywhere(self, wire: Wire) -> Routed[list[Any]]:
        """Ask every primary; of each reply the one to worry about, else the first's. Who is silent is left out, unless
        all are."""
        answers = yield dict.fromkeys(self.primaries(), wire)
        heard = {node: answer for node, answer in answers.items() if not isinstance(answer, Exception)}
        if len(heard) < len(answers):
            self._stale = True
        if not heard:
            self._heard(answers)
        return [max(column, key=_worry) for column in zip(*heard.values(), strict=True)]


def _known(reply: Any) -> Any:
    """A redirection as one. The plain connections of older drivers take it for any error."""
    if type(reply) is not driver.ResponseError:
        return reply
    code, _, text = str(reply).partition(" ")
    kind = _KINDS.get(code)
    return reply if kind is None else kind(text)


def _address(host: Any, port: int, told_by: Node) -> Node:
    """A node as another one names it; one that does not know its own host has that at which we reach it."""
    name = host.decode() if isinstance(host, bytes) else host
    return Node(name or told_by.host, int(port))


def _worry(reply: Any) -> int:
    if isinstance(reply, Exception):
        return 2
    return int(isinstance(reply, dict) and reply.get("maxmemory_policy", "noeviction") != "noeviction")
