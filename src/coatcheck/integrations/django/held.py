"""What a store of Django's holds: a `coatcheck.Session`, and the key under which Django knows it."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from typing import Any, Self

from django.contrib.sessions.backends.base import SessionBase
from django.utils.asyncio import async_unsafe

from ...engine import KEEP
from ...manager import AsyncSessionManager, SessionManager
from ...session import Session
from ...token import looks_like_handle
from . import managers


class SessionKey(str):
    """A session's handle, 22 characters. The token, in memory alone, lets `SessionStore(key)` load it; a column,
    a log or a pickle gets the handle, which is no credential."""

    token: str | None

    def __new__(cls, handle: str, token: str | None) -> SessionKey:
        """A handle, and the token for it if it is known."""
        made = super().__new__(cls, handle)
        made.token = token
        return made

    def __reduce__(self) -> Any:
        return str, (str(self),)


class Held(SessionBase):  # type: ignore[misc]  # untyped base
    """The mapping that `SessionBase` makes of `_get_session()`, over the core session's fields."""

    def __init__(self, session_key: str | None = None) -> None:
        """`session_key`: a token, or the `session_key` of another store; a bare handle loads nothing."""
        # Not the base class's: its state is the core session's.
        self._given = session_key if session_key and len(session_key) >= 8 else None
        self._core: Session | None = None
        self._manager: SessionManager | AsyncSessionManager | None = None
        self._bound = self._set = False
        self._token: tuple[str | None, str | None] = (None, None)
        self._told = KEEP

    @classmethod
    def of_request(cls, manager: SessionManager | AsyncSessionManager, core: Session, token: str | None) -> Self:
        """The store of a request behind our middleware."""
        made = cls()
        made._bound = True
        made._open(manager, core, token)
        return made

    # -- loading -----------------------------------------------------------------------------------------

    def _get_session(self, no_load: bool = False) -> Session:
        core = self._load(no_load) if self._core is None else self._core
        core.accessed = True
        return core

    async def _aget_session(self, no_load: bool = False) -> Session:
        core = await self._aload(no_load) if self._core is None else self._core
        core.accessed = True
        return core

    _session = property(_get_session)

    @async_unsafe  # type: ignore[untyped-decorator]  # Django ships no types
    def _load(self, no_load: bool = False) -> Session:
        manager, token = self._sync(), None if no_load else self._shown
        return self._open(manager, manager.load(token), token)

    async def _aload(self, no_load: bool = False) -> Session:
        manager, token = self._async(), None if no_load else self._shown
        return self._open(manager, await manager.load(token), token)

    def load(self) -> dict[str, Any]:
        """The fields as they are in the store now; empty for a key that is no credential. What was written here and is
        not saved yet stays as it is."""
        return dict(managers.alone_manager().load(self._stored))

    async def aload(self) -> dict[str, Any]:
        """As `load`."""
        return dict(await managers.async_alone_manager().load(self._stored))

    @property
    def _stored(self) -> str | None:
        return self._shown if self._core is None else self._token[1]

    @property
    def _shown(self) -> str | None:
        token: str | None = getattr(self._given, "token", self._given)
        return token

    @property
    def _named(self) -> str | None:
        """The handle that it was made from, if that was no credential, and as long as nothing else is stored."""
        key = self._given
        bare = key and looks_like_handle(key) and getattr(key, "token", None) is None
        return key if bare and (self._core is None or self._core.is_new) else None

    def _open(self, manager: SessionManager | AsyncSessionManager, core: Session, token: str | None) -> Session:
        self._manager, self._core = manager, core
        self._token = (None, None) if core.is_new else (core.handle, token)
        core.accessed = False
        return core

    def _sync(self) -> SessionManager:
        return managers.sync_manager() if self._bound else managers.alone_manager()

    def _async(self) -> AsyncSessionManager:
        return managers.async_manager() if self._bound else managers.async_alone_manager()

    # -- what it is --------------------------------------------------------------------------------------

    @property
    def core(self) -> Session:
        """The core session. Loads it; does not count as a look at it."""
        return self._load() if self._core is None else self._core

    async def acore(self) -> Session:
        """As `core`."""
        return await self._aload() if self._core is None else self._core

    def followed(self) -> Session:
        """The core session, which knows by now who has logged in. Loads it."""
        core: Session = self._get_session()
        if self._manager is not None:
            self._manager.engine.follow_user_field(core)
        return core

    @property
    def session_key(self) -> str | None:
        """With our middleware the handle, also right after a login; alone the token; None while nothing is stored."""
        if self._core is None:
            return self._given
        handle = self.followed().handle
        if not self._bound:
            return self._token[1]
        if handle is None:
            return None
        return SessionKey(handle, self._token[1] if self._token[0] == handle else None)

    @property
    def _session_key(self) -> str | None:
        return self.session_key

    @_session_key.setter
    def _session_key(self, key: str | None) -> None:
        self._given, self._core = key, None

    @property
    def accessed(self) -> bool:
        """Whether anybody has looked at it: then the response varies by cookie."""
        return self._core is not None and self._core.accessed

    @accessed.setter
    def accessed(self, value: bool) -> None:
        if self._core is not None:
            self._core.accessed = value

    @property
    def modified(self) -> bool:
        """Whether a commit would write. Changes deep in a value are noticed; setting it is never needed."""
        return self._set or (self._core is not None and self._core.modified)

    @modified.setter
    def modified(self, value: bool) -> None:
        self._set = value

    def is_empty(self) -> bool:
        """Whether there is neither a session in the store nor anything to put there."""
        return not self.session_key and (self._core is None or dict.__len__(self._core) == 0)
