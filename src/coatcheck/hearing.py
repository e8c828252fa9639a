"""What a manager hears of its store: its near cache, those who watch sessions, and the thread that tells both."""

from __future__ import annotations

from typing import Any

from . import token
from .errors import ConfigurationError
from .feed import Feeds
from .listener import Hearer, Listener
from .near import Mark, Near
from .session import Session
from .watch import Watches


class Hearing:
    """Begins to listen where somebody first needs it."""

    def __init__(self, store: Any, near_cache: bool) -> None:
        """Raises `ConfigurationError` for a near cache over a store that tells nothing."""
        if near_cache and not isinstance(store, Feeds):
            raise ConfigurationError(
                f"near_cache=True: a {type(store).__name__} does not tell what changes (coatcheck.feed.Feeds)"
            )
        # Where the store is this process's memory, it is as near.
        wanted = near_cache and not getattr(store, "at_hand", False)
        self.near: Near | None = Near(strays=lambda: getattr(store, "strays", 0)) if wanted else None
        self.watches: Watches = Watches()
        hearers: list[Hearer] = [self.watches] if self.near is None else [self.near, self.watches]
        self._listener = Listener(store.feed, hearers) if isinstance(store, Feeds) else None

    def reading(self, near: Near, handle: str) -> Mark:
        """Before a read whose result the near cache may keep."""
        self._listen()
        return near.reading(handle)

    def watched(self, session: Session | str) -> str:
        """The handle of a session that is to be watched. Raises ValueError for one that is not stored."""
        handle = session.handle if isinstance(session, Session) else session
        if not handle or not token.looks_like_handle(handle):
            raise ValueError("only a session that is stored can be watched")
        self._listen()
        return handle

    def _listen(self) -> None:
        if self._listener is not None:
            self._listener.start()

    def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.close()
