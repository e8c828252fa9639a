"""One event loop's ways to the nodes of a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from .cluster import Trips
from .hosts import Node
from .lane import Lane
from .talk import TURNS


class Lanes:
    """A lane to each node that was ever asked."""

    def __init__(self, opened: Callable[[Node], Lane], known: Callable[[], set[Node]]) -> None:
        self._opened, self._known = opened, known
        self._lanes: dict[Node, Lane] = {}
        self.turns: list[asyncio.Lock] = [asyncio.Lock() for _ in range(TURNS)]

    async def ask(self, trips: Trips) -> dict[Node, Any]:
        """The replies of each node, or the fault of the way to it."""
        asked = [self._lane(node).ask(wire) for node, wire in trips.items()]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return dict(zip(trips, answers, strict=True))

    async def close(self) -> None:
        """Close the ways to all."""
        for lane in self._lanes.values():
            await lane.close()

    def _lane(self, node: Node) -> Lane:
        if node not in self._lanes:
            # Whoever waits in the lane of one that has left the cluster keeps it so long.
            for gone in self._lanes.keys() - self._known():
                del self._lanes[gone]
            self._lanes[node] = self._opened(node)
        return self._lanes[node]
