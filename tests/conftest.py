"""Fixtures for every test, and what happens to tests whose program this machine lacks."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.cluster import Cluster
from tests.servers import PostgresServer, RedisServer, needed

NEEDS = {
    "redis": "redis-server",
    "postgresql": "postgresql",
    "pgbouncer": "pgbouncer",
    "browser": "chromium",
    "curl": "curl",
    "valgrind": "valgrind",
    "nginx": "nginx",
}
"""Mark of a test, and the program that it needs."""

# A busy machine must not fail a test: nothing here measures time.
settings.register_profile("coatcheck", deadline=None, print_blob=True)
settings.load_profile("coatcheck")

# A shell lets what it starts with `&` ignore ctrl-C, and so would the servers that are started here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the Redis fixtures, so that nobody can forget to."""
    for item in items:
        for mark, fixture in (("redis", "redis_server"), ("redis", "redis_cluster"), ("postgresql", "postgres_server")):
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose program is missing; with CI=true fail it."""
    for mark, program in NEEDS.items():
        if item.get_closest_marker(mark):
            needed(program)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, which every supported framework and driver has."""
    return "asyncio"


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One real redis-server for the whole run. Tests that pause or stop one start their own `RedisServer`."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty database on that server."""
    redis_server.cli("FLUSHDB")
    return redis_server.url


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[Cluster]:
    """A Redis Cluster for the whole session, for tests that leave its nodes as they are."""
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster_url(redis_cluster: Cluster) -> str:
    """The URL of an empty cluster."""
    redis_cluster.empty()
    return redis_cluster.url


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL for the whole session."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of an empty database on that server."""
    postgres_server.empty()
    return f"{postgres_server.url}?create=1"
