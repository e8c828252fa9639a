"""What a person at a terminal is told while one long call is waited for: a line on stderr, which is rewritten."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from coatcheck.errors import CoatcheckError

from . import output

EVERY = 2.0
"""Seconds between two forms of the line: each may have the store count."""


class Counted:
    """How much is done."""

    def __init__(self) -> None:
        self.number: int = 0
        """So much."""

    def add(self, number: int = 1) -> None:
        """So much more."""
        self.number += number


@contextmanager
def counted(what: str, *, quiet: bool) -> Iterator[Counted]:
    """Show how much the body counts, as in "12,000 sessions exported, 8,100 a second"."""
    done = Counted()
    with shown(lambda seconds: f"{done.number:,} {what}, {done.number / seconds:,.0f} a second", quiet=quiet):
        yield done


@contextmanager
def shown(line: Callable[[float], str], *, quiet: bool) -> Iterator[None]:
    """Show `line(seconds)`, from a thread of its own, while the body works, and take it away at its end.

    Nothing is shown, and `line` not called, if `quiet` or where stderr is no terminal. A line that cannot be had, as
    its store is busy, is left out.
    """
    if quiet or not sys.stderr.isatty():
        yield
        return
    done, began = threading.Event(), time.monotonic()

    def tell() -> None:
        while not done.wait(EVERY):
            try:
                text = line(time.monotonic() - began)
            except CoatcheckError:
                continue
            if not done.is_set():
                sys.stderr.write(f"\r\x1b[K{output.plain(text)}")
                sys.stderr.flush()

    thread = threading.Thread(target=tell, name="coatcheck-waiting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
