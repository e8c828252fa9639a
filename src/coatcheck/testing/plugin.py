"""Fixtures for the tests of applications. Nothing loads them unasked: in the topmost `conftest.py` write
`pytest_plugins = ["coatcheck.testing.plugin"]`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from .clock import FakeClock
from .log_in import log_in

__all__ = ["coatcheck_clock", "coatcheck_log_in", "coatcheck_settings"]


@pytest.fixture
def coatcheck_clock() -> FakeClock:
    """A clock that stands still until the test moves it: `coatcheck_clock.advance(timedelta(days=31))`."""
    return FakeClock()


@pytest.fixture
def coatcheck_settings(coatcheck_clock: FakeClock) -> dict[str, Any]:
    """What to give a manager, a middleware or an extension: a store in memory that is this test's alone, and
    `coatcheck_clock`."""
    return {"store": "memory://", "namespace": f"test-{uuid4().hex[:12]}", "clock": coatcheck_clock}


@pytest.fixture
def coatcheck_log_in() -> Callable[..., str]:
    """`log_in`: `coatcheck_log_in(client, "ada", role="editor")` signs a test client in."""
    return log_in
