"""The HTTP-level kit can fail: over a session that lives in the cookie alone, each of its promises is broken."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import pytest

from coatcheck import SessionManager
from coatcheck.testing import AppContract, Site
from coatcheck.testing.latch import Latch
from coatcheck.testing.visitor import Visitor
from tests.apps import served

KEPT = {"test_a_forged_cookie_is_nobody"}
"""What a signed cookie keeps as well."""
PROMISES = [name for name in vars(AppContract) if name.startswith("test_") and name not in KEPT]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Starlette's own session middleware behind the same routes."""
    commands = {"careless": (*served.UVICORN, "tests.apps.careless_app:app")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(served, "SERVERS", commands)
        with served.running("careless", "memory://") as url:
            yield Site(url, SessionManager("memory://", namespace="careless"), nullcontext)


@pytest.mark.parametrize("promise", PROMISES)
def test_a_library_that_keeps_the_session_in_the_cookie_is_caught(site: Site, promise: str) -> None:
    """Each test of the contract, run over it, is red."""
    scenario: Any = getattr(AppContract(), promise)
    with ThreadPoolExecutor(12) as pool, Latch() as latch:
        has = {"site": site, "visitor": Visitor(site.url, pool), "latch": latch}
        given = {name: has[name] for name in inspect.signature(scenario).parameters}
        with pytest.raises((AssertionError, ValueError, KeyError)):
            scenario(**given)
