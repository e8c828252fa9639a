"""A `MovingStore` keeps every promise, wherever its sessions are and whenever they go over."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from coatcheck.testing import StoreContract
from coatcheck.testing.contract.departing import Departing
from coatcheck.testing.kit import Kit, Mode
from tests.moves import Around, sudden

ALL = "COATCHECK_MOVES" in os.environ
"""Whether every class runs in both modes, as in `make endurance`; else what the other classes and modes do not show."""
BOTH: list[Mode] = ["sync", "async"]


class _OverTwo(StoreContract):
    """Without what is asked of a single store, that sessions can be moved to it and away."""

    vars().update({name: None for name in vars(Departing) if name.startswith("test_")})


class _Contract(_OverTwo):
    when: tuple[str, ...]

    @pytest.fixture(params=BOTH if ALL else BOTH[:1])
    def mode(self, request: pytest.FixtureRequest) -> Mode:
        """Both are thin drivers of one protocol."""
        mode: Mode = request.param
        return mode

    @pytest.fixture
    def open_store(self) -> Callable[[Mode], Any]:
        return Around(*self.when).open


class TestBefore(_Contract):
    """The contract before a move: everything is in the old store."""

    when = ("unbegun",)


class TestBegun(_Contract):
    """While a move goes on: what is new is in the new store."""

    __test__ = ALL
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

    __test__ = ALL
    when = ("back", "after")


class TestMovedInTheMiddle(_Contract):
    """Everybody who is in the old store goes over between any two steps of a call."""

    when = ("back", "steps")

    @pytest.fixture(params=BOTH)
    def mode(self, request: pytest.FixtureRequest) -> Mode:
        mode: Mode = request.param
        return mode


class TestFrozenInTheMiddle(_Contract):
    """Everybody who is in the old store departs between any two steps of a call, and no further."""

    when = ("back", "frozen")


class TestSQLiteToRedis(_OverTwo):
    """Over real stores: a move begins in the middle of every call, for what it stores in the old one."""

    @pytest.fixture(params=BOTH if ALL else BOTH[1:])
    def mode(self, request: pytest.FixtureRequest) -> Mode:
        mode: Mode = request.param
        return mode

    @pytest.fixture
    def urls(self, tmp_path: Path, redis_url: str) -> str:
        return f"sqlite:///{tmp_path}/sessions.db -> {redis_url}"

    @pytest.fixture
    def open_store(self, urls: str) -> Callable[[Mode], Any]:
        """One for each kit: a namespace of its own."""
        space = f"kit-{uuid4().hex[:12]}"
        return lambda mode: sudden(urls, mode, space)

    @pytest.fixture
    def kit(self, mode: Mode, open_store: Callable[[Mode], Any]) -> Kit:
        kit = Kit(mode, open_store)
        kit._namespace = open_store(mode).namespace
        return kit

    test_namespaces_share_nothing = None  # type: ignore[assignment]  # here a kit has one
    test_parallel_logins_stay_within_the_limit = None  # type: ignore[assignment]
    """A move begins once, and decision 0016 says what two logins at that moment do."""


class TestRedisToPostgreSQL(TestSQLiteToRedis):
    """The same."""

    __test__ = ALL

    @pytest.fixture
    def urls(self, redis_url: str, postgres_url: str) -> str:
        return f"{redis_url} -> {postgres_url}"
