"""Sessions in PostgreSQL 13 and newer: one row a session, read by its primary key.

A change is a compare-and-set on the row's version; what concerns a user holds the row of the user's gate. Every write
is acknowledged when PostgreSQL says that it is durable (`synchronous_commit`). Reads go to the primary.
"""

from __future__ import annotations

from ...errors import ConfigurationError

try:
    import psycopg as psycopg
    import psycopg_pool as psycopg_pool
except ImportError:
    raise ConfigurationError("the PostgreSQL store needs psycopg: pip install 'coatcheck[postgresql]'") from None

from .asynchronous import AsyncPostgreSQLStore as AsyncPostgreSQLStore
from .blocking import PostgreSQLStore as PostgreSQLStore
from .schema import schema as schema


def open_sync(url: str, namespace: str) -> PostgreSQLStore:
    """The store that a URL names."""
    return PostgreSQLStore(url, namespace=namespace)


def open_async(url: str, namespace: str) -> AsyncPostgreSQLStore:
    """The same, for asynchronous callers."""
    return AsyncPostgreSQLStore(url, namespace=namespace)
