"""What each verb of the store asks of the server, without I/O: generators that yield statements and are sent rows.

A change to one session reads its row, decides in Python, and writes if the row's version is still that one. What
touches a user takes the gate's row first, then sessions in the order of their handles.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, NamedTuple, TypeGuard, TypeVar

from ...change import Change, apply
from ...codec import Wire, from_bytes, to_bytes
from ...errors import StoreUnavailable
from ...gate import Gate, dump_patches, load_patches
from ...policy import TOMBSTONE
from ...record import Ended, Record, dump_record, held
from ...rows import abouts_of, counted, records_of, value_of
from ...store import Held, Login, Stats, Taken
from ...tally import SAMPLE, sampled
from .schema import Statements

T = TypeVar("T")

_UNLOCKED = 3
"""Times that a change is tried before it holds the row: of many who change one session each gets on."""
_ENDED_AT_ONCE = 1000
_AS_EVER, _LONG, _COUNTS = 1.9, 10.0, 60.0
"""Seconds for a step of what takes many, for one that touches many rows, and for what looks at all of them."""


class Ask(NamedTuple):
    """A statement. Its answer is the list of its rows, or how many it changed."""

    sql: str
    parameters: Any = ()


class More(NamedTuple):
    """The server has answered so far: it gets that many seconds for what follows. Without it a call has two in all."""

    seconds: float


Plan = Generator[Ask | More, Any, T]

_BEGIN, _COMMIT, _ROLLBACK = (
    # A server that loses its client in the middle would hold a user's gate for hours.
    Ask("BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = 5000"),
    Ask("COMMIT"),
    Ask("ROLLBACK"),
)

Decide = Callable[[Record], Record | Ended]


class Plans:
    """Those of one namespace."""

    def __init__(self, namespace: str) -> None:
        self.sql: Statements = Statements(namespace)

    # -- one session -------------------------------------------------------------------------------------

    def load(self, handle: str) -> Plan[Held]:
        rows = yield Ask(self.sql.load, (handle,))
        return value_of(handle, rows[0] if rows else None)

    def create(self, record: Record) -> Plan[bool]:
        return bool((yield self._insert(record)))

    def login(
        self, record: Record, began: float, now: float, limit: int | None, reason: str, replaces: str | None
    ) -> Plan[Login]:
        yield _BEGIN
        user, gate = yield from self._gate(str(record.user_id), record.expires_at)
        if gate.bars(began):
            yield _ROLLBACK
            return Login(None)
        record = gate.admit(record, now)
        yield from self._insert_new(record)
        over: tuple[str, ...] = ()
        if limit is not None:
            spared = record.handle, replaces or ""
            rows = yield Ask(self.sql.over_limit, (user, now + TOMBSTONE, *spared, limit - 1))
            over = tuple(handle for (handle,) in rows)
            # Locked in their order; told from the newest on.
            yield Ask(self.sql.lock_all, (sorted(over),))
            ended = yield from self._end_live(sorted(over), reason, now)
            over = tuple(handle for handle in over if handle in ended)
        yield _COMMIT
        return Login(record, over)

    def commit(self, handle: str, change: Change, now: float) -> Plan[Held]:
        _, after = yield from self._change(handle, lambda record: apply(record, change, now))
        return after

    def end(self, handle: str, reason: str, now: float) -> Plan[Held]:
        def ended(record: Record) -> Ended:
            # Also where time has ended it: a commit that is under way in time must not go on with it.
            over = record.over(now)
            return over._replace(by_this=True) if over else Ended(reason, now, by_this=True)

        before, after = yield from self._change(handle, ended)
        if isinstance(before, Record):
            return before.over(now) or before
        return after

    def _change(self, handle: str, decide: Decide) -> Plan[tuple[Held, Held]]:
        """What was there, and what is there now. An end that is not by this is not written: time brings it."""
        lasts = 0.0
        tries = 0
        while True:
            locked = tries >= _UNLOCKED
            if locked:
                yield _BEGIN
            before, version = yield from self._get(handle, lock=locked)
            after = decide(before) if isinstance(before, Record) else before
            if isinstance(before, Record) and after != before and _is_written(after):
                if _outlasts(after, max(before.expires_at, lasts)):
                    # First the gate, which must outlive the session: whoever holds a session asks for no gate.
                    if locked:
                        yield _ROLLBACK
                    lasts = after.expires_at
                    yield from self._gate(str(after.user_id), lasts)
                    continue
                done = yield self._write(handle, after, version)
                if not done:
                    tries += 1
                    continue
            if locked:
                yield _COMMIT
            return before, after

    def replace(self, handle: str, change: Change, new: Record, now: float) -> Plan[Held]:
        value, _ = yield from self._get(handle)
        if not isinstance(value, Record):
            return value
        yield _BEGIN
        gate = None
        if value.user_id is not None:
            _, gate = yield from self._gate(value.user_id, change.expires_at or value.expires_at)
        value, version = yield from self._get(handle, lock=True)
        after = apply(value, change, now) if isinstance(value, Record) else value
        if not isinstance(after, Record):
            if isinstance(after, Ended) and after.by_this:
                yield self._write(handle, after, version)
            yield _COMMIT
            return after
        if gate is not None:
            # An `update_user` that has not come to this session yet will not find it by its new name.
            after = gate.admit(after, now)
        yield self._write(handle, Ended("replaced", now, successor=new.handle), version)
        after = after._replace(handle=new.handle, secrets=new.secrets, settled=new.settled)
        yield from self._insert_new(after)
        yield _COMMIT
        return after

    # -- one user ----------------------------------------------------------------------------------------

    def sessions(self, user_id: str, now: float, limit: int, after: str | None) -> Plan[list[Record]]:
        place: Any = (yield Ask(self.sql.place, (after,))) if after else ()
        start = place[0] if place else (float("inf"), "")
        rows = yield Ask(self.sql.page, (to_bytes(user_id), now + TOMBSTONE, *start, limit))
        return records_of(rows)

    def revoke_user(self, user_id: str, keep: str | None, reason: str, now: float, until: float) -> Plan[list[str]]:
        yield _BEGIN
        user, gate = yield from self._gate(user_id, until)
        yield self._put_gate(user, gate.closed(now))
        while keep and (rows := (yield Ask(self.sql.successor, (keep,)))) and rows[0][0]:
            keep = rows[0][0]
        rows = yield Ask(self.sql.lock_user, (user, keep or ""))
        yield More(_LONG)
        ended = yield from self._end_all([handle for (handle,) in rows], reason, now)
        yield _COMMIT
        return ended

    def update_user(self, user_id: str, fields: dict[str, Wire], now: float, until: float) -> Plan[int]:
        yield _BEGIN
        user, gate = yield from self._gate(user_id, until)
        yield self._put_gate(user, gate.with_patch(fields, now))
        rows = yield Ask(self.sql.of_user, (user,))
        yield _COMMIT
        count, unread = 0, None
        for (handle,) in rows:
            yield More(_AS_EVER)
            # Of all of the last minute: another update may have come first, to some.
            known = yield Ask(self.sql.see_gate, (user,))
            patches = _gate_of(known[0]).recent(now) if known else ()

            def patched(record: Record, patches: Any = patches) -> Record | Ended:
                after: Record | Ended = record
                for patch in patches:
                    if isinstance(after, Record):
                        after = apply(after, Change(set=patch.set, patch=patch.seq), now)
                return after

            try:
                _, after = yield from self._change(handle, patched)
            except StoreUnavailable as error:
                unread = error
            else:
                count += isinstance(after, Record)
        if unread is not None:
            raise unread
        return count

    # -- tickets -----------------------------------------------------------------------------------------

    def redeem(self, handle: str, jti: str, nonce: str, note: str, now: float, until: float) -> Plan[Taken]:
        rows = yield Ask(self.sql.redeem, (handle, jti, nonce, note, now, until, now + TOMBSTONE))
        return _taken(handle, rows, nonce, now)

    def taken(self, handle: str, jti: str, now: float) -> Plan[Taken]:
        rows = yield Ask(self.sql.taken, (jti, handle))
        return _taken(handle, rows, None, now)

    # -- all of them -------------------------------------------------------------------------------------

    def revoke_all(self, before: float, reason: str, now: float) -> Plan[int]:
        count, last = 0, ""
        while True:
            # In batches, so that others can write in between.
            yield More(_LONG)
            yield _BEGIN
            rows = yield Ask(self.sql.lock_created, (before, last, _ENDED_AT_ONCE))
            handles = [handle for (handle,) in rows]
            count += len((yield from self._end_all(handles, reason, now)))
            yield _COMMIT
            if len(handles) == _ENDED_AT_ONCE:
                last = handles[-1]
            elif (yield Ask(self.sql.still_live, (before, now + TOMBSTONE))):
                last = ""  # what `rotate()` has renamed meanwhile may lie before
            else:
                return count

    def purge(self, now: float, batch: int) -> Plan[int]:
        done = 0
        for sql in self.sql.purges:
            yield More(_AS_EVER)
            done += yield Ask(sql, (now, max(1, batch // 3)))
        return done

    def stats(self, now: float) -> Plan[Stats]:
        values, sql = counted(now), self.sql.counts
        yield More(_COUNTS)
        ((sessions, authenticated, over, tombstones, tickets),) = yield Ask(sql.whole, values)
        ((users,),) = yield Ask(sql.users)
        if over:
            ((without,),) = yield Ask(sql.without, values)
            users -= without
        ((size,),) = yield Ask(self.sql.size)
        part = min(100.0, 100 * SAMPLE / max(1, sessions))
        some = yield Ask(self.sql.sample, (part, values["live"]))
        return sampled(Stats(sessions, authenticated, users, tombstones, tickets, size), abouts_of(some), now)

    # -- rows --------------------------------------------------------------------------------------------

    def _get(self, handle: str, lock: bool = False) -> Plan[tuple[Held, int]]:
        rows = yield Ask(self.sql.lock if lock else self.sql.get, (handle,))
        if not rows:
            return None, 0
        *row, version = rows[0]
        return value_of(handle, tuple(row)), version

    def _insert(self, record: Record) -> Ask:
        user = None if record.user_id is None else to_bytes(record.user_id)
        data = to_bytes(dump_record(record))
        return Ask(self.sql.create, (record.handle, user, record.created_at, record.forget_at, data))

    def _insert_new(self, record: Record) -> Plan[None]:
        if not (yield self._insert(record)):
            raise StoreUnavailable("the store already has a session of this new, random name: is its data intact?")

    def _write(self, handle: str, value: Record | Ended, version: int) -> Ask:
        if isinstance(value, Record):
            return Ask(self.sql.put, (to_bytes(dump_record(value)), value.forget_at, handle, version))
        return Ask(self.sql.bury, (value.reason, value.successor, value.forget_at, handle, version))

    def _gate(self, user_id: str, until: float) -> Plan[tuple[bytes, Gate]]:
        """A user's gate, kept until then at least; in a transaction it is ours until its end."""
        user = to_bytes(user_id)
        rows = yield Ask(self.sql.gate, (user, until))
        return user, _gate_of(rows[0])

    def _put_gate(self, user: bytes, gate: Gate) -> Ask:
        return Ask(self.sql.put_gate, (gate.not_before, gate.seq, to_bytes(dump_patches(gate)), user))

    def _end_live(self, handles: list[str], reason: str, now: float) -> Plan[list[str]]:
        if not handles:
            return []
        forget_at = Ended(reason, now).forget_at
        rows = yield Ask(self.sql.end_live, (reason, None, forget_at, handles, now + TOMBSTONE))
        return [handle for (handle,) in rows]

    def _end_all(self, handles: list[str], reason: str, now: float) -> Plan[list[str]]:
        """End sessions whose rows are locked; those whose time is over get the tombstone that says so. The live ones'
        handles."""
        ended = yield from self._end_live(handles, reason, now)
        for handle in set(handles) - set(ended):
            with suppress(StoreUnavailable):
                value, version = yield from self._get(handle)
                if isinstance(value, Record):
                    yield self._write(handle, value.over(now) or Ended(reason, now), version)
        return ended


def _is_written(after: Held) -> TypeGuard[Record | Ended]:
    # What time has ended nobody needs to write down.
    return isinstance(after, Record) or (after is not None and after.by_this)


def _outlasts(after: Held, known: float) -> TypeGuard[Record]:
    return isinstance(after, Record) and after.user_id is not None and after.expires_at > known


def _gate_of(row: tuple[float, int, bytes]) -> Gate:
    return Gate(row[0], row[1], load_patches(from_bytes(row[2])))


def _taken(handle: str, rows: list[tuple[Any, ...]], nonce: str | None, now: float) -> Taken:
    """What a session's row and its ticket's mark say together."""
    found = held(value_of(handle, rows[0][:4]) if rows else None, now)
    if not isinstance(found, Record):
        return Taken(False, ended=found or Ended("unknown", now))
    first, at, note = rows[0][4:]
    return Taken(True) if first is None else Taken(first == nonce, at, note)


def nothing() -> Plan[None]:
    """To connect, and to see that it can ask at all."""
    yield Ask("SELECT 1")
