"""Which store a manager gets: what does not fit is named before the first request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck.errors import ConfigurationError
from coatcheck.stores.memory import AsyncMemoryStore, MemoryStore
from coatcheck.stores.redis import AsyncRedisStore, RedisStore
from coatcheck.stores.sqlite import AsyncSQLiteStore, SQLiteStore
from coatcheck.testing.kit import KEY


def test_a_store_of_the_other_kind_is_named() -> None:
    """Else the first request ends in a riddle about coroutines."""
    with pytest.raises(ConfigurationError, match="needs an asynchronous store, and MemoryStore is not"):
        AsyncSessionManager(MemoryStore(), secret=KEY)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="needs a synchronous store, and AsyncMemoryStore is not"):
        SessionManager(AsyncMemoryStore(MemoryStore()), secret=KEY)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "thing", [redis.Redis(), redis.asyncio.Redis(), Path("sessions.db"), 5], ids=["sync", "async", "path", "number"]
)
def test_what_is_no_store_is_named(thing: Any) -> None:
    """A Redis client, or an engine, is the usual mistake, and the message says what to write."""
    with pytest.raises(ConfigurationError, match=r"is no store.*RedisStore\(client\).*PostgreSQLStore\(pool\)"):
        SessionManager(thing, secret=KEY)


def test_a_store_and_its_manager_have_one_namespace(tmp_path: Path) -> None:
    """Two applications would share sessions, or a cookie, and nobody would see it."""
    client, aio = redis.Redis(), redis.asyncio.Redis()
    path = tmp_path / "sessions.db"
    for store in (RedisStore(client, namespace="shop"), SQLiteStore(path, namespace="shop")):
        with pytest.raises(ConfigurationError, match="namespace='shop' and the manager 'blog'"):
            SessionManager(store, namespace="blog", secret=KEY)
        SessionManager(store, namespace="shop", secret=KEY)
    for other in (AsyncRedisStore(aio, namespace="shop"), AsyncSQLiteStore(SQLiteStore(path, namespace="shop"))):
        with pytest.raises(ConfigurationError, match="give both the same"):
            AsyncSessionManager(other, namespace="blog", secret=KEY)
        AsyncSessionManager(other, namespace="shop", secret=KEY)


@pytest.mark.parametrize("setting", [{"secret": 5}, {"policy": 3600}, {"clock": 7}], ids=str)
def test_a_setting_of_the_wrong_type_is_named(setting: dict[str, Any]) -> None:
    """At construction, not at the first login."""
    with pytest.raises(ConfigurationError, match=f"{next(iter(setting))}: "):
        SessionManager("memory://", **setting)
