"""The managers: what an application creates once. Sync and async are thin drivers of the same engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from . import jwt_token, token
from .clock import Clock, system_clock
from .connect import SecretSetting, check_namespace, open_keyring, open_store
from .cookies import Cookie, CookieSettings
from .directory import Directory
from .engine import KEEP, Commit, Engine, Plan, UserField
from .errors import ConfigurationError, SessionDataError, StoreUnavailable
from .events import Events, Subscriber
from .info import Client, ClientSource, SessionInfo
from .keyring import Keyring
from .policy import Policy
from .session import Session, UserId
from .store import AsyncMeets, AsyncStore, Meets, Stats, Store
from .tickets import AsyncTickets, TicketEngine, Tickets

S = TypeVar("S", Store, AsyncStore)
T = TypeVar("T")

_FORMATS: dict[str, token.Format] = {"signed": token, "jwt": jwt_token}


class _Manager(Generic[S]):
    """What both have in common: settings, keys, cookie, events. Constructing does no I/O."""

    _opener: str

    def __init__(
        self,
        store: str | S | None = None,
        *,
        secret: SecretSetting = None,
        policy: Policy | None = None,
        cookie: CookieSettings | None = None,
        namespace: str = "coatcheck",
        user_field: UserField = None,
        token_format: Literal["signed", "jwt"] = "signed",
        near_cache: bool = False,
        record_client: bool = True,
        clock: Clock = system_clock,
    ) -> None:
        """Everything has a good default.

        `store` is a URL, a store object, or None for the environment's `COATCHECK_STORE`. `secret` is one
        key or several, the newest first, of 32 bytes or more each; None: the environment's, else an embedded
        store's own. `policy` says how long sessions live, `cookie` what their cookie looks like. `namespace`
        keeps applications that share a store apart, and names the cookie. `user_field` names the field
        (or is a callable on the session) that holds the user's id in code that never calls `login`.
        `token_format`: "signed", 86 characters; or "jwt", the same reference in a JWT of about 190, for gateways
        that insist on one. `near_cache` is not built yet. `record_client`: whether address and browser are kept
        for lists of devices. `clock` returns seconds since the epoch, for tests.

        Raises `ConfigurationError` for settings that contradict themselves.
        """
        if token_format not in _FORMATS:
            raise ConfigurationError(f'token_format={token_format!r}: "signed" or "jwt"')
        if near_cache:
            raise ConfigurationError("near_cache=True: this version has no near cache; leave it out")
        if policy is not None and not isinstance(policy, Policy):
            raise ConfigurationError(f"policy: a Policy(...), not a {type(policy).__name__}")
        if cookie is not None and not isinstance(cookie, CookieSettings):
            raise ConfigurationError(f"cookie: CookieSettings(...), not a {type(cookie).__name__}")
        if not callable(clock):
            raise ConfigurationError("clock: a callable that returns seconds since the epoch")
        self.namespace = check_namespace(namespace)
        self.policy = policy or Policy()
        self.store: S = open_store(store, namespace, self._opener)
        if not isinstance(secret, (str, bytes, Iterable, type(None))):
            raise ConfigurationError("secret: text, bytes, or a list of them. Make one with `coatcheck keygen`.")
        self._secret = secret if secret is None or isinstance(secret, (str, bytes)) else list(secret)
        self._keys: Keyring | None = None
        self._unmet = True
        if self._secret is not None:
            self._keyring()
        self._events = Events()
        self.engine = Engine(
            keyring=self._keyring,
            policy=self.policy,
            clock=clock,
            events=self._events,
            user_field=user_field,
            record_client=record_client,
            tokens=_FORMATS[token_format],
            offset=lambda: self.store.offset,
        )
        self._directory = Directory(self.engine)
        self.ticket_engine = TicketEngine(self.engine, self._keyring, namespace)
        """The plans behind `tickets`, for `carry_out`."""
        self.cookie = Cookie(cookie or CookieSettings(), namespace, self.engine.verify)
        """Reads the Cookie header, and writes the response's headers."""
        self._begin()

    def _begin(self) -> None:
        """What differs."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.namespace} on {type(self.store).__name__}>"

    def _keyring(self) -> Keyring:
        if self._keys is None:
            self._keys = open_keyring(self._secret, self.store, self.namespace)
        return self._keys

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber(event)` for every event from now on; returns the function that stops it."""
        return self._events.subscribe(subscriber)


