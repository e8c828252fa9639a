"""What a framework's module makes, and what its pages and the proofs know of each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from .asking import Asking

KINDS = ("read", "untouched", "write", "login", "list", "revoke")
"""Classes of request."""
ROLE = "administrator"
LIFETIME = 14 * 24 * 3600
"""Seconds."""
PER_USER = 2
"""Sessions of each visitor who asks for a list."""


class Crowd:
    """Who comes, and what was done for whom: the pages and the proofs share it, no library sees it."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self.next: str | None = None
        """Who signs in next; None is somebody new."""
        self.signed_in: list[tuple[str, str | None]] = []
        """Who signed in, and by which public name the session can be revoked, if there is one."""
        self.written: dict[str, int] = {}
        self.victims: dict[str, list[str]] = {}
        """Sessions to revoke, by user."""

    def arrive(self) -> dict[str, Any]:
        """Who signs in now: what their session holds, or their token claims."""
        user = self.next or f"newcomer-{next(self._numbers)}"
        return {"sub": user, "role": ROLE, "n": 3}

    def arrived(self, user: str, handle: str | None = None) -> str:
        """Somebody has signed in; the page."""
        self.signed_in.append((user, handle))
        return ROLE

    def write(self, user: str) -> int:
        """What a page writes into the field `n` of that user's session."""
        number = self.written[user] = next(self._numbers)
        return number

    def victim(self, user: str) -> str:
        """A session to revoke."""
        return self.victims[user].pop()


crowd = Crowd()


def shown(user: Any, role: Any, n: Any) -> str:
    """The page that reads. Raises nothing for nobody."""
    return f"{user} {role} {n}"


def changed(user: Any) -> str:
    """The page that writes."""
    return f"{user} {ROLE}"


UNTOUCHED = shown("somebody", ROLE, 3)


@dataclass
class Subject:
    """One way to know who asks, in one framework."""

    name: str
    apps: dict[str, Any]
    """By class of request. What is missing it cannot do."""
    ours: bool = False
    bearer: bool = False
    """The credential is a token in a header, and a login's body; else a cookie."""
    carried: bool = False
    """The data lies with the client."""
    saves: bool = False
    """It writes to its store, or sends its cookie, although nothing was changed."""
    near: bool = False
    """Reads are answered from this process."""
    passes: set[str] = field(default_factory=set)
    """Classes that are not measured, since another subject's are the same."""
    watch: str | None = None
    """The Redis, or the SQLite file, whose word is taken for what was read and written."""


@dataclass
class World:
    """A framework."""

    asking: Asking
    bare: Any
    subjects: list[Subject] = field(default_factory=list)
    versions: tuple[str, ...] = ()
    loop: bool = True
    """Whether it runs on an event loop, and so can have several requests in flight."""


@dataclass(frozen=True)
class Place:
    """Where stores are: a URL each, None where the server is not installed."""

    folder: str
    redis: str | None
    postgresql: str | None
    secret: str

    def sqlite(self, name: str) -> str:
        """The URL of a file of that name."""
        return f"sqlite:///{self.folder}/{name}.db"


Pages = dict[str, Callable[..., Any]]
