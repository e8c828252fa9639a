"""Connections belong to one process: a child of fork leaves its parent's alone, and opens its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """What holds connections."""

    def forked(self) -> object:
        """Called in the child: let go of all connections and locks; what is returned is kept, never closed."""


class Settling(Protocol):
    """What must be in the midst of nothing when its process is forked."""

    def before_fork(self) -> Callable[[], object]:
        """Called in the parent: finish, and begin nothing until what is returned is called. That is in the parent."""
        ...


_all: WeakSet[Forkable] = WeakSet()
_settling: WeakSet[Settling] = WeakSet()
_abandoned: list[object] = []
_forking = threading.local()


def watch(subject: Forkable) -> None:
    """Tell `subject` when it finds itself in a child."""
    _all.add(subject)


def settle(subject: Settling) -> None:
    """Have `subject` settle before each fork."""
    _settling.add(subject)


def _before() -> None:
    _forking.resume = [subject.before_fork() for subject in list(_settling)]


def _in_parent() -> None:
    for resume in _forking.__dict__.pop("resume", ()):
        resume()


def _in_child() -> None:
    _forking.__dict__.clear()
    # Closing them here would say goodbye in the parent's name (TLS), or stop its event loop from listening.
    _abandoned.extend(subject.forked() for subject in list(_all))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
