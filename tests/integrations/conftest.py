"""Fixtures of the tests that go through an application."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integrations.front import FLAVOURS, Flavour, Front


@pytest.fixture(params=FLAVOURS)
async def front(request: pytest.FixtureRequest) -> AsyncIterator[Front]:
    """Every flavour keeps the same promises."""
    flavour: Flavour = request.param
    front = Front(flavour)
    yield front
    await front.aclose()


@pytest.fixture
async def desk() -> AsyncIterator[Front]:
    """Bare ASGI alone, for what no framework can change."""
    front = Front()
    yield front
    await front.aclose()
