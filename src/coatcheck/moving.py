"""Serving from two stores while sessions go from the old one to the new: the protocol, without I/O.

A plan is a generator that yields `(side, method, arguments)` and is sent what that store returned. What must hold:

* A session lives in one store. While the old one has it alive, it is there. `depart` freezes it, and nobody writes to
  it until it has arrived in the new store and is closed in the old: whoever meets it in between does the rest.
* It never ends between the two. Who wants to end it brings it over first, so its tombstone in the new store keeps out
  whoever is late and still wants to bring it.
* What is kept of a user, and every `revoke_user`, `revoke_all` and `update_user`, goes to both stores, the old first.
* Nothing goes over before the move was begun, by a record in the old store. What was stored there before that was
  known goes over at once, before it is acknowledged: so nothing is left behind what the mover has walked through.
* Of a user who signs in, is listed, revoked or updated, all sessions are brought over first.
"""

from __future__ import annotations

from typing import Any

from .change import Change
from .codec import Wire
from .errors import SessionMoved, StoreUnavailable
from .gate import Gate
from .milestones import FLAG, NEW, OLD, Plan, is_begun
from .moves import Departed, Page
from .record import Ended, Record, held
from .store import Held, Login, Stats, Taken
from .tally import together

AT_ONCE = 20
"""Sessions that go over together: full ones, of 256 KiB each, still fit into a store's time."""


