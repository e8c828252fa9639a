"""A store: what it says of itself, and whether it tells what changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from coatcheck.errors import CoatcheckError
from coatcheck.feed import Feeds
from coatcheck.health import Check, Checkable, HasTwin
from coatcheck.manager import AsyncSessionManager
from coatcheck.store import Meets


def examine(manager: Any) -> Iterator[Check]:
    """A manager's store; of an asynchronous one its synchronous twin."""
    store = manager.store
    if isinstance(manager, AsyncSessionManager):
        twin = store.twin() if isinstance(store, HasTwin) else None
        if twin is None:
            text = f"{type(store).__name__} is asynchronous, and cannot be examined"
            yield Check("warn", "store", text, "Give the doctor its URL as well, or set COATCHECK_STORE")
        else:
            with closing(twin):
                yield from _look(twin, manager)
    else:
        yield from _look(store, manager)


def _look(store: Any, manager: Any) -> Iterator[Check]:
    if isinstance(store, Checkable):
        yield from (check for check in store.checks() if manager.secret_is_own or check.name != "key file")
    else:
        text = f"{type(store).__name__} has no checks(): what it promises is not known here"
        yield Check(
            "warn", "store", text, "memory:// is for one process, and forgets all at its end; see others' own pages"
        )
    if isinstance(store, Feeds) and isinstance(store, Meets):  # a file always does, once it is there
        yield _feed(store)


def _feed(store: Feeds) -> Check:
    """Never a warning: whoever has neither a near cache nor open connections needs none."""
    try:
        store.feed().close()
    except CoatcheckError as error:
        return Check("ok", "feed", f"none, so no near cache, and open connections end late: {error}")
    return Check("ok", "feed", "it tells what changes, for near_cache=True and open connections")
