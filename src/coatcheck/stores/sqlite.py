"""Sessions in one SQLite file, for any number of processes of one machine: the embedded default."""

from __future__ import annotations

from ..errors import ConfigurationError
from .sqlite_async import AsyncSQLiteStore as AsyncSQLiteStore
from .sqlite_store import SQLiteStore as SQLiteStore


def _path(url: str) -> str:
    rest = url.partition("://")[2]
    if not rest.startswith("/") or len(rest) < 2:
        raise ConfigurationError("sqlite:///sessions.db is a file beside you, sqlite:////srv/sessions.db one at a path")
    if ":memory:" in rest:
        raise ConfigurationError("a SQLite database in memory is not shared by anybody: use memory://")
    return rest[1:]


def open_sync(url: str, namespace: str) -> SQLiteStore:
    """The store in the file that a URL names: three slashes and a relative path, or four and an absolute one."""
    return SQLiteStore(_path(url), namespace=namespace)


def open_async(url: str, namespace: str) -> AsyncSQLiteStore:
    """The same, for asynchronous callers."""
    return AsyncSQLiteStore(open_sync(url, namespace))
