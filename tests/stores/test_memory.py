"""The store in memory keeps every promise."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from coatcheck.stores.memory import AsyncMemoryStore, MemoryStore
from coatcheck.testing import StoreContract


class TestMemory(StoreContract):
    """The contract, over one process's memory."""

    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    @pytest.fixture
    def open_store(self, store: MemoryStore) -> Callable[[str], MemoryStore | AsyncMemoryStore]:
        return lambda mode: store if mode == "sync" else AsyncMemoryStore(store)

    @pytest.fixture
    def dump(self, store: MemoryStore) -> Callable[[], bytes]:
        return lambda: repr({name: value for name, value in vars(store).items() if name != "_secret"}).encode()
