"""What was measured, as it lies beside the page in JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from .near import Crowd, Simulated


class Weight(NamedTuple):
    """Bytes in a store, for one size of the data."""

    anonymous: float
    """A session of nobody."""
    session: float
    """A session of a user."""
    user: float
    """A user who has any session: its index, and its gate."""
    indexes: float = 0.0
    """Of a session and a user of its own, what PostgreSQL's indexes take."""
    plain: float = 0.0
    """In Redis, the same data as one JSON string."""
    lean: float = 0.0
    """In Redis, a session and a user of its own, without the client's address and browser."""


class Cost(NamedTuple):
    """Microseconds of a processor for one request."""

    app: float
    """In the application's process, more than the same application takes without sessions."""
    store: float
    """In the store's processes."""


@dataclass(frozen=True)
class Figures:
    """One run."""

    machine: str
    sessions: int
    """In each store that was weighed."""
    rounds: int
    lap: int
    data: int
    """Bytes of data in the sessions whose requests were measured."""
    weights: dict[str, dict[int, Weight]]
    """By store and by bytes of data."""
    costs: dict[str, dict[int, dict[str, Cost]]]
    """By store, by requests in flight, and by class."""
    near: Simulated

    def weight(self, store: str, data: int) -> Weight:
        """For any size of the data, on the line between the two that were measured next to it.

        Raises ValueError for one outside of what was measured.
        """
        known = self.weights[store]
        sizes = sorted(known)
        if not sizes[0] <= data <= sizes[-1]:
            raise ValueError(f"sessions of {data} bytes: {sizes[0]} to {sizes[-1]} were measured")
        above = next(size for size in sizes if size >= data)
        if above == data:
            return known[data]
        below = max(size for size in sizes if size < data)
        part = (data - below) / (above - below)
        return Weight(*(low + part * (high - low) for low, high in zip(known[below], known[above], strict=True)))


def dump(figures: Figures) -> str:
    """As JSON, a line for each figure's name."""
    plain: dict[str, Any] = {
        **vars(figures),
        "weights": {
            store: {size: _rounded(one) for size, one in by_size.items()} for store, by_size in figures.weights.items()
        },
        "costs": {
            store: {
                flight: {name: _rounded(cost) for name, cost in by_class.items()}
                for flight, by_class in by_flight.items()
            }
            for store, by_flight in figures.costs.items()
        },
        "near": {**figures.near._asdict(), "crowd": asdict(figures.near.crowd)},
    }
    return json.dumps(plain, indent=1) + "\n"


def _rounded(one: Weight | Cost) -> dict[str, float]:
    return {name: round(value, 1) for name, value in one._asdict().items()}


def load(text: str) -> Figures:
    """What `dump` wrote. Raises ValueError, TypeError or KeyError for anything else."""
    plain = json.loads(text)
    weights = {
        store: {int(size): Weight(**one) for size, one in by_size.items()}
        for store, by_size in plain.pop("weights").items()
    }
    costs = {
        store: {
            int(flight): {name: Cost(**cost) for name, cost in by_class.items()}
            for flight, by_class in by_flight.items()
        }
        for store, by_flight in plain.pop("costs").items()
    }
    near = plain.pop("near")
    rates = {
        balancing: {
            int(processes): {int(entries): rate for entries, rate in by_entries.items()}
            for processes, by_entries in by_processes.items()
        }
        for balancing, by_processes in near.pop("rates").items()
    }
    simulated = Simulated(Crowd(**near.pop("crowd")), **near, rates=rates)
    return Figures(**plain, weights=weights, costs=costs, near=simulated)
