"""3: a Redis that begins to evict while the application runs, as after a failover to one that does."""

from __future__ import annotations

import pytest

from coatcheck.errors import ConfigurationError
from coatcheck.stores.redis import talk
from coatcheck.token import new_handle
from tests.redis_tools import opened
from tests.servers import RedisServer

pytestmark = pytest.mark.redis


def test_a_server_that_evicts_by_now_is_refused_within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the clock it is looked at again; once it is set right, the same store serves."""
    monkeypatch.setattr(talk, "_CLOCK_EVERY", 0.0)
    with RedisServer() as server, opened(server.url) as store:
        store.load(new_handle(None))
        server.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        store.load(new_handle(None))
        with pytest.raises(ConfigurationError, match="maxmemory-policy noeviction"):
            store.load(new_handle(None))
        server.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
        assert store.load(new_handle(None)) is None
