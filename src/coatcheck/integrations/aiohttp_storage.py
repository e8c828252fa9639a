"""The storage for the package `aiohttp_session`: `get_session`, `new_session` and `invalidate` over our sessions.

    setup(app, AsyncSessionManager("sqlite:///sessions.db", user_field="user_id"))
    aiohttp_session.setup(app, CoatcheckStorage())

More: docs/frameworks/aiohttp.md
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ..errors import ConfigurationError
from ..session import Session
from .aiohttp_visit import current, visit_of

try:
    import aiohttp_session
    from aiohttp import web
except ImportError as _error:  # pragma: no cover
    raise ConfigurationError("aiohttp_session is missing: pip install aiohttp-session") from _error

__all__ = ["CoatcheckStorage", "StoredSession"]


class StoredSession(aiohttp_session.Session):
    """What `get_session` gives: the package's own class, over the request's `Session`."""

    def __init__(self, session: Session) -> None:
        super().__init__(None, data=None, new=True)
        self._mapping = session
        self._session = session

    @property
    def new(self) -> bool:
        """Whether nothing of it is stored yet."""
        return self._session.is_new

    @property
    def identity(self) -> Any:
        """The session's handle, or None: never the credential."""
        return self._session.handle

    @property
    def created(self) -> int:
        """When it was created, in seconds since the epoch; a write does not change that."""
        info = self._session.info
        return int(info.created_at.timestamp()) if info else self._created

    @property
    def max_age(self) -> int | None:
        """What was set in this request."""
        return self._max_age

    @max_age.setter
    def max_age(self, value: int | None) -> None:
        self._max_age = value
        if value is not None:
            self._session.set_lifetime(idle=timedelta(seconds=value))

    def invalidate(self) -> None:
        """A logout."""
        self._session.logout()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._session!r}>"  # no values: a repr ends up in logs


class CoatcheckStorage(aiohttp_session.AbstractStorage):
    """For `aiohttp_session.setup(app, CoatcheckStorage())`, beside our own `setup`, whose middleware does the work.

    What aiohttp_session's code writes is committed with the request, in streams and websockets too. Cookie and
    lifetimes are the manager's; there is nothing to set here.
    """

    def __init__(self) -> None:
        super().__init__()

    async def load_session(self, request: web.Request) -> StoredSession:
        """The request's session. Raises `ConfigurationError` without our `setup`."""
        return StoredSession(visit_of(request).session)

    async def new_session(self) -> StoredSession:
        """A new session; the one that there was ends (`new_session` is what a login calls, against fixation).
        Raises `ConfigurationError` without our `setup`."""
        visit = current.get(None)
        if visit is None:
            raise ConfigurationError("no session here: call coatcheck.integrations.aiohttp.setup(app, manager) as well")
        visit.session.logout()
        return StoredSession(visit.session)

    async def save_session(
        self, request: web.Request, response: web.StreamResponse, session: aiohttp_session.Session
    ) -> None:
        """Nothing: our middleware commits."""
