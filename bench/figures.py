"""What was measured, round by round, and what follows: costs net of the bare application, and ratios within a round."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from .footprint import Start, Weight
from .storm import Storm

BARE = "bare"


class Key(NamedTuple):
    """One contender."""

    world: str
    """A framework, and where it has several processes also which."""
    subject: str
    kind: str
    """The class of request."""
    flight: int
    """Requests at a time."""


class Spread(NamedTuple):
    """A median between its quartiles."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of one value or more."""
        if len(values) == 1:
            return cls(*values, *values, *values)
        return cls(*statistics.quantiles(values, n=4, method="inclusive"))


@dataclass
class Figures:
    """One run."""

    seconds: dict[Key, dict[str, list[float]]] = field(default_factory=dict)
    """By contender and part (`seconds` a request; `p50`, `p95`, `p99` of how long answers took), each round's."""
    ours: set[Key] = field(default_factory=set)
    versions: dict[str, str] = field(default_factory=dict)
    machine: str = ""
    quick: bool = False
    """Whether the slices were short."""
    weights: dict[int, Weight] | None = None
    start: Start | None = None
    storms: list[Storm] = field(default_factory=list)
    profiles: dict[str, dict[str, float]] = field(default_factory=dict)
    """Bytecodes of a request, by contender and layer."""

    @property
    def rounds(self) -> int:
        """Complete ones."""
        return min((len(parts["seconds"]) for parts in self.seconds.values()), default=0)

    def add(self, key: Key, ours: bool, found: dict[str, float]) -> None:
        """One slice."""
        if ours:
            self.ours.add(key)
        parts = self.seconds.setdefault(key, {})
        for part, value in found.items():
            parts.setdefault(part, []).append(value)

    def __contains__(self, key: object) -> bool:
        return key in self.seconds

    def select(self, kind: str, flight: int) -> list[Key]:
        """Those of a class, the cheapest first; not the bare ones."""
        found = [key for key in self.seconds if (key.kind, key.flight) == (kind, flight) and key.subject != BARE]
        return sorted(found, key=lambda key: self.cost(key).median)

    def net(self, key: Key, part: str = "seconds") -> Iterator[float]:
        """A contender's figure less that of the bare application of its framework, by round."""
        bare = self.seconds[Key(key.world, BARE, "read", key.flight)][part]
        return (own - other for own, other in zip(self.seconds[key][part], bare, strict=False))

    def cost(self, key: Key, part: str = "seconds") -> Spread:
        """What a contender adds to a request, in microseconds."""
        return Spread.of([net * 1e6 for net in self.net(key, part)])

    def ratio(self, key: Key, other: Key, part: str = "seconds") -> Spread:
        """What a contender adds, in terms of what another adds in the same round."""
        pairs = zip(self.net(key, part), self.net(other, part), strict=False)
        # Where the machine was busy just then, the other one seems to cost nothing: as bad for us as can be.
        return Spread.of([own / theirs if theirs > 0 else float("inf") for own, theirs in pairs])

    def dump(self, path: Path) -> None:
        """All of it, as JSON."""
        rows = [key._asdict() | {"ours": key in self.ours} | parts for key, parts in self.seconds.items()]
        told: dict[str, Any] = {
            "machine": self.machine,
            "quick": self.quick,
            "versions": self.versions,
            "rounds": self.rounds,
            "contenders": rows,
            "memory": {size: weight._asdict() for size, weight in (self.weights or {}).items()},
            "import": self.start._asdict() if self.start else None,
            "storms": [one._asdict() for one in self.storms],
            "profiles": self.profiles,
        }
        path.write_text(json.dumps(told, indent=1) + "\n")


def load(path: Path) -> Figures:
    """What `dump` has written. Raises KeyError for anything else."""
    told = json.loads(path.read_text())
    figures = Figures(versions=told["versions"], machine=told["machine"], quick=told["quick"])
    figures.storms = [Storm(**one) for one in told["storms"]]
    figures.profiles = told["profiles"]
    for row in told["contenders"]:
        key = Key(*(row.pop(name) for name in Key._fields))
        if row.pop("ours"):
            figures.ours.add(key)
        figures.seconds[key] = row
    figures.weights = {int(size): Weight(**weight) for size, weight in told["memory"].items()} or None
    figures.start = Start(**told["import"]) if told["import"] else None
    return figures
