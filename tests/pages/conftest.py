"""A clock that stands still, and a site under it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette

import tests.quiet  # noqa: F401
from coatcheck.testing import FakeClock
from tests.pages.site import Visitor, site

Visits = Callable[..., Visitor]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def app(clock: FakeClock, tmp_path: Path) -> Starlette:
    """Over a file of its own: memory would be the process's."""
    return site(clock, f"sqlite:///{tmp_path}/{uuid.uuid4().hex}.db")


@pytest.fixture
def visits(app: Starlette) -> Visits:
    """Makes visitors: `visits("ada")` is signed in, `visits()` is not."""

    def make(user: str | None = None, agent: str = "curl/8", **login: str) -> Visitor:
        return Visitor(app, user, agent, **login)

    return make
