"""What a store offers so that its sessions can go to another store while the application serves.

A live session *departs*: it is frozen, and no method of the contract serves or changes it any more (they raise
`SessionMoved`). It *arrives* in the other store, where nothing was. Then it is *closed* in the first one: a mark is
left that says that it is elsewhere. Each step may be repeated, by anybody: see `moving` for who calls what when.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

from .gate import Gate
from .record import Record
from .store import Taken


class Departed(NamedTuple):
    """A session that has departed at that instant, in seconds since the epoch."""

    at: float
    until: float
    """When the store may forget it."""
    record: Record | None = None
    """As it was then; None once it is closed: the other store has it."""


class Page(NamedTuple):
    """A part of a walk through everything. `after`, None at the end, continues it, in this process."""

    items: list[Any]
    after: Any = None


@runtime_checkable
class Movable(Protocol):
    """A `Store` whose sessions can be moved away, and which others can be moved to."""

    def depart(self, handles: list[str], now: float | None) -> dict[str, Departed]:
        """Freeze those that are stored, also those whose time is over; None for `now` only looks. All of them that
        have departed, by this or before; what has ended, is not there or cannot be read is left out."""
        ...

    def arrive(self, arrivals: list[Departed], now: float) -> None:
        """Store departed sessions where nothing is, not even a tombstone, with their user's recent patches. A mark of
        one that left for where it comes from gives way, if that was before."""
        ...

    def close_departed(self, handles: list[str], now: float) -> None:
        """Leave a mark of those that have departed, and nothing else, until they would have been forgotten."""
        ...

    def bar(self, handle: str, now: float, until: float) -> bool:
        """Leave a mark where nothing is; whether one is there now."""
        ...

    def members(self, user_id: str) -> list[str]:
        """The handles of the user's sessions, also of those that have departed and are not closed."""
        ...

    def gate(self, user_id: str, now: float) -> tuple[Gate, float]:
        """What is kept of a user, and until when."""
        ...

    def join(self, user_id: str, gate: Gate, until: float, now: float) -> None:
        """Add what another store keeps of a user."""
        ...

    def spent(self, handle: str, jti: str, nonce: str) -> Taken | None:
        """Who took a ticket, whatever became of its session; None: nobody."""
        ...

    def roll(self, after: Any, limit: int) -> Page:
        """Handles of all sessions that are live, or have departed and are not closed; begins with None."""
        ...

    def gates(self, after: Any, limit: int) -> Page:
        """(user id, `Gate`, until) of all users, as far as the store knows their ids; begins with None."""
        ...

    def unbar(self, after: Any, limit: int) -> Page:
        """Take marks away, when everything has come here and nothing can have stayed behind: what they named has ended.
        Those that were; begins with None."""
        ...


@runtime_checkable
class AsyncMovable(Protocol):
    """The same, awaited."""

    async def depart(self, handles: list[str], now: float | None) -> dict[str, Departed]: ...
    async def arrive(self, arrivals: list[Departed], now: float) -> None: ...
    async def close_departed(self, handles: list[str], now: float) -> None: ...
    async def bar(self, handle: str, now: float, until: float) -> bool: ...
    async def members(self, user_id: str) -> list[str]: ...
    async def gate(self, user_id: str, now: float) -> tuple[Gate, float]: ...
    async def join(self, user_id: str, gate: Gate, until: float, now: float) -> None: ...
    async def spent(self, handle: str, jti: str, nonce: str) -> Taken | None: ...
    async def roll(self, after: Any, limit: int) -> Page: ...
    async def gates(self, after: Any, limit: int) -> Page: ...
    async def unbar(self, after: Any, limit: int) -> Page: ...


class Moves:
    """`Movable` for a store that carries each method out in one way, whichever it is."""

    def _move(self, method: str, *arguments: Any) -> Any:
        raise NotImplementedError

    def depart(self, handles: list[str], now: float | None) -> dict[str, Departed]:
        found: dict[str, Departed] = self._move("depart", handles, now)
        return found

    def arrive(self, arrivals: list[Departed], now: float) -> None:
        self._move("arrive", arrivals, now)

    def close_departed(self, handles: list[str], now: float) -> None:
        self._move("close_departed", handles, now)

    def bar(self, handle: str, now: float, until: float) -> bool:
        return bool(self._move("bar", handle, now, until))

    def members(self, user_id: str) -> list[str]:
        found: list[str] = self._move("members", user_id)
        return found

    def gate(self, user_id: str, now: float) -> tuple[Gate, float]:
        found: tuple[Gate, float] = self._move("gate", user_id, now)
        return found

    def join(self, user_id: str, gate: Gate, until: float, now: float) -> None:
        self._move("join", user_id, gate, until, now)

    def spent(self, handle: str, jti: str, nonce: str) -> Taken | None:
        found: Taken | None = self._move("spent", handle, jti, nonce)
        return found

    def roll(self, after: Any, limit: int) -> Page:
        page: Page = self._move("roll", after, limit)
        return page

    def gates(self, after: Any, limit: int) -> Page:
        page: Page = self._move("gates", after, limit)
        return page

    def unbar(self, after: Any, limit: int) -> Page:
        page: Page = self._move("unbar", after, limit)
        return page


class AsyncMoves:
    """The same, awaited."""

    async def _move(self, method: str, *arguments: Any) -> Any:
        raise NotImplementedError

    async def depart(self, handles: list[str], now: float | None) -> dict[str, Departed]:
        found: dict[str, Departed] = await self._move("depart", handles, now)
        return found

    async def arrive(self, arrivals: list[Departed], now: float) -> None:
        await self._move("arrive", arrivals, now)

    async def close_departed(self, handles: list[str], now: float) -> None:
        await self._move("close_departed", handles, now)

    async def bar(self, handle: str, now: float, until: float) -> bool:
        return bool(await self._move("bar", handle, now, until))

    async def members(self, user_id: str) -> list[str]:
        found: list[str] = await self._move("members", user_id)
        return found

    async def gate(self, user_id: str, now: float) -> tuple[Gate, float]:
        found: tuple[Gate, float] = await self._move("gate", user_id, now)
        return found

    async def join(self, user_id: str, gate: Gate, until: float, now: float) -> None:
        await self._move("join", user_id, gate, until, now)

    async def spent(self, handle: str, jti: str, nonce: str) -> Taken | None:
        found: Taken | None = await self._move("spent", handle, jti, nonce)
        return found

    async def roll(self, after: Any, limit: int) -> Page:
        page: Page = await self._move("roll", after, limit)
        return page

    async def gates(self, after: Any, limit: int) -> Page:
        page: Page = await self._move("gates", after, limit)
        return page

    async def unbar(self, after: Any, limit: int) -> Page:
        page: Page = await self._move("unbar", after, limit)
        return page
