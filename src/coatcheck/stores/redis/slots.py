"""Which primary of a cluster has which slot. No I/O."""

from __future__ import annotations

from typing import Any, NamedTuple

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from .hosts import Node

ALL = REDIS_CLUSTER_HASH_SLOTS
"""How many there are."""


class Range(NamedTuple):
    """Slots that one primary has, the last one included."""

    first: int
    last: int
    node: Node


def told(answer: Any, by: Node) -> tuple[Range, ...]:
    """What a node says to `CLUSTER SLOTS`."""
    return tuple(Range(first, last, address(primary[0], primary[1], by)) for first, last, primary, *_ in answer)


def address(host: Any, port: int, told_by: Node) -> Node:
    """A node as another one names it; one that does not know its own host has that at which we reach it."""
    name = host.decode() if isinstance(host, bytes) else host
    return Node(name or told_by.host, int(port))


def covered(ranges: tuple[Range, ...]) -> int:
    """How many slots have a primary."""
    return sum(one.last - one.first + 1 for one in ranges)


def count(texts: list[str]) -> int:
    """How many slots are named, as `CLUSTER NODES` writes them: `7` or `0-5460`."""
    pairs = [text.partition("-") for text in texts]
    return sum(int(last or first) - int(first) + 1 for first, _, last in pairs)


class Slots:
    """The map, as it was told last and mended since by who was sent on."""

    def __init__(self) -> None:
        self._ranges: tuple[Range, ...] = ()
        self._nodes: list[Node | None] = [None] * ALL
        self.primaries: list[Node] = []
        """Every node that has slots, in an order that all processes share."""

    def owner(self, key: str | bytes) -> Node | None:
        """The primary that has a key, as far as is known."""
        return self._nodes[key_slot(key.encode() if isinstance(key, str) else key)]

    def owned(self, node: Node) -> tuple[int, ...]:
        """The slots that a node has, in order."""
        return tuple(slot for slot, owner in enumerate(self._nodes) if owner == node)

    @property
    def unserved(self) -> int:
        """Slots that no node has."""
        return self._nodes.count(None)

    def learn(self, ranges: tuple[Range, ...]) -> None:
        """The whole map anew. Threads that look something up meanwhile find the one or the other."""
        if ranges == self._ranges:
            return
        nodes: list[Node | None] = [None] * ALL
        for first, last, node in ranges:
            nodes[first : last + 1] = [node] * (last + 1 - first)
        self._ranges, self._nodes = ranges, nodes
        self.primaries = sorted({one.node for one in ranges})

    def move(self, slot: int, node: Node) -> None:
        """One slot is elsewhere."""
        self._ranges = ()  # the next map is learnt, also where it is the one from before
        self._nodes[slot] = node
        if node not in self.primaries:
            self.primaries = sorted([*self.primaries, node])
