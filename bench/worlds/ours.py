"""Coatcheck's managers: the stores are as they come, and no setting is changed but those in the name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple, TypeVar

from .world import Place, Subject

Manager = TypeVar("Manager")
_numbers = count(1)

READS = {"read", "untouched", "list"}
"""What the first of two managers serves; the rest comes by the other, as by another process."""


class Kept(NamedTuple):
    """One store of ours, as a contender."""

    name: str
    url: str
    namespace: str
    near: bool = False

    def subject(self, place: Place, make: Callable[..., Manager], apps: Callable[[Manager, Manager], Any]) -> Subject:
        """`make` is the class of the managers; `apps` makes the applications of a manager that reads and of another."""
        settings = {"secret": place.secret, "namespace": self.namespace}
        reads, changes = make(self.url, near_cache=self.near, **settings), make(self.url, **settings)
        # What changes goes past the cache: with it or without, that is the same.
        passes = {"write", "login", "list", "revoke"} if self.near else set[str]()
        apps_ = apps(reads, changes)
        return Subject(self.name, apps_, ours=True, near=self.near, passes=passes, watch=self.watched())

    def watched(self) -> str | None:
        """What shows that the store was asked."""
        return self.url if self.url.startswith(("redis:", "sqlite:")) else None


def kept(world: str, place: Place, *stores: str) -> Iterator[Kept]:
    """Those of the stores that this machine has, each with a namespace of its own."""
    urls = {
        "memory": "memory://",
        "SQLite": place.sqlite(world),
        "Redis": place.redis,
        "PostgreSQL": place.postgresql and f"{place.postgresql}?create=1",
        "Redis, near cache": place.redis,
    }
    for store in stores:
        url = urls[store]
        if url is not None:
            yield Kept(f"Coatcheck, {store}", url, f"{world}-{next(_numbers)}", near="near" in store)
