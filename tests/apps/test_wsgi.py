"""A plain WSGI application keeps every promise, under gunicorn's processes and threads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coatcheck.testing import AppContract, Site
from tests.apps.served import site

pytestmark = pytest.mark.redis


class TestWsgi(AppContract):
    """The HTTP-level contract."""

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls) -> Iterator[Site]:
        with site("wsgi") as made:
            yield made
