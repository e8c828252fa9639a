"""How far long work is, for who waits at a terminal: one line that is written anew, and nothing anywhere else."""

from __future__ import annotations

import sys
import time
from types import TracebackType

_EVERY = 0.5
"""Seconds between two looks."""


class Progress:
    """Counts what is done, as in "12,000 sessions exported, 8,100 a second"."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._shown = sys.stderr.isatty()
        self._began = self._told = time.monotonic()
        self.count: int = 0
        """How much is done."""

    def add(self, number: int = 1) -> None:
        """So much more is done."""
        self.count += number
        now = time.monotonic()
        if self._shown and now - self._told >= _EVERY:
            self._told = now
            sys.stderr.write(f"\r\x1b[K{self.count:,} {self._what}, {self.count / (now - self._began):,.0f} a second")
            sys.stderr.flush()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._shown and self._told != self._began:
            sys.stderr.write("\r\x1b[K")
