"""Fixtures for the tests of single stores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.patience import patient
from tests.redis_tools import connected, opened


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time limits: for tests of the Redis store that are not about time."""
    patient(monkeypatch)


@pytest.fixture
def store(redis_url: str) -> Iterator[Any]:
    """The Redis store, over an empty database; other stores' tests bring their own."""
    with opened(redis_url) as store:
        yield store


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    """The test's own client of that database."""
    with connected(redis_url) as client:
        yield client
