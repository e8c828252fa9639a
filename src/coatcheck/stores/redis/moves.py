"""The Redis store as one end of a move: `moves.Movable`, as plans.

A session that has departed is `M nonce(8) instant(13, ms) record`, and its user's list still has it; the mark of one
that is elsewhere `X nonce(8) instant(13, ms) until(13, ms)`.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

from ...codec import from_bytes, to_bytes
from ...errors import StoreUnavailable
from ...gate import Gate, dump_patches, load_patches
from ...moves import Departed, Page
from ...policy import TOMBSTONE
from ...record import Record, load_record
from ...store import Taken
from . import scripts
from .plans import Plans, _long_ago, _patched
from .scripts import Call
from .steps import Pause, Plan
from .values import HEAD, Names, dump, lasting, load, load_mark, ms, new_nonce, nonce_of


class Travels:
    """What each method does, in commands."""

    def __init__(self, names: Names, plans: Plans) -> None:
        self._names, self._plans = names, plans

    def _values(self, handles: list[str]) -> Plan[dict[str, bytes | None]]:
        replies = yield [("GET", self._names.session(handle)) for handle in handles]
        return dict(zip(handles, replies, strict=True))

    def depart(self, handles: list[str], now: float | None) -> Plan[dict[str, Departed]]:
        found: dict[str, Departed] = {}
        lost, left = 0, list(handles)
        while left:
            calls: dict[str, Call] = {}
            for handle, raw in (yield from self._values(left)).items():
                with suppress(StoreUnavailable):
                    if (one := _departed(handle, raw)) is not None:
                        found[handle] = one
                    elif now is not None and isinstance(record := load(handle, raw), Record):
                        found[handle] = Departed(ms(now) / 1000, record.forget_at, record)
                        calls[handle] = self._frozen(raw or b"", record, now)
            replies = (yield [*calls.values()]) if calls else []
            left = [handle for handle, reply in zip(calls, replies, strict=True) if reply != 1]
            for handle in left:
                del found[handle]
            if left:
                lost += 1
                yield Pause(random.uniform(0.0, min(0.001 * 2**lost, 0.05)))  # noqa: S311 (guards nothing)
        return found

    def _frozen(self, raw: bytes, record: Record, now: float) -> Call:
        value = b"M%b%013d%b" % (new_nonce(), ms(now), raw[HEAD:])
        args = (nonce_of(raw), value, lasting(record.forget_at, now))
        return Call(scripts.SAVE, (self._names.session(record.handle),), args)

    def arrive(self, arrivals: list[Departed], now: float) -> Plan[None]:
        coming = {one.record.handle: (one.at, one.record, _long_ago(now)) for one in arrivals if one.record}
        while coming:
            calls = [self._arrival(at, record, known, now) for at, record, known in coming.values()]
            replies = yield [*calls]
            again = {}
            for (handle, (at, record, _)), (outcome, *facts) in zip(coming.items(), replies, strict=True):
                if outcome == b"patched":
                    known, patched = _patched(facts, record, now)
                    again[handle] = at, patched, known
            coming = again

    def _arrival(self, at: float, record: Record, known: int, now: float) -> Call:
        user = () if record.user_id is None else (self._names.user(record.user_id),)
        stay = lasting(record.forget_at, now), lasting(record.expires_at + TOMBSTONE, now)
        args = (dump(record, new_nonce()), *stay, record.handle, repr(record.created_at), ms(at), known)
        return Call(scripts.ARRIVE, (self._names.session(record.handle), *user), args)

    def close_departed(self, handles: list[str], now: float) -> Plan[None]:
        calls = []
        for handle, raw in (yield from self._values(handles)).items():
            with suppress(StoreUnavailable):
                if (one := _departed(handle, raw)) is None or one.record is None:
                    continue
                user = () if one.record.user_id is None else (self._names.user(one.record.user_id),)
                args = (nonce_of(raw or b""), _mark(one.at, one.until), handle)
                calls.append(Call(scripts.LEAVE, (self._names.session(handle), *user), args))
        if calls:
            yield [*calls]

    def bar(self, handle: str, now: float, until: float) -> Plan[bool]:
        args = (_mark(now, until), lasting(until, now))
        (kind,) = yield [Call(scripts.BAR, (self._names.session(handle),), args)]
        return bool(kind == b"X")

    def members(self, user_id: str) -> Plan[list[str]]:
        return (yield from self._plans._members(user_id))

    def gate(self, user_id: str, now: float) -> Plan[tuple[Gate, float]]:
        user = self._names.user(user_id)
        (since, seq, text), left = yield [("HMGET", user, "nb", "seq", "patches"), ("PTTL", user)]
        gate = Gate(float(since or 0), int(seq or 0), load_patches(from_bytes(text)) if text else ())
        return gate, now + max(0, left) / 1000

    def join(self, user_id: str, gate: Gate, until: float, now: float) -> Plan[None]:
        user = self._names.user(user_id)
        ((seq, text),) = yield [("HMGET", user, "seq", "patches")]
        while True:
            known = Gate(0.0, int(seq or 0), load_patches(from_bytes(text)) if text else ())
            both = known.joined(gate, now)
            args = (seq or b"", text or b"", both.seq, to_bytes(dump_patches(both)), repr(gate.not_before))
            ((outcome, *facts),) = yield [Call(scripts.JOIN, (user,), (*args, lasting(until, now)))]
            if outcome == b"done":
                return
            seq, text = facts

    def spent(self, handle: str, jti: str, nonce: str) -> Plan[Taken | None]:
        (text,) = yield [("GET", self._names.ticket(handle, jti))]
        if text is None:
            return None
        mark = load_mark(text)
        return Taken(mark.nonce == nonce, mark.at, mark.note)

    def roll(self, after: Any, limit: int) -> Plan[Page]:
        pattern = self._names.pattern("s")
        ((cursor, keys),) = yield [("SCAN", after or 0, "MATCH", pattern, "COUNT", limit)]
        keys = list(dict.fromkeys(keys))
        kinds = (yield [("GETRANGE", key, 0, 0) for key in keys]) if keys else []
        here = [key for key, kind in zip(keys, kinds, strict=True) if kind in (b"L", b"A", b"M")]
        return Page([self._names.parse(key)[1] for key in here], cursor or None)

    def gates(self, after: Any, limit: int) -> Plan[Page]:
        """None: a user's key is a digest of the id, which nobody can take back."""
        yield None
        return Page([])

    def unbar(self, after: Any, limit: int) -> Plan[Page]:
        pattern = self._names.pattern("s")
        ((cursor, keys),) = yield [("SCAN", after or 0, "MATCH", pattern, "COUNT", limit)]
        calls = [Call(scripts.UNBAR, (key.decode(),), ()) for key in dict.fromkeys(keys)]
        replies = (yield [*calls]) if calls else []
        gone = [key for key, done in zip(dict.fromkeys(keys), replies, strict=True) if done]
        return Page([self._names.parse(key)[1] for key in gone], cursor or None)


def _departed(handle: str, raw: bytes | None) -> Departed | None:
    kind = (raw or b"")[:1]
    if raw is None or kind not in (b"M", b"X"):
        return None
    try:
        at = int(raw[9:HEAD]) / 1000
        if kind == b"X":
            return Departed(at, int(raw[HEAD : HEAD + 13]) / 1000)
        record = load_record(handle, from_bytes(raw[HEAD:]))
    except ValueError:
        raise StoreUnavailable(f"the session {handle} cannot be read: its value is damaged") from None
    return Departed(at, record.forget_at, record)


def _mark(at: float, until: float) -> bytes:
    return b"X%b%013d%013d" % (new_nonce(), ms(at), ms(until))
