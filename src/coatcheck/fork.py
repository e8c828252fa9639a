"""Connections belong to one process: a child of fork leaves its parent's alone, and opens its own."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """What holds connections."""

    def forked(self) -> object:
        """Called in the child: let go of all connections and locks; what is returned is kept, never closed."""


_all: WeakSet[Forkable] = WeakSet()
_abandoned: list[object] = []


def watch(subject: Forkable) -> None:
    """Tell `subject` when it finds itself in a child."""
    _all.add(subject)


def _in_child() -> None:
    # Closing them here would say goodbye in the parent's name (TLS), or stop its event loop from listening.
    _abandoned.extend(subject.forked() for subject in list(_all))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
