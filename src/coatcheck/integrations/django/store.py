"""`request.session`, and the engine that `SESSION_ENGINE` names.

With our middleware a store belongs to its request: what it holds is committed once, by the middleware, and
`session_key` is the session's public handle. Alone (Channels, the test client, Django's own middleware) it loads
at first use, its verbs take effect at once, and `session_key` is the token: a credential.
"""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.utils.asyncio import async_unsafe

from ...engine import Commit
from ...errors import SessionEnded
from ...session import Session
from ...token import looks_like_handle
from . import managers
from .expiry import EXPIRY, Expiring


class SessionGone(UpdateError, SessionInterrupted):  # type: ignore[misc]  # untyped bases
    """`save()` of a session that has ended meanwhile. A view that lets it pass answers 400, as in Django."""


class SessionStore(Expiring):
    """A session of Django's, whose data lies in a `coatcheck.Session`."""

    excluded = False
    """Whether it stands where there is to be no session: nothing is stored."""

    # -- the middleware's part ---------------------------------------------------------------------------

    def prepare(self) -> Session:
        """The core session, ready for its commit."""
        core = self.core
        before = core.accessed
        self.followed()
        if core.is_new and EXPIRY in core:
            self._live(core[EXPIRY])  # a login's new session does not know it yet
        core.accessed = before
        return core

    def follow(self, before: SessionStore, ended: Commit, failed: bool) -> None:
        """Take the place of a request's store, and tell what that one had to tell. `ended`: of its logout."""
        core, changed = self.core, self.modified
        self._bound = True
        if self._told.action != "keep":
            return
        if core.handle is not None and core.handle == before.core.handle:
            self._told = before._told  # stored in this request, and loaded again
        elif core.handle is not None and changed and not failed:
            self._told = self._sync().engine.retold(core)  # another session, which the client is to go on with
        else:
            self._told = ended

    def renew(self) -> None:
        """The user has shown who they are, once more: a new session, also where Django keeps the old one."""
        core = self.followed()
        if core.user_id is not None and not core.is_new:
            core.login(core.user_id)
        if not self._bound:
            self._commit()  # `session_key` is the token: code that asks for it now has to get the new one

    # -- verbs -------------------------------------------------------------------------------------------

    def _commit(self) -> None:
        if self.excluded:
            return
        core, manager = self.prepare(), self._sync()
        try:
            self._note(manager.commit(core))
        except SessionEnded as error:
            raise SessionGone(str(error)) from error

    async def _acommit(self) -> None:
        if self.excluded:
            return
        core, manager = self.prepare(), self._async()
        try:
            self._note(await manager.commit(core))
        except SessionEnded as error:
            raise SessionGone(str(error)) from error

    def _note(self, result: Commit) -> None:
        if result.action != "keep":
            self._told, self._token = result, (self.followed().handle, result.token)
            self._set = self._set or result.action == "set"  # else Django's own middleware sets no cookie

    def _want(self, new: bool = False) -> None:
        core, manager = self._core, self._manager
        if core is None or manager is None:
            return
        if core.is_new:
            manager.engine.want(core)
        elif new:
            core.rotate()

    @async_unsafe  # type: ignore[untyped-decorator]  # Django ships no types
    def save(self, must_create: bool = False) -> None:
        """Store it now, a new one empty or not. Raises Django's `UpdateError` if it has ended meanwhile, and for one
        that is known by its handle alone."""
        if not must_create and (handle := self._named) is not None and self._sync().info(handle) is not None:
            raise _unopened(handle)
        self._get_session(no_load=must_create)
        self._want(new=must_create)
        self._commit()

    async def asave(self, must_create: bool = False) -> None:
        """As `save`."""
        if not must_create and (handle := self._named) is not None and await self._async().info(handle) is not None:
            raise _unopened(handle)
        await self._aget_session(no_load=must_create)
        self._want(new=must_create)
        await self._acommit()

    def create(self) -> None:
        """Store it now as a new session. One that it was before is replaced, not left behind."""
        self.save(must_create=True)

    async def acreate(self) -> None:
        """As `create`."""
        await self.asave(must_create=True)

    def cycle_key(self) -> None:
        """Replace handle and secret: with our middleware at the commit, alone at once."""
        self._get_session()
        if self._bound:
            self.followed().rotate()
        else:
            self.create()

    async def acycle_key(self) -> None:
        """As `cycle_key`."""
        await self._aget_session()
        if self._bound:
            self.followed().rotate()
        else:
            await self.acreate()

    def flush(self) -> None:
        """End it, with all its data: with our middleware at the commit, even of a request that fails; alone at once."""
        self.delete()

    async def aflush(self) -> None:
        """As `flush`."""
        await self.adelete()

    @async_unsafe  # type: ignore[untyped-decorator]  # Django ships no types
    def delete(self, session_key: str | None = None) -> None:
        """End the session of a stored `session_key`, at once; None: this one, as `flush`."""
        handle = self._other(session_key)
        if handle is not None:
            self._sync().revoke(handle, "logout")
        else:
            self._get_session().logout()
            if not self._bound:
                self._commit()
                self._given = None

    async def adelete(self, session_key: str | None = None) -> None:
        """As `delete`."""
        handle = self._other(session_key)
        if handle is not None:
            await self._async().revoke(handle, "logout")
        else:
            (await self._aget_session()).logout()
            if not self._bound:
                await self._acommit()
                self._given = None

    def _other(self, key: str | None) -> str | None:
        """The handle in a key that is not this session's own."""
        if key is None:
            # Ending asks for no credential: the application has it from its own tables.
            return self._named
        handle = self._handle(key)
        return None if self._core is not None and handle == self._core.handle else handle or key

    def _handle(self, key: str) -> str | None:
        shown = self._sync().engine.verify(getattr(key, "token", None) or key)
        return shown.handle if shown else key if looks_like_handle(key) else None

    @async_unsafe  # type: ignore[untyped-decorator]  # Django ships no types
    def exists(self, session_key: str | None) -> bool:
        """Whether a session of that key, as it was stored, is live."""
        handle = self._handle(session_key) if session_key else None
        return handle is not None and self._sync().info(handle) is not None

    async def aexists(self, session_key: str | None) -> bool:
        """As `exists`."""
        handle = self._handle(session_key) if session_key else None
        return handle is not None and await self._async().info(handle) is not None

    def clear(self) -> None:
        """Remove the fields that this request has seen."""
        self._get_session().clear()

    @classmethod
    def clear_expired(cls) -> None:
        """Delete what is over and forgotten: `manage.py clearsessions`."""
        managers.sync_manager().purge()

    @classmethod
    async def aclear_expired(cls) -> None:
        """As `clear_expired`."""
        await managers.async_manager().purge()


def _unopened(handle: str) -> UpdateError:
    return UpdateError(
        f"{handle} is a session's public name, and opens nothing: what was written here would go into a new session. "
        "manager_from(request).update_user(user_id, {...}) writes into all of a user's sessions"
    )
