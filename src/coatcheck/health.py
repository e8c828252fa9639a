"""What a store says of itself when an operator asks whether it is fit: `coatcheck doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol, runtime_checkable

Level = Literal["ok", "warn", "fail"]
"""From the best to the worst."""


class Check(NamedTuple):
    """One thing that was looked at, by its `name`. `level`: "ok"; "warn", it serves, and something that was promised
    may not hold one day; "fail", it cannot serve."""

    level: Level
    name: str
    text: str
    """What was found and, unless all is well, the remedy. Never a password, a token or a session's data."""


@runtime_checkable
class Checkable(Protocol):
    """A store that can be asked."""

    def checks(self) -> Iterator[Check]:
        """What was looked at, one by one. Faults are checks too: it raises nothing."""
        ...
