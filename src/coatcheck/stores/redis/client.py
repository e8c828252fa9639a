"""A synchronous client of our own, of what a URL names."""

from __future__ import annotations

from typing import Any

import redis
import redis.sentinel
from redis.backoff import NoBackoff
from redis.retry import Retry

from .hosts import Node
from .talk import CONNECT, REPLY
from .url import Target


def opened(target: Target, node: Node | None) -> Any:
    """The client; `node` says which of a cluster's it is of. No I/O."""
    return target.client(
        redis,
        node,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=CONNECT,
        socket_timeout=REPLY,
        # One for each thread that is in a call. The driver's own limit would fail the others.
        max_connections=2**31,
    )
