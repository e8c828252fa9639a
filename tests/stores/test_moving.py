"""A `MovingStore` keeps every promise, wherever its sessions are and whenever they go over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from coatcheck.testing import StoreContract
from coatcheck.testing.kit import Mode, Steps
from tests.moves import Around, MovingSteps


class _Contract(StoreContract):
    when: tuple[str, ...]

    @pytest.fixture
    def open_store(self) -> Callable[[Mode], Any]:
        return Around(*self.when).open


class TestBefore(_Contract):
    """The contract before a move: everything is in the old store."""

    when = ("unbegun",)


class TestBegun(_Contract):
    """While a move goes on: what is new is in the new store."""

    when = ()


class TestHere(_Contract):
    """Everybody is in the old store when a call begins, though the move goes on."""

    when = ("back",)


class TestDeparted(_Contract):
    """Everybody was on the way when the mover was killed."""

    when = ("back", "departed")


class TestMovedBefore(_Contract):
    """Everybody goes over right before each call, and is back before the next."""

    when = ("back", "before")


class TestMovedAfter(_Contract):
    """Everybody goes over right after each call, and is back before the next."""

    when = ("back", "after")


class TestMovedInTheMiddle(_Contract):
    """Everybody who is in the old store goes over between any two steps of a call."""

    when = ("back", "steps")


class TestFrozenInTheMiddle(_Contract):
    """Everybody who is in the old store departs between any two steps of a call, and no further."""

    when = ("back", "frozen")


class TestStepByStep(_Contract):
    """Several processes, each stopped between any two of its steps over the two stores."""

    when = ("back",)

    @pytest.fixture(params=["sync"])
    def mode(self, request: pytest.FixtureRequest) -> Mode:
        mode: Mode = request.param
        return mode

    @pytest.fixture
    def steps(self) -> Steps | None:
        return MovingSteps()
