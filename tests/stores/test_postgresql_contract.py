"""The PostgreSQL store keeps every promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from coatcheck.stores import postgresql
from coatcheck.stores.postgresql import AsyncPostgreSQLStore, PostgreSQLStore
from coatcheck.testing import StoreContract
from coatcheck.testing.contract.crowds import Crowds
from coatcheck.testing.contract.ending import Ending
from coatcheck.testing.contract.ticketing import Ticketing
from coatcheck.testing.contract.user_races import UserRaces
from tests.patience import patient
from tests.servers import PostgresServer


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take its time to connect: what the limits are for is in test_postgresql_faults.py."""
    patient(monkeypatch)


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


class _OverEngine(PostgreSQLStore):
    """With an engine of its own, which ends with it; tables are made at the first use."""

    def __init__(self, url: str, namespace: str) -> None:
        self._engine = create_engine(url)
        super().__init__(self._engine, namespace=namespace)
        self._server._create = True

    def close(self) -> None:
        super().close()
        self._engine.dispose()


class _OverAsyncEngine(AsyncPostgreSQLStore):
    def __init__(self, url: str, namespace: str) -> None:
        self._engine = create_async_engine(url)
        super().__init__(self._engine, namespace=namespace)
        self._server._create = True

    async def close(self) -> None:
        await super().close()
        await self._engine.dispose()


class TestEngine(Crowds, UserRaces, Ending, Ticketing):
    """What overlaps and what ends, over engines of SQLAlchemy. The rest asks the same statements as over a URL."""

    dump, steps, mode, kit = StoreContract.dump, StoreContract.steps, StoreContract.mode, StoreContract.kit

    @pytest.fixture
    def open_store(self, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
        def opener(kind: Any) -> Callable[[str, str], Any]:
            return lambda url, namespace: kind(url.partition("?")[0].replace("://", "+psycopg://"), namespace)

        monkeypatch.setattr(postgresql, "open_sync", opener(_OverEngine))
        monkeypatch.setattr(postgresql, "open_async", opener(_OverAsyncEngine))
        return postgres_url
