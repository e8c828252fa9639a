"""Tests that ship: what must hold in every store, for third-party stores too, and a clock for your own tests.

Needs the extra `coatcheck[testing]`; nothing else imports pytest.
"""

import pytest

# Before they are imported: pytest then says what the two sides of a failed assert were.
pytest.register_assert_rewrite("coatcheck.testing.contract")

from .clock import FakeClock as FakeClock  # noqa: E402
from .store_contract import StoreContract as StoreContract  # noqa: E402

__all__ = ["FakeClock", "StoreContract"]
