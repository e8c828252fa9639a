"""The SQLite store keeps every promise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from coatcheck.testing import StoreContract


class TestSQLite(StoreContract):
    """The contract, over one file that several managers open."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/sessions.db"

    @pytest.fixture
    def dump(self, tmp_path: Path) -> Callable[[], bytes]:
        return lambda: b"".join(path.read_bytes() for path in tmp_path.iterdir())
