"""Sessions in Redis or Valkey 6.2 and newer: one key a session, read by one GET.

Every change is a compare-and-set: Python applies it to what it read, and a script saves it if that is still
there. Logins, ends, replacements, revocations and tickets are one atomic script each, on keys of one hash slot.
An end is acknowledged when the primary has it (`?wait=N`: and N replicas). Reads go to the primary.
"""

from __future__ import annotations

from ...errors import ConfigurationError

try:
    import redis as redis
except ImportError:
    raise ConfigurationError("the Redis store needs redis-py: pip install 'coatcheck[redis]'") from None

from .asynchronous import AsyncRedisStore as AsyncRedisStore
from .blocking import RedisStore as RedisStore
from .url import parse as _parse


def open_sync(url: str, namespace: str) -> RedisStore:
    """The store that a URL names."""
    return RedisStore(_parse(url), namespace=namespace)


def open_async(url: str, namespace: str) -> AsyncRedisStore:
    """The same, for asynchronous callers."""
    return AsyncRedisStore(_parse(url), namespace=namespace)
