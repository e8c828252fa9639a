"""What the tests of stores on a server that fails have in common."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SECRET = "what nobody may read in a log"

Load = Callable[[str], Callable[[str], Any]]
"""A function of a URL that makes a function that loads by handle."""


@contextmanager
def loading(mode: str, module: Any, namespace: str) -> Iterator[Load]:
    """One over a store's module, "sync" or "async"; what was opened is closed at the end."""
    closing: list[Callable[[], Any]] = []

    def over(url: str) -> Callable[[str], Any]:
        if mode == "sync":
            store = module.open_sync(url, namespace)
            closing.append(store.close)
            load: Callable[[str], Any] = store.load
            return load
        runner = asyncio.Runner()
        other = module.open_async(url, namespace)
        closing.extend([lambda: runner.run(other.close()), runner.close])
        return lambda handle: runner.run(other.load(handle))

    yield over
    for close in closing:
        close()


def told(error: BaseException) -> str:
    """All that a log would show of an error."""
    return "".join(traceback.format_exception(error)) + repr(error)
