"""The PostgreSQL store keeps every promise."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from coatcheck.testing import StoreContract
from tests.servers import PostgresServer


class TestPostgreSQL(StoreContract):
    """The contract, over a real server."""

    @pytest.fixture
    def open_store(self, postgres_url: str) -> str:
        return postgres_url

    @pytest.fixture
    def dump(self, postgres_server: PostgresServer) -> Callable[[], bytes]:
        def read() -> bytes:
            with psycopg.connect(postgres_server.url) as connection:
                rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
                found = b""
                for (table,) in rows:
                    for row in connection.execute(f'SELECT * FROM "{table}"').fetchall():
                        found += b"\0".join(one if isinstance(one, bytes) else str(one).encode() for one in row)
                return found

        return read
