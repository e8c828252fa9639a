"""Bottle keeps every promise over the plain middleware, under gunicorn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coatcheck.testing import AppContract, Site
from tests.apps.served import site

pytestmark = pytest.mark.redis


class TestBottle(AppContract):
    """The HTTP-level contract."""

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls) -> Iterator[Site]:
        with site("bottle") as made:
            yield made
