"""Fixtures of the tests that break a real Redis."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.faults.shop import Shop

Opener = Callable[..., Shop]


@pytest.fixture
async def shop() -> AsyncIterator[Opener]:
    """Makes shops, and closes them at the end."""
    async with contextlib.AsyncExitStack() as closing:

        def opener(store: Any, *args: Any, **settings: Any) -> Shop:
            made = Shop(store, *args, **settings)
            closing.push_async_callback(made.aclose)
            return made

        yield opener
