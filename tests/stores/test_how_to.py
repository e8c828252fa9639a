"""The store of docs/how-to/write-a-store.md keeps every promise: what a reader copies is right."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coatcheck.offload import Inline
from coatcheck.testing import StoreContract

PAGE = Path(__file__).parents[2] / "docs/how-to/write-a-store.md"


class TestHowTo(StoreContract):
    """The contract, over the class that the page shows."""

    @pytest.fixture
    def open_store(self) -> Callable[[str], Any]:
        shown: dict[str, Any] = {}
        block = re.search(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        assert block
        exec(compile(block[1], str(PAGE), "exec", dont_inherit=True), shown)
        store = shown["LockedStore"]()
        return lambda mode: store if mode == "sync" else Inline(store)

    @pytest.fixture
    def dump(self, open_store: Callable[[str], Any]) -> Callable[[], bytes]:
        return lambda: repr(vars(open_store("sync"))).encode()