class Moving:
    """What each method of the store contract does over two stores."""

    def __init__(self) -> None:
        self._known = False

    # -- the move itself ---------------------------------------------------------------------------------

    def begun(self) -> Plan[bool]:
        """Whether sessions may go over. Once it is, it stays so for this process."""
        if not self._known:
            self._known = yield from is_begun()
        return self._known

    def bring(self, handles: list[str], now: float) -> Plan[int]:
        """Bring sessions over, from wherever whoever tried before has stopped; how many were not there yet."""
        count = 0
        for place in range(0, len(handles), AT_ONCE):
            found = yield OLD, "depart", (handles[place : place + AT_ONCE], now)
            count += yield from self._carry(list(found.values()), now)
        return count

    def _carry(self, found: list[Departed], now: float) -> Plan[int]:
        going = [one for one in found if one.record is not None]
        if going:
            users = {one.record.user_id for one in going if one.record is not None} - {None}
            for user in sorted(user for user in users if user is not None):
                yield from self.join(user, now)
            yield NEW, "arrive", (going, now)
            # Only now: a commit in the new store must come after the last in the old.
            yield OLD, "close_departed", ([one.record.handle for one in going if one.record is not None], now)
        return len(going)

    def join(self, user_id: str, now: float) -> Plan[None]:
        """Let the new store know of a user what the old one does."""
        until: float
        gate, until = yield OLD, "gate", (user_id, now)
        if gate != Gate():
            yield NEW, "join", (user_id, gate, until, now)

    def bring_user(self, user_id: str, now: float) -> Plan[None]:
        """Bring over all of a user's sessions, and what is kept of the user."""
        yield from self.join(user_id, now)
        members = yield OLD, "members", (user_id,)
        yield from self.bring(members, now)

    def bring_departed(self, now: float) -> Plan[None]:
        """Bring over what is on its way."""
        after: Any = None
        while True:
            page: Page = yield OLD, "roll", (after, AT_ONCE)
            if page.items:
                found = yield OLD, "depart", (page.items, None)
                yield from self._carry(list(found.values()), now)
            after = page.after
            if after is None:
                return

    # -- one session -------------------------------------------------------------------------------------

    def load(self, handle: str) -> Plan[Held]:
        value: Held = None
        moved = False
        try:
            value = yield OLD, "load", (handle,)
        except SessionMoved:
            moved = True
        if value is None:
            value = yield NEW, "load", (handle,)
        if value is None and moved:
            # On its way: as it was when it left, unless it has arrived meanwhile.
            found = yield OLD, "depart", ([handle], None)
            value = found[handle].record if handle in found else None
            if value is None:
                value = yield NEW, "load", (handle,)
        return value

    def _old(self, handle: str, now: float) -> Plan[Held]:
        """What the old store has of a session; None: it is in the new one, if it is anywhere."""
        try:
            value: Held = yield OLD, "load", (handle,)
        except SessionMoved:
            yield from self.bring([handle], now)
            return None
        return value

    def create(self, record: Record, now: float) -> Plan[bool]:
        if not (yield from self.begun()):
            done: bool = yield OLD, "create", (record, now)
            if not (yield from self.begun()):
                return done
            if done:
                yield from self.bring([record.handle], now)
                return True
        if not (yield OLD, "bar", (record.handle, now, record.forget_at)):
            return False
        done = yield NEW, "create", (record, now)
        return done

    def login(
        self, record: Record, began: float, now: float, limit: int | None, reason: str, replaces: str | None = None
    ) -> Plan[Login]:
        user, arguments = str(record.user_id), (record, began, now, limit, reason, replaces)
        if not (yield from self.begun()):
            done: Login = yield OLD, "login", arguments
            if done.record is not None and (yield from self.begun()):
                yield from self.bring_user(user, now)
                return (yield from self._limited(done.record, done, now, limit, reason, replaces))
            return done
        yield from self.bring_user(user, now)
        yield from self._barred(record.handle, now, record.forget_at)
        done = yield NEW, "login", arguments
        return done

    def _limited(
        self, record: Record, done: Login, now: float, limit: int | None, reason: str, replaces: str | None
    ) -> Plan[Login]:
        """A login that counted only who was in the old store, while others had gone over already."""
        if limit is None:
            return done
        user = str(record.user_id)
        found: list[Record] = yield NEW, "sessions", (user, now, _ALL, None)
        over = [one.handle for one in found if one.handle not in {record.handle, replaces}][limit - 1 :]
        for handle in over:
            yield NEW, "end", (handle, user, reason, now)
        return done._replace(over_limit=(*done.over_limit, *over))

    def _barred(self, handle: str, now: float, until: float) -> Plan[None]:
        """Let no process that knows only the old store take a new session's client for nobody."""
        if not (yield OLD, "bar", (handle, now, until)):
            raise StoreUnavailable("the store already has a session of this new, random name: is its data intact?")

    def commit(self, handle: str, change: Change, now: float) -> Plan[Held]:
        value = yield from self._old(handle, now)
        if isinstance(value, Record):
            try:
                value = yield OLD, "commit", (handle, change, now)
            except SessionMoved:
                yield from self.bring([handle], now)
                value = None
        if value is None:
            found: Held = yield NEW, "commit", (handle, change, now)
            return found
        return value

    def replace(self, handle: str, change: Change, new: Record, now: float) -> Plan[Held]:
        value = yield from self._old(handle, now)
        if isinstance(value, Ended):
            return value
        if isinstance(value, Record):
            if not (yield from self.begun()):
                try:
                    value = yield OLD, "replace", (handle, change, new, now)
                except SessionMoved:
                    value = None
                else:
                    if isinstance(value, Record) and (yield from self.begun()):
                        yield from self.bring([value.handle], now)
                    if value is not None:
                        return value
            # Under its new name in the old store the mover might have passed it by.
            yield from self.bring([handle], now)
            value = yield from self._old(handle, now)
            if value is not None:
                return value
        if (yield from self.begun()):
            yield from self._barred(new.handle, now, new.forget_at)
        found: Held = yield NEW, "replace", (handle, change, new, now)
        return found

    def end(self, handle: str, user_id: str | None, reason: str, now: float) -> Plan[Held]:
        value: Held = yield from self._old(handle, now)
        if value is not None:
            try:
                value = yield OLD, "end", (handle, user_id, reason, now)
            except SessionMoved:
                yield from self.bring([handle], now)
                value = None
        if value is None:
            value = yield NEW, "end", (handle, user_id, reason, now)
        return value

    # -- one user ----------------------------------------------------------------------------------------

    def sessions(self, user_id: str, now: float, limit: int, after: str | None) -> Plan[list[Record]]:
        if (yield from self.begun()):
            yield from self.bring_user(user_id, now)
            found: list[Record] = yield NEW, "sessions", (user_id, now, limit, after)
            return found
        found = yield OLD, "sessions", (user_id, now, limit, after)
        if (yield from self.begun()):
            return (yield from self.sessions(user_id, now, limit, after))
        # Nothing is there, unless a move the other way was given up.
        every: list[Record] = yield NEW, "sessions", (user_id, now, _ALL, None)
        if not every:
            return found
        every += yield OLD, "sessions", (user_id, now, _ALL, None)
        every.sort(key=lambda record: (record.created_at, record.handle), reverse=True)
        start = next((place for place, record in enumerate(every, 1) if record.handle == after), 0)
        return every[start : start + limit]

    def revoke_user(self, user_id: str, keep: str | None, reason: str, now: float, until: float) -> Plan[list[str]]:
        if (yield from self.begun()):
            yield from self.bring_user(user_id, now)
        ended: list[str] = yield OLD, "revoke_user", (user_id, keep, reason, now, until)
        if (yield from self.begun()):
            # Who was on the way has not been ended there, and is here now.
            yield from self.bring_user(user_id, now)
        while keep is not None:
            try:
                value: Held = yield OLD, "load", (keep,)
            except SessionMoved:
                break
            if not isinstance(value, Ended) or value.successor is None:
                break
            keep = value.successor
        more = yield NEW, "revoke_user", (user_id, keep, reason, now, until)
        return [*ended, *more]

    def update_user(self, user_id: str, fields: dict[str, Wire], now: float, until: float) -> Plan[int]:
        if (yield from self.begun()):
            yield from self.bring_user(user_id, now)
        count = 0
        try:
            count = yield OLD, "update_user", (user_id, fields, now, until)
        except SessionMoved:
            self._known = True  # only what was begun has sessions on their way
        over = yield from self.begun()
        if over:
            yield from self.bring_user(user_id, now)
        here: int = yield NEW, "update_user", (user_id, fields, now, until)
        # Once it was begun all are here, and those that were written there as well.
        if over:
            return here
        return max(count, here) if (yield from self.begun()) else count + here

    # -- tickets -----------------------------------------------------------------------------------------

    def redeem(self, handle: str, jti: str, nonce: str, note: str, now: float, until: float) -> Plan[Taken]:
        if (yield from self._old(handle, now)) is not None:
            try:
                taken: Taken = yield OLD, "redeem", (handle, jti, nonce, note, now, until)
            except SessionMoved:
                yield from self.bring([handle], now)
            else:
                return taken
        # Since the session left no mark has been made there: one that is not there now never will be.
        first: Taken | None = yield OLD, "spent", (handle, jti, nonce)
        if first is None:
            taken = yield NEW, "redeem", (handle, jti, nonce, note, now, until)
            return taken
        taken = yield NEW, "taken", (handle, jti, now)
        return taken if taken.ended is not None else first

    def taken(self, handle: str, jti: str, now: float) -> Plan[Taken]:
        if (yield from self._old(handle, now)) is not None:
            try:
                taken: Taken = yield OLD, "taken", (handle, jti, now)
            except SessionMoved:
                yield from self.bring([handle], now)
            else:
                return taken
        taken = yield NEW, "taken", (handle, jti, now)
        first: Taken | None = (yield OLD, "spent", (handle, jti, "")) if taken.ended is None else None
        return taken if first is None else first._replace(won=False)

    # -- all of them -------------------------------------------------------------------------------------

    def revoke_all(self, before: float, reason: str, now: float) -> Plan[int]:
        count: int = yield OLD, "revoke_all", (before, reason, now)
        if (yield from self.begun()):
            yield from self.bring_departed(now)
        here: int = yield NEW, "revoke_all", (before, reason, now)
        return count + here

    def purge(self, now: float, batch: int = 500) -> Plan[int]:
        there: int = yield OLD, "purge", (now, max(1, batch // 2))
        here: int = yield NEW, "purge", (now, max(1, batch - batch // 2))
        return there + here

    def stats(self, now: float, within: float | None = None) -> Plan[Stats]:
        if (yield from self.begun()):
            yield from self.bring_departed(now)
        part = None if within is None else within / 2
        there: Stats = yield OLD, "stats", (now, part)
        here: Stats = yield NEW, "stats", (now, part)
        old = held((yield OLD, "load", (FLAG,)), now)
        new = held((yield NEW, "load", (FLAG,)), now)
        flags = [flag for flag in (old, new) if isinstance(flag, Record)]
        return together(there, here, flags, now)

    def close(self) -> Plan[None]:
        yield OLD, "close", ()
        yield NEW, "close", ()


_ALL = 1_000_000
"""More sessions than a user has."""
