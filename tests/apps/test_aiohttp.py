"""aiohttp keeps every promise, on its own server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coatcheck.testing import AppContract, Site
from tests.apps.served import site

pytestmark = pytest.mark.redis


class TestAiohttp(AppContract):
    """The HTTP-level contract."""

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls) -> Iterator[Site]:
        with site("aiohttp") as made:
            yield made
