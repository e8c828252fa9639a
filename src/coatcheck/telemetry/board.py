"""The counts of all managers that report to one meter provider.

An SDK takes several microseconds to add to a counter of its own, as long as a read takes. So requests add to plain
numbers, and the SDK asks for them when it collects.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import partial
from typing import Protocol
from weakref import WeakKeyDictionary

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation

from .. import fork
from .names import BOUNDS, COUNTERS, DURATION, LIVE, NAMESPACE

Attributes = tuple[tuple[str, str], ...]


class Count:
    """A number that only grows. Threads may add to it at once."""

    __slots__ = ("_lock", "value")

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin at nothing."""
        self._lock = threading.Lock()
        self.value: int = 0

    def add(self, number: int = 1) -> None:
        """Add."""
        with self._lock:
            self.value += number


class Observed(Protocol):
    """Something that is looked at when the SDK collects."""

    def observe(self) -> Iterable[Observation]:
        """What it is now."""
        ...


class Board:
    """The instruments, made once. A second observable instrument of the same name would be ignored by the SDK."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._counts: dict[str, dict[Attributes, Count]] = {}
        self._lives: tuple[Observed, ...] = ()
        self._gauge: object = None
        for name, kind in COUNTERS.items():
            self._counts[name] = {}
            meter.create_observable_counter(name, [partial(self._observe, name)], kind.unit, kind.description)
        self.duration: Histogram = meter.create_histogram(
            DURATION,
            "s",
            "How long the store took to answer.",
            explicit_bucket_boundaries_advisory=BOUNDS,
        )
        fork.watch(self)

    def counts(self, name: str, namespace: str) -> dict[str, Count]:
        """The counts of a counter, by the value of its attribute. A manager that comes again goes on with them."""
        kind, known = COUNTERS[name], self._counts[name]
        keys = {value: ((NAMESPACE, namespace), (kind.attribute, value)) for value in kind.values}
        return {value: known.setdefault(key, Count()) for value, key in keys.items()}

    def _observe(self, name: str, _options: CallbackOptions) -> list[Observation]:
        return [Observation(count.value, dict(key)) for key, count in [*self._counts[name].items()]]

    def watch(self, live: Observed) -> None:
        """Look at the live sessions of a manager at each collection, until `forget`."""
        self._lives = (*self._lives, live)
        if self._gauge is None:
            self._gauge = self._meter.create_observable_gauge(
                LIVE, [self._observe_lives], "{session}", "Sessions that are in the store and alive."
            )

    def forget(self, live: Observed) -> None:
        """Look no more."""
        self._lives = tuple(one for one in self._lives if one is not live)

    def _observe_lives(self, _options: CallbackOptions) -> list[Observation]:
        return [one for live in self._lives for one in live.observe()]

    def forked(self) -> object:
        """As `fork.Forkable`: what was counted before is the parent's to tell."""
        for counts in self._counts.values():
            for count in counts.values():
                count.begin()
        return None


_SCOPE = "coatcheck"
_boards: WeakKeyDictionary[MeterProvider, Board] = WeakKeyDictionary()
_global: list[Board] = []
_lock = threading.Lock()


def board(provider: MeterProvider | None) -> Board:
    """The one of a meter provider; None: of whichever is the global one, now or later."""
    with _lock:
        if provider is None:
            if not _global:
                _global.append(Board(metrics.get_meter(_SCOPE)))
            return _global[0]
        if provider not in _boards:
            _boards[provider] = Board(provider.get_meter(_SCOPE))
        return _boards[provider]
