"""Django keeps every promise: under gunicorn, and with coroutines for views under uvicorn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coatcheck.testing import AppContract, Site
from tests.apps.served import site

pytestmark = pytest.mark.redis


class TestDjango(AppContract):
    """The HTTP-level contract under WSGI."""

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls) -> Iterator[Site]:
        with site("django") as made:
            yield made


class TestDjangoAsync(AppContract):
    """The HTTP-level contract under ASGI."""

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls) -> Iterator[Site]:
        with site("django-async") as made:
            yield made
