"""From a store's URL to what libpq takes, and to what is ours. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ...errors import ConfigurationError

POOL_SIZE = 10


class Target(NamedTuple):
    """Where a URL points."""

    conninfo: str
    """As libpq reads it."""
    where: str
    """Host and port, for messages."""
    create: bool = False
    """Whether tables that are missing are made at the first use."""
    pool_size: int = POOL_SIZE
    """Connections that a process, or an event loop, may have."""

    @property
    def pool(self) -> dict[str, Any]:
        """What a pool of ours is made with."""
        given = conninfo_to_dict(self.conninfo)
        connection = {
            "autocommit": True,
            # No statement is prepared on the server: behind pgbouncer the next one may meet another.
            "prepare_threshold": None,
            "connect_timeout": 2,
            # With each connection: after a failover the same name may lead to a replica, which is behind.
            "target_session_attrs": given.get("target_session_attrs") or "primary",
        }
        return {
            "conninfo": self.conninfo,
            "kwargs": connection,
            "min_size": 0,
            "max_size": self.pool_size,
            "name": "coatcheck",
        }


def parse(url: str) -> Target:
    """The target of a URL, or of a libpq connection string. Raises `ConfigurationError`, never with the URL in its
    text: it may hold a password."""
    try:
        return _read(url)
    except (ValueError, psycopg.Error):
        raise ConfigurationError(
            "the store's URL is not understood. Write postgresql://user:password@host:5432/database, with special "
            "characters of the password percent-encoded; after a question mark may follow create=1 (make the tables "
            "where they are missing), pool_size=N, and libpq's own parameters, such as sslmode=verify-full"
        ) from None


def _read(url: str) -> Target:
    parts = urlsplit(url) if "://" in url else None
    options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query))) if parts else {}
    create, size = options.pop("create", "0") == "1", int(options.pop("pool_size", POOL_SIZE))
    plain = parts._replace(query=urlencode(options)).geturl() if parts else url
    known = conninfo_to_dict(plain)
    # libpq cuts at the first "@", urlsplit at the last: what follows is a part of a password that was not encoded.
    if size < 1 or "@" in str(known.get("host")) or not re.fullmatch(r"\d*(,\d*)*", str(known.get("port") or "")):
        raise ValueError
    return Target(plain, where(known), create, size)


def where(known: Mapping[str, Any]) -> str:
    """Host and port of what libpq takes."""
    return f"{known.get('host') or 'its local socket'}:{known.get('port') or 5432}"
