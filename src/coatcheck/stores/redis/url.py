"""From a store's URL, or from a client that the application has, to what the stores need to know. No I/O."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

import redis
from redis.client import NEVER_DECODE

from ...errors import ConfigurationError
from . import hosts, sentinel
from .hosts import Node
from .sentinel import Sentinels

PORT = 6379

_SEVERAL = re.compile(r"[a-z]+\+(?:sentinel|cluster)://([^/?#]*)")

_SCHEMES = {"valkey": "redis", "valkeys": "rediss"}


class Target(NamedTuple):
    """Where a URL points."""

    url: str
    """As redis-py reads it."""
    wait: int
    """How many replicas have to confirm a write."""
    where: str
    """Host, port and database, for messages."""
    sentinels: Sentinels | None = None
    """Who knows where the primary is; None: the URL does."""
    nodes: tuple[Node, ...] = ()
    """Some of a cluster's; none: it is no cluster."""

    def __repr__(self) -> str:
        return f"<Target {self.where}>"  # the URL may hold a password

    def client(self, driver: Any, node: Node | None, **settings: Any) -> Any:
        """A client, by `redis` or `redis.asyncio`; in a cluster of that node."""
        if self.sentinels is not None:
            return sentinel.client(driver, self.url, self.sentinels, settings)
        url = self.url
        if node is not None:
            parts = urlsplit(url)
            url = parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{node.netloc}").geturl()
        return driver.Redis.from_url(url, **settings)


def parse(url: str) -> Target:
    """The target of a URL. Raises `ConfigurationError`, never with the URL in its text: it may hold a password."""
    try:
        return _read(url)
    except (ValueError, TypeError, redis.RedisError):
        raise ConfigurationError(
            "the store's URL is not understood. Write redis://user:password@host:6379/0 (rediss:// for TLS, "
            "unix:///path/to/socket, redis+sentinel://host1,host2/service, redis+cluster://host1,host2), with special "
            "characters of the password percent-encoded; after a question mark may follow wait=N (replicas that "
            "confirm a write) and settings of redis-py's connections"
        ) from None


def _read(url: str) -> Target:
    # Python takes one host: an address in brackets after a comma is none to it.
    several = _SEVERAL.match(url)
    netloc = several[1] if several else ""
    if netloc.count("@") > 1:
        raise ValueError  # one login is for all hosts, and stands before the first
    parts = urlsplit(f"{url[: several.start(1)]}h{url[several.end(1) :]}" if several else url)
    pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    options = dict(pairs)
    wait = int(options.pop("wait", "0"))
    for name in ("decode_responses", "protocol"):  # records are bytes, and feeds are of RESP2
        options.pop(name, None)
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError  # of two of a kind one would be ignored
    sentinels: Sentinels | None = None
    nodes: tuple[Node, ...] = ()
    if parts.scheme.endswith("+sentinel"):
        sentinels, parts = sentinel.read(netloc, parts, options)
        url = parts.geturl()
    elif parts.scheme.endswith("+cluster"):
        nodes, parts = _cluster(netloc, parts)
        if options.get("db", "0") != "0":
            raise ValueError
        url = parts.geturl()
    scheme = _SCHEMES.get(parts.scheme, parts.scheme)
    if scheme == "rediss" and options.get("ssl_cert_reqs") != "none":
        # redis-py before 6 checks no name: whoever has a certificate of that authority would get the password.
        options.setdefault("ssl_check_hostname", "true")
    # redis-py takes database 0 for a name that is no number, and localhost where a "#" in the password cuts off
    # the rest.
    if wait < 0 or parts.fragment or not (scheme == "unix" or re.fullmatch(r"/?\d*", parts.path)):
        raise ValueError
    address = url.partition(":")[2].partition("?")[0]
    plain = f"{scheme}:{address}?{urlencode(options)}"
    pool = redis.ConnectionPool.from_url(plain)
    pool.connection_class(**pool.connection_kwargs)
    where = place(pool)
    if sentinels:
        where = _elsewhere(sentinels.service)
    elif nodes:
        where = f"the cluster of {', '.join(node.netloc for node in nodes)}"
    return Target(plain, wait, where, sentinels, nodes)


def _cluster(netloc: str, parts: SplitResult) -> tuple[tuple[Node, ...], SplitResult]:
    """The nodes of a URL, and the URL of one with the same login and options."""
    login, _, servers = netloc.rpartition("@")
    scheme = parts.scheme.removesuffix("+cluster")
    if parts.path.strip("/") not in ("", "0") or scheme == "unix":
        raise ValueError  # a cluster has but one database, and is no socket
    return hosts.read(servers, PORT), parts._replace(scheme=scheme, netloc=f"{login}@h", path="/0")


def place(pool: Any) -> str:
    """Where a pool connects to, without user and password."""
    if service := getattr(pool, "service_name", None):
        return _elsewhere(service)
    known = pool.connection_kwargs
    if path := known.get("path"):
        return f"{path} (database {known.get('db') or 0})"
    return f"{known.get('host', 'localhost')}:{known.get('port', 6379)}/{known.get('db') or 0}"


def _elsewhere(service: str) -> str:
    return f"the primary that Sentinel calls {service}"


def check_client(client: Any, kind: type[Any], name: str) -> None:
    """Raises `ConfigurationError` for a client that the store called `name` cannot use."""
    if not isinstance(client, kind):
        raise ConfigurationError(
            f"{name} takes a {kind.__module__.removesuffix('.client')}.{kind.__name__}, not a "
            f"{type(client).__module__}.{type(client).__name__}. For a cluster write redis+cluster://host1,host2"
        )
    if getattr(client.connection_pool, "cache", None) is not None:
        # Such a cache goes on serving a session for a while after it has ended.
        raise ConfigurationError(f"{name}: give it a client without a client-side cache (cache_config)")


def reading(client: Any) -> dict[str, Any]:
    """What to add to each command, so that replies stay bytes: a lone surrogate could not be decoded."""
    return {NEVER_DECODE: True} if client.get_encoder().decode_responses else {}
