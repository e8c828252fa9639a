"""An SDK in memory, and managers over each kind of store, synchronous and not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from coatcheck.testing.kit import Kit

from .telling import Told


@pytest.fixture
def told() -> Iterator[Told]:
    """What an application's SDK was told."""
    told = Told()
    yield told
    told.close()


@pytest.fixture(params=["memory", "sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store."""
    if request.param == "redis":
        return str(request.getfixturevalue("redis_url"))
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/sessions.db"


@pytest.fixture(params=["sync", "async"])
def kit(request: pytest.FixtureRequest, url: str) -> Kit:
    """Managers over it, with an awaitable face."""
    return Kit(request.param, url)
