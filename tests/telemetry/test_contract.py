"""An instrumented store keeps every promise that it kept before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from coatcheck import Policy
from coatcheck.offload import Inline
from coatcheck.stores.memory import MemoryStore
from coatcheck.telemetry import instrument
from coatcheck.testing import StoreContract
from coatcheck.testing.kit import Kit, Mode

from .telling import Told


class TestTold(StoreContract):
    """The contract, over managers that tell all that they can."""

    @pytest.fixture
    def open_store(self) -> Callable[[str], MemoryStore | Inline]:
        store = MemoryStore()
        return lambda mode: store if mode == "sync" else Inline(store)

    @pytest.fixture
    def kit(self, mode: Mode, open_store: Callable[[str], Any], told: Told) -> Kit:
        class Instrumented(Kit):
            def manager(self, policy: Policy | None = None, **settings: Any) -> Any:
                manager = super().manager(policy, **settings)
                instrument(getattr(manager, "subject", manager), told.meters, told.tracers, enduser_id=True)
                return manager

        return Instrumented(mode, open_store)
