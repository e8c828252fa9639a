"""What an application hands over in place of a URL: a pool or an engine that it has. No I/O, and no import of
SQLAlchemy: who has an engine of it has imported it."""

from __future__ import annotations

import sys
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

from ...errors import ConfigurationError
from .server import left
from .url import Target, where

KINDS = (("sqlalchemy", "Engine"), ("sqlalchemy.ext.asyncio", "AsyncEngine"))


def is_engine(given: object, *, asynchronous: bool) -> bool:
    """Whether it is an engine of SQLAlchemy, of that kind."""
    module, name = KINDS[asynchronous]
    return isinstance(given, getattr(sys.modules.get(module), name, ()))


def target_of(given: Any) -> Target:
    """Where a pool of psycopg's, or an engine, leads: for messages, and for a feed, which has a connection of its own.
    Raises `ConfigurationError`, never with what it read in its text: that may hold a password."""
    if hasattr(given, "dialect"):
        conninfo, options = "", given.dialect.create_connect_args(given.url)[1]
    else:
        conninfo, options = given.conninfo, given.kwargs
    if callable(conninfo) or callable(options):
        return Target("", "a server that the application names")
    known = {one.keyword.decode() for one in Conninfo.get_defaults()}
    try:
        conninfo = make_conninfo(conninfo, **{name: value for name, value in (options or {}).items() if name in known})
        return Target(conninfo, where(conninfo_to_dict(conninfo)))
    except (ValueError, psycopg.Error):
        raise ConfigurationError("the conninfo of the pool, or the URL of the engine, is not libpq's") from None


def unfit(given: object, *, asynchronous: bool) -> ConfigurationError:
    """For what is none of all these."""
    store, pool, engine = (
        ("AsyncPostgreSQLStore", "AsyncConnectionPool", "AsyncEngine")
        if asynchronous
        else ("PostgreSQLStore", "ConnectionPool", "Engine")
    )
    return ConfigurationError(
        f"{store} takes a URL, a psycopg_pool.{pool} or an {engine} of SQLAlchemy, and no {type(given).__name__}. "
        "A single connection, or a session, is in the application's transaction: hand over what it comes from"
    )


def limit(connection: Any) -> None:
    """Until `unlimit`, each wait of an application's connection is over at its `deadline` (monotonic)."""
    wait = connection.wait

    def limited(gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        return wait(gen, interval, left(connection.deadline) if timeout is None else timeout)

    connection.wait = limited


def unlimit(connection: Any) -> None:
    """The application waits as long as it likes."""
    vars(connection).pop("deadline", None)
    del connection.wait


def is_replica(connection: Any) -> bool:
    """Whether its server says so by itself, from PostgreSQL 14 on: after a failover the application's pool may have
    connected to one, which is behind."""
    return bool(connection.info.parameter_status("in_hot_standby") == "on")
