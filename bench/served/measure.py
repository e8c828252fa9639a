"""Rounds of short slices, in an order that is drawn anew for each, and the ratios within a round."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.figures import Spread

from .contenders import CONTENDERS, JWT, Contender
from .load import Load, Slice
from .proof import Wrong
from .stage import Application

FLIGHTS = (1, 50)
"""Connections."""

Heat = tuple[str, int]
"""A class of request, and on how many connections."""
HEATS: list[Heat] = [(act, flight) for act in ("read", "write", "login") for flight in FLIGHTS]
Taken = dict[str, list[Slice | None]]
"""By contender, a slice for each round; None where an answer was wrong."""


@dataclass
class Results:
    """What was measured."""

    slices: dict[Heat, Taken] = field(default_factory=lambda: {heat: {} for heat in HEATS})
    wrong: list[str] = field(default_factory=list)
    rounds: int = 0
    seconds: float = 0.0
    versions: str = ""

    def contenders(self, heat: Heat) -> list[Contender]:
        """Those that have two rounds or more without a wrong answer."""
        taken = self.slices[heat]
        return [one for one in CONTENDERS if sum(part is not None for part in taken.get(one.key, ())) > 1]

    def of(self, heat: Heat, one: Contender, figure: Callable[[Slice], float]) -> Spread:
        """A figure of a contender."""
        return Spread.of([figure(part) for part in self.slices[heat][one.key] if part])

    def nets(self, heat: Heat, key: str, bare: str) -> list[float | None]:
        """Microseconds of a processor that a request takes more than on the bare application, by round."""
        taken = self.slices[heat]
        pairs = zip(taken.get(key, []), taken.get(bare, []), strict=False)
        return [1e6 * (own.cpu - without.cpu) if own and without else None for own, without in pairs]

    def net(self, heat: Heat, one: Contender) -> Spread | None:
        """The spread of `nets`; None without two rounds of it."""
        return _spread(self.nets(heat, one.key, one.bare))

    def ratio(self, heat: Heat, one: Contender) -> Spread | None:
        """Its net in terms of PyJWT's at a read, on the same server with as many connections, in the same round."""
        jwt = next((other for other in CONTENDERS if other.server == one.server and other.name == JWT), None)
        if jwt is None:
            return None
        pairs = zip(self.nets(heat, one.key, one.bare), self.nets(("read", heat[1]), jwt.key, jwt.bare), strict=False)
        both = [(own, theirs) for own, theirs in pairs if own is not None and theirs is not None]
        # A busy machine makes the other one seem to cost nothing: then nothing can be told in its terms.
        return _spread([own / theirs for own, theirs in both]) if all(theirs > 0 for _, theirs in both) else None

    def as_json(self) -> dict[str, Any]:
        """Every slice."""
        slices = {
            f"{act} at {flight}": {
                key: [part and asdict(part) for part in parts] for key, parts in self.slices[act, flight].items()
            }
            for act, flight in HEATS
        }
        return {
            "rounds": self.rounds,
            "seconds": self.seconds,
            "versions": self.versions,
            "wrong": self.wrong,
            "slices": slices,
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Results:
        """What `as_json` told."""
        results = cls(wrong=told["wrong"], rounds=told["rounds"], seconds=told["seconds"], versions=told["versions"])
        for act, flight in HEATS:
            for key, parts in told["slices"][f"{act} at {flight}"].items():
                results.slices[act, flight][key] = [part and Slice(**part) for part in parts]
        return results


def _spread(values: Sequence[float | None]) -> Spread | None:
    there = [value for value in values if value is not None]
    return Spread.of(there) if len(there) > 1 else None


def measure(
    load: Load,
    applications: Sequence[Application],
    results: Results,
    rounds: int,
    seconds: float,
    warm_up: float,
    tell: Callable[[str], None],
) -> None:
    """Fill the results. A wrong answer is kept among them, and its slice is not."""
    turns = [(one, heat) for one in applications for heat in HEATS if heat[0] in one.contender.classes]
    began, done = time.monotonic(), 0
    for number in range(1, rounds + 1):
        random.shuffle(turns)
        for application, (act, flight) in turns:
            key = application.contender.key
            part: Slice | None = None
            try:
                load.run(application, act, flight, warm_up)
                part = load.run(application, act, flight, seconds)
            except Wrong as error:
                results.wrong.append(f"round {number}: {error}")
            results.slices[act, flight].setdefault(key, []).append(part)
            done += 1
            left = (time.monotonic() - began) / done * (rounds * len(turns) - done)
            tell(f"round {number} of {rounds}, {left / 60:.0f} min left: {act} at {flight}, {key}")
        results.rounds = number
