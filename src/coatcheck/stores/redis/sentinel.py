"""A primary that Sentinel names: `redis+sentinel://user:password@host1,host2:26379/service`. No I/O."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import SplitResult

from redis.connection import parse_url

from . import hosts
from .hosts import Node

PORT = 26_379


class Sentinels(NamedTuple):
    """Who knows where the primary is."""

    hosts: tuple[Node, ...]
    service: str
    """What they call it."""
    login: dict[str, str]
    """Their own user and password."""


def read(netloc: str, parts: SplitResult, options: dict[str, str]) -> tuple[Sentinels, SplitResult]:
    """The Sentinels of a URL, and the URL of a Redis with the same login, database and options. Takes its own out of
    the options. Raises `ValueError`."""
    login, _, servers = netloc.rpartition("@")
    service, _, database = parts.path.removeprefix("/").partition("/")
    if not service:
        raise ValueError
    own = [name for name in ("username", "password") if f"sentinel_{name}" in options]
    known = {name: options.pop(f"sentinel_{name}") for name in own}
    sentinels = Sentinels(hosts.read(servers, PORT), service, known)
    scheme = parts.scheme.removesuffix("+sentinel")
    return sentinels, parts._replace(scheme=scheme, netloc=f"{login}@h" if login else "h", path=f"/{database}")


def client(driver: Any, url: str, sentinels: Sentinels, settings: dict[str, Any]) -> Any:
    """A client of the primary, by `redis` or `redis.asyncio`: each new connection asks who that is."""
    given: dict[str, Any] = dict(parse_url(url))  # type: ignore[no-untyped-call]
    secure = given.pop("connection_class", None) is not None
    for name in ("host", "port"):
        given.pop(name, None)
    tls = {name: value for name, value in given.items() if name.startswith("ssl_")} | {"ssl": secure}
    asked = settings | tls | sentinels.login
    # The one that asks has no timer around it, as a lane has around a trip.
    asked["socket_timeout"] = asked.get("socket_timeout") or settings["socket_connect_timeout"]
    finder = driver.sentinel.Sentinel(list(sentinels.hosts), sentinel_kwargs=asked)
    return finder.master_for(sentinels.service, **(settings | given | {"ssl": secure}))


def others(subject: Any) -> list[Any]:
    """The clients that a client has of its Sentinels."""
    manager = getattr(subject.connection_pool, "sentinel_manager", None)
    return [] if manager is None else list(manager.sentinels)
