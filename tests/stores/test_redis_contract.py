"""The Redis store keeps every promise."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest
import redis

from coatcheck.stores.redis import RedisStore
from coatcheck.testing import StoreContract
from coatcheck.testing.kit import Mode, Steps
from tests.cluster import Cluster


class RoundTrips:
    """Stops the store between two round trips of one call: there another server gets its turn."""

    def plan(self, store: RedisStore, method: str, arguments: tuple[Any, ...]) -> Generator[Any, Any, Any]:
        plans = store._plans if hasattr(store._plans, method) else store._travels
        plan: Generator[Any, Any, Any] = getattr(plans, method)(*arguments)
        return plan

    def carry_out(self, store: RedisStore, step: Any) -> Any:
        def one() -> Generator[Any, Any, Any]:
            return (yield step)

        # A number is a pause that makes room for others: they have had theirs.
        return None if isinstance(step, float) else store._drive(one())


def contents(client: redis.Redis) -> bytes:
    """As a replica or a backup would get it: every key and its whole value."""
    keys: list[bytes] = sorted(client.scan_iter())
    return b"".join(key + bytes(client.dump(key) or b"") for key in keys)


class TestRedis(StoreContract):
    """The contract, over a real redis-server."""

    @pytest.fixture
    def open_store(self, redis_url: str) -> str:
        return redis_url

    @pytest.fixture
    def steps(self, mode: Mode) -> Steps | None:
        return RoundTrips() if mode == "sync" else None

    @pytest.fixture
    def dump(self, redis_url: str) -> Callable[[], bytes]:
        def read() -> bytes:
            with redis.Redis.from_url(redis_url) as client:
                return contents(client)

        return read


class TestRedisCluster(StoreContract):
    """The contract, over a real cluster of six nodes."""

    @pytest.fixture
    def open_store(self, cluster_url: str) -> str:
        return cluster_url

    @pytest.fixture
    def steps(self, mode: Mode) -> Steps | None:
        return RoundTrips() if mode == "sync" else None

    @pytest.fixture
    def dump(self, redis_cluster: Cluster) -> Callable[[], bytes]:
        def read() -> bytes:
            found = b""
            for node in redis_cluster.primaries():
                with redis.Redis(host=node.host, port=node.port) as client:
                    found += contents(client)
            return found

        return read
