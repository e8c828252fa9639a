"""The store contract. Read this first: it is all that a store has to do, and in which words.

A store keeps records by handle, finds them by user, and changes them atomically. It decides nothing: the
pure functions of `record`, `change` and `gate` do, called inside the store's own atomic step. What must hold:

* Absence is ended. Only `create` and `login` (and `replace`, for the new handle) write where nothing is.
* Each method is one atomic step for each session it touches, and acknowledged when it is durable.
* A fault raises `StoreUnavailable` within 2 s; absence is None; nothing is retried unless it is idempotent.

`coatcheck.testing.StoreContract` checks all of it. `now` is always the caller's, in seconds since the epoch.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from .change import Change as Change
from .codec import Wire
from .gate import Gate as Gate
from .record import Ended as Ended
from .record import Record as Record

Held = Record | Ended | None
"""A live session, one that has ended (by a tombstone or by time), or nothing."""


class Login(NamedTuple):
    """What became of a login: `record` as it was stored, or None if `revoke_user` came first."""

    record: Record | None
    over_limit: tuple[str, ...] = ()
    """Handles of the user's oldest sessions above the limit: ended in the same step."""


class Taken(NamedTuple):
    """What became of a redemption: `won` by this one, or not. `at` (seconds since the epoch) and `note` are the first
    one's; `ended` says that the session is no more."""

    won: bool
    at: float = 0.0
    note: str = ""
    ended: Ended | None = None


class Ages(NamedTuple):
    """Live sessions by their age: created within the last `hour`; within the last `day`, and not in that hour; within
    the last `week`; within the last `month` of 30 days; and `older`."""

    hour: int = 0
    day: int = 0
    week: int = 0
    month: int = 0
    older: int = 0


class Stats(NamedTuple):
    """Counts: live `sessions`, those of them that are `authenticated`, their `users`, `tombstones` of ended ones, used
    `tickets` that are remembered. `size` is in bytes, None where the store cannot tell cheaply; `ages` are None where
    it does not look at them. `tally` makes it."""

    sessions: int
    authenticated: int
    users: int
    tombstones: int
    tickets: int
    size: int | None = None
    exact: bool = True
    """Whether all was counted; else these are estimates, from what was met in the time that there was."""
    ages: Ages | None = None
    clients: dict[str, int] | None = None
    """Live sessions by browser, as `browsers` names them, "other" and "none" (not kept) among them."""
    sampled: int = 0
    """How many live sessions `ages` and `clients` were counted from: where it is less than `sessions` they are
    estimates, also beside exact counts."""


class Store(Protocol):
    """A store for synchronous callers; safe to use from several threads, and after a fork."""

    @property
    def offset(self) -> float:
        """The store's clock less this process's, in seconds; 0.0 where they are the same."""
        ...

    def load(self, handle: str) -> Held:
        """What is there, in at most one read, as it was stored: the caller judges the time."""
        ...

    def create(self, record: Record, now: float) -> bool:
        """Store an anonymous session; False if its handle is taken."""
        ...

    def login(
        self, record: Record, began: float, now: float, limit: int | None, reason: str, replaces: str | None = None
    ) -> Login:
        """Store a user's new session unless the gate bars `began`; end the oldest over `limit` with `reason`.

        `replaces` is the handle of the session that the caller will end for it: it neither counts nor is ended here.
        """
        ...

    def commit(self, handle: str, change: Change, now: float) -> Held:
        """Apply a change to a live session and return it as stored; else what is there, unchanged."""
        ...

    def replace(self, handle: str, change: Change, new: Record, now: float) -> Held:
        """End a live session as `replaced`, naming its successor, and store its changed self with `new`'s handle
        and secrets."""
        ...

    def end(self, handle: str, user_id: str | None, reason: str, now: float) -> Held:
        """End a live session and return what it held at its end; else what is there.

        Here as in `revoke_user` and `revoke_all`, a session whose time is over gets the tombstone that says so, and
        does not count: a commit that was under way in time must not go on with what somebody has ended.
        """
        ...

    def sessions(self, user_id: str, now: float, limit: int, after: str | None) -> list[Record]:
        """The user's live sessions, newest first. `after`, the last handle of the page before, continues the list;
        one that has ended meanwhile may begin it again."""
        ...

    def revoke_user(self, user_id: str, keep: str | None, reason: str, now: float, until: float) -> list[str]:
        """Close the gate (kept until `until` at least), end all of the user's sessions but `keep`; their handles.

        Where `replace` has given `keep` another handle meanwhile, that one is spared, in the same atomic step.
        """
        ...

    def update_user(self, user_id: str, fields: dict[str, Wire], now: float, until: float) -> int:
        """Write fields into all of the user's live sessions, and into logins of the next minute; how many."""
        ...

    def revoke_all(self, before: float, reason: str, now: float) -> int:
        """End every session created before that instant (inclusive); how many."""
        ...

    def redeem(self, handle: str, jti: str, nonce: str, note: str, now: float, until: float) -> Taken:
        """Take a ticket once, if its session lives; the mark stays until `until`. Idempotent by `nonce`."""
        ...

    def taken(self, handle: str, jti: str, now: float) -> Taken:
        """What is known of a ticket, without taking it: `won` is True for one that nobody has taken."""
        ...

    def purge(self, now: float, batch: int = 500) -> int:
        """Delete at most `batch` forgotten rows; how many. 0: nothing left (or the store does it by itself)."""
        ...

    def stats(self, now: float, within: float | None = None) -> Stats:
        """Counts of the whole namespace; may be slow. `within` (seconds): where counting all takes much longer, look at
        a part for about so long, and estimate the whole without bias. A store that is quick may ignore it."""
        ...

    def close(self) -> None:
        """Give the connections back. The store can be used again afterwards."""
        ...


class AsyncStore(Protocol):
    """The same, awaited. A lock or a network that makes it wait never blocks the event loop."""

    @property
    def offset(self) -> float: ...
    async def load(self, handle: str) -> Held: ...
    async def create(self, record: Record, now: float) -> bool: ...
    async def login(
        self, record: Record, began: float, now: float, limit: int | None, reason: str, replaces: str | None = None
    ) -> Login: ...
    async def commit(self, handle: str, change: Change, now: float) -> Held: ...
    async def replace(self, handle: str, change: Change, new: Record, now: float) -> Held: ...
    async def end(self, handle: str, user_id: str | None, reason: str, now: float) -> Held: ...
    async def sessions(self, user_id: str, now: float, limit: int, after: str | None) -> list[Record]: ...
    async def revoke_user(self, user_id: str, keep: str | None, reason: str, now: float, until: float) -> list[str]: ...
    async def update_user(self, user_id: str, fields: dict[str, Wire], now: float, until: float) -> int: ...
    async def revoke_all(self, before: float, reason: str, now: float) -> int: ...
    async def redeem(self, handle: str, jti: str, nonce: str, note: str, now: float, until: float) -> Taken: ...
    async def taken(self, handle: str, jti: str, now: float) -> Taken: ...
    async def purge(self, now: float, batch: int = 500) -> int: ...
    async def stats(self, now: float, within: float | None = None) -> Stats: ...
    async def close(self) -> None: ...


@runtime_checkable
class Meets(Protocol):
    """A store with a clock of its own, which has to be asked before `offset` is right."""

    def meet(self) -> None:
        """Connect, check the server, and measure its clock. Raises `StoreUnavailable`, `ConfigurationError`."""
        ...


@runtime_checkable
class AsyncMeets(Protocol):
    """The same, awaited."""

    async def meet(self) -> None: ...
