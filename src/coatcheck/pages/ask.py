"""A request for a page, without a framework, and how its answer comes about.

A page's answer is a generator. It yields what a manager's method returned, which is a value or something to await,
and is sent the value: so it is written once for both kinds of manager.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl

from ..errors import ConfigurationError
from ..manager import AsyncSessionManager, SessionManager
from ..replies import Reply, reply
from ..session import Session

MAX_BODY = 16_384
"""Bytes of a form. Whoever reads one stops there."""
_MAX_FIELDS = 20

Steps = Generator[Any, Any, Reply]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to a mounted page. `path` is what follows the mount, "" or "/" for its first page; `base` is the mount
    itself, as a browser names it, without a slash at its end."""

    method: str
    path: str
    base: str
    session: Session
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict, repr=False)


def cut(found: list[T], most: int) -> tuple[list[T], T | None]:
    """What one page shows of a list that was asked for with one more, and the last of it where another page follows."""
    return found[:most], found[most - 1] if len(found) > most else None


def base_of(whole: str, below: str) -> str:
    """Where a page is mounted: a request's whole path without what follows the mount, and without a slash there."""
    return whole[: len(whole) - len(below)].rstrip("/")


def too_large() -> Reply:
    """The answer to a form of more than `MAX_BODY` bytes."""
    return reply(413, "This form is too large", f"It may have {MAX_BODY} bytes.")


class Page(Protocol):
    """What can be mounted."""

    def steps(self, ask: Ask, manager: Any) -> Steps:
        """The way to its answer."""
        ...


def fields(text: str | bytes) -> dict[str, str]:
    """The fields of a query or of a short form; of one that is there twice the first. What is more than twenty, or no
    UTF-8, is left out."""
    if isinstance(text, str):
        text = text.encode("ascii", "replace")  # a server may hand on what is no text at all
    text = text[:MAX_BODY].decode("ascii", "replace")
    found: dict[str, str] = {}
    for name, value in parse_qsl("&".join(text.split("&", _MAX_FIELDS)[:_MAX_FIELDS]), errors="replace"):
        found.setdefault(name, value)
    return found


def answer(page: Page, ask: Ask, manager: SessionManager) -> Reply:
    """The answer, with a synchronous manager. Raises `StoreUnavailable`; `ConfigurationError` for what would have to be
    awaited."""
    steps = page.steps(ask, manager)
    try:
        value = next(steps)
        while True:
            # Not as a value: whatever an asynchronous `allowed` would say, its coroutine counts as true.
            if isawaitable(value):
                if isinstance(value, Coroutine):
                    value.close()
                raise ConfigurationError("a page of synchronous code asks no `async def`: make `allowed` a plain one")
            value = steps.send(value)
    except StopIteration as done:
        reply: Reply = done.value
        return reply


async def answer_async(page: Page, ask: Ask, manager: AsyncSessionManager) -> Reply:
    """The same, awaited."""
    steps = page.steps(ask, manager)
    try:
        value = next(steps)
        while True:
            value = steps.send(await value if isawaitable(value) else value)
    except StopIteration as done:
        reply: Reply = done.value
        return reply
