"""The library does what its model says, over each store, whatever clients do and in whichever order.

`COATCHECK_MODEL_EXAMPLES=2000` lets a machine run so many examples a store, each time others, and tells how far it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coatcheck import token
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.redis import open_sync
from coatcheck.stores.sqlite import SQLiteStore
from tests.model.machine import Machine, OpenStore, repeatable
from tests.model.running import explore
from tests.patience import patient
from tests.redis_tools import connected

LONG = int(os.environ.get("COATCHECK_MODEL_EXAMPLES", "0"))
EVERY = 100
"""Examples of the long form between two lines that tell how far it is."""


Run = Callable[[str, OpenStore, int], None]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """So many examples over a store, or as many as the environment says."""
    monkeypatch.setattr(token, "secrets", repeatable)
    Machine.counts.clear()

    def tell(name: str, what: object) -> None:
        with capfd.disabled():
            sys.stderr.write(f"\n{name}: {what}")

    def run(name: str, open_store: OpenStore, examples: int) -> None:
        counts = Machine.counts

        def opened(namespace: str) -> Any:
            if LONG and counts["examples"] % EVERY == 0:
                tell(name, f"{counts['examples']} of {LONG} examples, {counts['steps']} steps")
            return open_store(namespace)

        explore(opened, LONG or examples, repeat=not LONG)
        if LONG:
            tell(name, dict(counts.most_common()))

    return run


def test_the_store_in_memory_does_what_the_model_says(run: Run) -> None:
    """Nothing is lost, what has ended stays ended, who copies a cookie is found: in any order of anything."""
    run("memory", lambda namespace: MemoryStore(), 300)


def test_sqlite_does_what_the_model_says(run: Run, tmp_path: Path) -> None:
    """The same, in a file."""
    run("sqlite", lambda namespace: SQLiteStore(tmp_path / "sessions.db", namespace=namespace), 80)


def test_redis_does_what_the_model_says(run: Run, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, on a real server."""
    patient(monkeypatch)
    with connected(redis_url) as client:

        def opened(namespace: str) -> Any:
            client.flushdb()  # `stats()` walks through all that is there
            return open_sync(redis_url, namespace)

        run("redis", opened, 60)
