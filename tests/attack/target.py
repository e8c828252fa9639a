"""What a fuzz target is: a strategy for hostile input, and a check that raises where a promise is broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st


@dataclass(frozen=True)
class Target:
    """One parser under attack."""

    name: str
    promise: str
    """What must hold for every input."""
    inputs: st.SearchStrategy[Any]
    check: Callable[[Any], str]
    """Raises `AssertionError`, or whatever leaves the parser; returns what became of the input, in a word."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """How often each word came: an attack that never gets past the first check attacks nothing."""

    def attack(self, value: Any) -> None:
        """Try one input."""
        self.outcomes[self.check(value)] += 1
