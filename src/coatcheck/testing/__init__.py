"""Tests that ship: what must hold in every store, for third-party stores too, and a clock for your own tests.

Needs the extra `coatcheck[testing]`; nothing else imports pytest.
"""

from ..errors import ConfigurationError

try:
    import httpx as _httpx  # noqa: F401 (the kit's browser stands on it)
    import pytest
except ImportError as _error:  # pragma: no cover
    raise ConfigurationError('pytest or httpx is missing: pip install "coatcheck[testing]"') from _error

# Before they are imported: pytest then says what the two sides of a failed assert were.
pytest.register_assert_rewrite("coatcheck.testing.contract", "coatcheck.testing.app_contract")

from .app_contract import AppContract as AppContract  # noqa: E402
from .app_contract import Site as Site  # noqa: E402
from .clock import FakeClock as FakeClock  # noqa: E402
from .log_in import log_in as log_in  # noqa: E402
from .store_contract import StoreContract as StoreContract  # noqa: E402

__all__ = ["AppContract", "FakeClock", "Site", "StoreContract", "log_in"]