def _instant(before: datetime | None) -> float | None:
    if before is not None and before.tzinfo is None:
        raise ValueError("before needs a time zone: datetime.now(UTC)")
    return None if before is None else before.timestamp()


class SessionManager(_Manager[Store]):
    """Sessions for synchronous code: WSGI, scripts, workers. Safe to share between threads, and after a fork."""

    _opener = "open_sync"

    tickets: Tickets
    """Issues and redeems short-lived, single-use JWTs."""

    def _begin(self) -> None:
        self.tickets = Tickets(self.ticket_engine, self._drive)

    def _meet(self) -> None:
        """Let a store that has a clock of its own compare ours, before anything is computed from it."""
        if isinstance(self.store, Meets):
            self.store.meet()
        self._unmet = False

    def _drive(self, plan: Plan[T]) -> T:
        if self._unmet:
            self._meet()
        try:
            method, arguments = next(plan)
            while True:
                try:
                    result = getattr(self.store, method)(*arguments)
                except (StoreUnavailable, SessionDataError) as error:
                    method, arguments = plan.throw(error)
                else:
                    method, arguments = plan.send(result)
        except StopIteration as done:
            value: T = done.value
            return value

    def carry_out(self, plan: Plan[T]) -> T:
        """Carry out a plan over this manager's store: what an integration adds to the verbs below."""
        return self._drive(plan)

    def load(
        self, token: str | None, client: ClientSource = None, *, began: float | None = None, held: float = 0.0
    ) -> Session:
        """The session that a token names; an anonymous one for None, a bad token or an ended session.

        `began` is the request's arrival in seconds since the epoch, where the load comes later than that;
        `held` the seconds for which a proxy may have kept it before that, as nginx keeps an upload.
        Raises `StoreUnavailable` when the store does not answer, never for a bad token.
        """
        session, shown = self.engine.begin(token, client, began, held)
        if shown is not None:
            if self._unmet:
                self._meet()
            value = self.store.load(shown.handle)
            if not self.engine.admit(session, shown, value):
                self._drive(self.engine.turn_away(session, shown, value))
        return session

    def commit(self, session: Session, *, failed: bool = False) -> Commit:
        """Store what changed, and say what to tell the client. `failed`: the request failed, so nothing but a
        logout happens.

        Raises `SessionEnded` for a write after the session's end, `ReauthenticationRequired` for a login
        that `revoke_user` overtook, `SessionDataError`, `StoreUnavailable`.
        """
        if self.engine.idle(session):
            return KEEP
        return self._drive(self.engine.commit(session, failed))

    @contextmanager
    def open(self, token: str | None, client: Client | None = None) -> Iterator[Session]:
        """Load, and commit unless the block raises: for scripts. The commit's outcome is not returned, so use
        it where the client's token need not change."""
        session = self.load(token, client)
        yield session
        self.commit(session)

    def sessions(
        self,
        user_id: UserId,
        limit: int = 100,
        after: str | None = None,
        current: Session | str | None = None,
    ) -> list[SessionInfo]:
        """The user's live sessions, newest first; `after` (a handle) continues a list, `current` is marked."""
        return self._drive(self._directory.sessions(user_id, limit, after, current))

    def info(self, handle: str) -> SessionInfo | None:
        """A live session by its handle, or None."""
        return self._drive(self._directory.info(handle))

    def revoke(self, handle: str, reason: str = "revoked", user_id: UserId | None = None) -> bool:
        """End one session, at once; False if none was live. `user_id`: only if it is that user's, for pages."""
        return self._drive(self._directory.revoke(handle, reason, user_id))

    def revoke_user(self, user_id: UserId, keep: Session | str | None = None, reason: str = "revoked") -> int:
        """End all of a user's sessions, at once, and refuse logins that arrived before; how many ended.

        `keep` spares one: a Session (also one about to log in) or a handle.
        """
        return self._drive(self._directory.revoke_user(user_id, keep, reason))

    def revoke_all(self, before: datetime | None = None, reason: str = "revoked") -> int:
        """End every session created up to `before` (None: now); how many."""
        return self._drive(self._directory.revoke_all(_instant(before), reason))

    def update_user(self, user_id: UserId, fields: Mapping[str, Any]) -> int:
        """Write fields into all of a user's live sessions, and logins of the next minute; how many sessions."""
        return self._drive(self._directory.update_user(user_id, dict(fields)))

    def purge(self) -> int:
        """Delete what is over and forgotten, in small batches; how many rows."""
        return self._drive(self._directory.purge())

    def stats(self) -> Stats:
        """Counts of the whole namespace. May be slow on a large store."""
        return self._drive(self._directory.stats())

    def close(self) -> None:
        """Give the connections back."""
        self.store.close()

    def __enter__(self) -> SessionManager:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncSessionManager(_Manager[AsyncStore]):
    """Sessions for asynchronous code: the same constructor, the same methods, awaited."""

    _opener = "open_async"

    tickets: AsyncTickets
    """Issues and redeems short-lived, single-use JWTs."""

    def _begin(self) -> None:
        self.tickets = AsyncTickets(self.ticket_engine, self._drive)

    async def _meet(self) -> None:
        """As `SessionManager._meet`."""
        if isinstance(self.store, AsyncMeets):
            await self.store.meet()
        self._unmet = False

    async def _drive(self, plan: Plan[T]) -> T:
        if self._unmet:
            await self._meet()
        try:
            method, arguments = next(plan)
            while True:
                try:
                    result = await getattr(self.store, method)(*arguments)
                except (StoreUnavailable, SessionDataError) as error:
                    method, arguments = plan.throw(error)
                else:
                    method, arguments = plan.send(result)
        except StopIteration as done:
            value: T = done.value
            return value

    async def carry_out(self, plan: Plan[T]) -> T:
        """As `SessionManager.carry_out`."""
        return await self._drive(plan)

    async def load(
        self, token: str | None, client: ClientSource = None, *, began: float | None = None, held: float = 0.0
    ) -> Session:
        """As `SessionManager.load`."""
        engine = self.engine
        session, shown = engine.begin(token, client, began, held)
        if shown is not None:
            if self._unmet:
                await self._meet()
            value = await self.store.load(shown.handle)
            if not engine.admit(session, shown, value):
                await self._drive(engine.turn_away(session, shown, value))
        return session

    async def commit(self, session: Session, *, failed: bool = False) -> Commit:
        """As `SessionManager.commit`."""
        if self.engine.idle(session):
            return KEEP
        return await self._drive(self.engine.commit(session, failed))

    @asynccontextmanager
    async def open(self, token: str | None, client: Client | None = None) -> AsyncIterator[Session]:
        """As `SessionManager.open`."""
        session = await self.load(token, client)
        yield session
        await self.commit(session)

    async def sessions(
        self,
        user_id: UserId,
        limit: int = 100,
        after: str | None = None,
        current: Session | str | None = None,
    ) -> list[SessionInfo]:
        """As `SessionManager.sessions`."""
        return await self._drive(self._directory.sessions(user_id, limit, after, current))

    async def info(self, handle: str) -> SessionInfo | None:
        """As `SessionManager.info`."""
        return await self._drive(self._directory.info(handle))

    async def revoke(self, handle: str, reason: str = "revoked", user_id: UserId | None = None) -> bool:
        """As `SessionManager.revoke`."""
        return await self._drive(self._directory.revoke(handle, reason, user_id))

    async def revoke_user(self, user_id: UserId, keep: Session | str | None = None, reason: str = "revoked") -> int:
        """As `SessionManager.revoke_user`."""
        return await self._drive(self._directory.revoke_user(user_id, keep, reason))

    async def revoke_all(self, before: datetime | None = None, reason: str = "revoked") -> int:
        """As `SessionManager.revoke_all`."""
        return await self._drive(self._directory.revoke_all(_instant(before), reason))

    async def update_user(self, user_id: UserId, fields: Mapping[str, Any]) -> int:
        """As `SessionManager.update_user`."""
        return await self._drive(self._directory.update_user(user_id, dict(fields)))

    async def purge(self) -> int:
        """As `SessionManager.purge`."""
        return await self._drive(self._directory.purge())

    async def stats(self) -> Stats:
        """As `SessionManager.stats`."""
        return await self._drive(self._directory.stats())

    async def aclose(self) -> None:
        """Give the connections back."""
        await self.store.close()

    async def __aenter__(self) -> AsyncSessionManager:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
