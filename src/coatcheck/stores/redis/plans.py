"""The operations of the contract on one session and on one user, as plans."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ...change import Change, apply
from ...codec import Wire, from_bytes, to_bytes
from ...errors import SessionDataError, StoreUnavailable
from ...gate import WRONG, Gate, dump_patches, load_patches
from ...policy import PATCH_MEMORY, TOMBSTONE
from ...record import Ended, Record, held
from ...store import Held, Login, Taken
from . import scripts
from .recent import Recent
from .scripts import Call
from .steps import CHUNK, Contest, Plan, end_all, pairs, values
from .values import (
    DAY,
    Mark,
    Names,
    dump,
    dump_mark,
    lasting,
    load,
    load_mark,
    ms,
    new_nonce,
    nonce_of,
    refused,
)

PATCHED = 20
"""Sessions that `update_user` reads and writes at once: full ones, of 256 KiB each, still fit into the time."""

_TIDY_EVERY = 16
"""Members in a user after which a login looks for those whose session is gone."""


class Plans:
    """What each method of the store does, in commands."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.recent: Recent = Recent()

    # -- one session -------------------------------------------------------------------------------------

    def nothing(self) -> Plan[None]:
        """No command: whoever carries it out meets the server."""
        yield from ()

    def load(self, handle: str) -> Plan[Held]:
        (raw,) = yield [("GET", self.names.session(handle))]
        return self.read(handle, raw)

    def read(self, handle: str, raw: bytes | None) -> Held:
        """What a value says; a commit that follows begins with it."""
        value = load(handle, raw)
        if raw is not None and isinstance(value, Record):
            self.recent.keep(handle, raw)
        return value

    def create(self, record: Record, now: float) -> Plan[bool]:
        if record.user_id is not None:
            raise ValueError("create() is for sessions without a user: a user's begins with login()")
        args = (dump(record, new_nonce()), lasting(record.forget_at, now))
        (created,) = yield [Call(scripts.CREATE, (self.names.session(record.handle),), args)]
        return bool(created)

    def login(
        self, record: Record, began: float, now: float, limit: int | None, reason: str, replaces: str | None = None
    ) -> Plan[Login]:
        user_id, known = str(record.user_id), _long_ago(now)
        keys = (self.names.user(user_id), self.names.session(record.handle))
        most, dead = "" if limit is None else limit, [""]
        while True:
            value = dump(record, new_nonce())
            stay = lasting(record.forget_at, now), lasting(record.expires_at + TOMBSTONE, now)
            args = (repr(began), known, value, *stay, record.handle, repr(record.created_at), most, replaces or "")
            ((outcome, *facts),) = yield [Call(scripts.LOGIN, keys, (*args, *dead))]
            if outcome == b"barred":
                return Login(None)
            if outcome == b"taken":
                raise _taken()
            if outcome == b"done":
                break
            if outcome == b"full":
                members = _text(facts)
                live = yield from self._records(user_id, members, now)
                dead = ["looked", *{*members} - {one.handle for one in live}]
            else:
                known, record = _patched(facts, record, now)
        over = yield from end_all(self.names, {keys[0]: _text(facts[1:])}, reason, now)
        if facts[0] % _TIDY_EVERY == 0:
            oldest = (yield from self._members(user_id))[-CHUNK:]
            yield from self._records(user_id, oldest, now)
        return Login(record, tuple(over))

    def commit(self, handle: str, change: Change, now: float) -> Plan[Held]:
        seen: dict[str, bytes | None] | None = None
        raw = self.recent.take(handle)
        if raw is not None and (saved := self._guess(handle, raw, change, now)):
            after, call = saved
            (shown,) = yield [call]
            if shown == 1:
                self.recent.keep(handle, call.args[1])
                return after
            # Somebody else has written, or ended it: that is what a GET would have told.
            seen = {handle: shown}
        done = yield from self._commit([handle], [change], now, seen)
        found = done[handle]
        if isinstance(found, StoreUnavailable):
            raise found
        return found

    def replace(self, handle: str, change: Change, new: Record, now: float) -> Plan[Held]:
        contest, known = Contest(self.names), _long_ago(now)
        seen = yield from values(self.names, [handle])
        patches: list[Any] | None = None
        while True:
            raw = seen[handle]
            before = load(handle, raw)
            if raw is None or not isinstance(before, Record):
                return before
            after = apply(before, change, now)
            if isinstance(after, Ended):
                # It is over, or was left empty: not replaced, and a commit has the same outcome.
                return (yield from self.commit(handle, change, now))
            if patches is not None:
                known, after = _patched(patches, after, now)
            after = after._replace(handle=new.handle, secrets=new.secrets, settled=new.settled)
            ((outcome, *facts),) = yield [self._swap(handle, raw, after, known, now)]
            if outcome == b"done":
                return after
            if outcome == b"doomed":
                return Ended("revoked", now)
            if outcome == b"taken":
                raise _taken()
            if outcome == b"patched":
                patches = facts
            else:
                seen = yield from contest.again({handle: facts[0]})

    def end(self, handle: str, user_id: str | None, reason: str, now: float) -> Plan[Held]:
        self.recent.take(handle)
        nonce = new_nonce()
        keys = (self.names.session(handle), self.names.remains(handle, nonce), *self._user(user_id))
        args = (ms(now), dump(Ended(reason, now), nonce), DAY, handle)
        ((ended, raw),) = yield [Call(scripts.END, keys, args)]
        return load(handle, raw) if ended else refused(handle, raw, now)

    # -- one user ----------------------------------------------------------------------------------------

    def sessions(self, user_id: str, now: float, limit: int, after: str | None) -> Plan[list[Record]]:
        handles = yield from self._members(user_id)
        if after in handles:
            handles = handles[handles.index(after) + 1 :]
        found: list[Record] = []
        while handles and len(found) < limit:
            size = min(CHUNK, limit - len(found))
            found += yield from self._records(user_id, handles[:size], now)
            handles = handles[size:]
        return found

    def revoke_user(self, user_id: str, keep: str | None, reason: str, now: float, until: float) -> Plan[list[str]]:
        user = self.names.user(user_id)
        while True:
            # A handle of somebody else's lies in another slot, and spares nobody here.
            kept = (self.names.session(keep),) if keep and self.names.together(keep, user) else ()
            args = (repr(now), "inf", keep or "", lasting(until, now), WRONG)
            ((outcome, *facts),) = yield [Call(scripts.CLOSE, (user, *kept), args)]
            if outcome == b"done":
                return (yield from end_all(self.names, {user: _text(facts)}, reason, now))
            stone = load(str(keep), facts[0])
            keep = stone.successor if isinstance(stone, Ended) else None

    def update_user(self, user_id: str, fields: dict[str, Wire], now: float, until: float) -> Plan[int]:
        user = self.names.user(user_id)
        (seen,) = yield [("HMGET", user, "seq", "patches")]
        while True:
            seq, text = seen
            gate = Gate(0.0, int(seq or 0), load_patches(from_bytes(text)) if text else ())
            gate = gate.with_patch(fields, now)
            args = (seq or b"", gate.seq, to_bytes(dump_patches(gate)), lasting(until, now))
            ((outcome, *seen),) = yield [Call(scripts.PATCH, (user,), args)]
            if outcome == b"done":
                break
        # Another update may still be on its way to these sessions, and a session takes no patch that is older than
        # the newest it has: whoever comes first brings the older ones.
        changes = [Change(set=patch.set, patch=patch.seq) for patch in gate.patches]
        handles, count, unread = _text(seen), 0, None
        for place in range(0, len(handles), PATCHED):
            done = yield from self._commit(handles[place : place + PATCHED], changes, now)
            count += sum(isinstance(after, Record) for after in done.values())
            unread = next((after for after in done.values() if isinstance(after, StoreUnavailable)), unread)
            yield None
        if unread is not None:
            raise unread
        return count

    # -- tickets -----------------------------------------------------------------------------------------

    def redeem(self, handle: str, jti: str, nonce: str, note: str, now: float, until: float) -> Plan[Taken]:
        keys = (self.names.session(handle), self.names.ticket(handle, jti))
        args = (ms(now), dump_mark(Mark(nonce, now, note, until)), lasting(until, now))
        ((lives, raw),) = yield [Call(scripts.REDEEM, keys, args)]
        if not lives:
            return Taken(False, ended=refused(handle, raw, now) or Ended("unknown", now))
        mark = load_mark(raw)
        return Taken(mark.nonce == nonce, mark.at, mark.note)

    def taken(self, handle: str, jti: str, now: float) -> Plan[Taken]:
        ((raw, text),) = yield [("MGET", self.names.session(handle), self.names.ticket(handle, jti))]
        found = held(load(handle, raw), now)
        if not isinstance(found, Record):
            return Taken(False, ended=found or Ended("unknown", now))
        if text is None:
            return Taken(True)
        mark = load_mark(text)
        return Taken(False, mark.at, mark.note)

    # -- parts -------------------------------------------------------------------------------------------

    def _user(self, user_id: str | None) -> tuple[str, ...]:
        return () if user_id is None else (self.names.user(user_id),)

    def _guess(self, handle: str, raw: bytes, change: Change, now: float) -> tuple[Record, Call] | None:
        """What a change makes of what was read before, and the call that saves it if that is still there.

        None: it would write no record, so nobody would learn of it that it is out of date.
        """
        before = load(handle, raw)
        if not isinstance(before, Record):
            return None
        try:
            after = apply(before, change, now)
        except SessionDataError:
            return None
        if not isinstance(after, Record) or after == before:
            return None
        return after, self._save(raw, before, after, now)

    def _commit(
        self, handles: list[str], changes: list[Change], now: float, seen: dict[str, bytes | None] | None = None
    ) -> Plan[dict[str, Held | StoreUnavailable]]:
        """Compare and set, as often as it takes: what each session is now, or was before if it was not live; or why
        it cannot be read. `seen`: their values, where somebody has read them just now."""
        done: dict[str, Held | StoreUnavailable] = {}
        contest = Contest(self.names)
        if seen is None:
            seen = yield from values(self.names, handles)
        while True:
            calls: dict[str, Call] = {}
            for handle, raw in seen.items():
                try:
                    before = done[handle] = load(handle, raw)
                except StoreUnavailable as error:
                    done[handle] = error
                    continue
                if raw is None or not isinstance(before, Record):
                    continue
                after: Record | Ended = before
                for change in changes:
                    after = apply(after, change, now) if isinstance(after, Record) else after
                done[handle] = after
                if after != before and (isinstance(after, Record) or after.by_this):
                    calls[handle] = self._save(raw, before, after, now)
            if not calls:
                return done
            replies = yield [*calls.values()]
            lost = {handle: raw for handle, raw in zip(calls, replies, strict=True) if raw != 1}
            if not lost:
                return done
            seen = yield from contest.again(lost)

    def _save(self, raw: bytes, before: Record, after: Record | Ended, now: float) -> Call:
        keys = (self.names.session(before.handle),)
        args = (nonce_of(raw), dump(after, new_nonce()), lasting(after.forget_at, now))
        if isinstance(after, Record) and after.expires_at > before.expires_at:
            # Who outlives the list of the user's sessions could not be revoked with them.
            whole = lasting(after.expires_at + TOMBSTONE, now)
            return Call(scripts.SAVE, (*keys, *self._user(after.user_id)), (*args, whole))
        return Call(scripts.SAVE, keys, args)

    def _swap(self, old: str, raw: bytes, after: Record, known: int, now: float) -> Call:
        keys = (self.names.session(old), self.names.session(after.handle), *self._user(after.user_id))
        stone = dump(Ended("replaced", now, successor=after.handle), new_nonce())
        stay, whole = lasting(after.forget_at, now), lasting(after.expires_at + TOMBSTONE, now)
        args = (nonce_of(raw), dump(after, new_nonce()), stay, stone, DAY, known, old, after.handle, whole)
        return Call(scripts.REPLACE, keys, args)

    def _members(self, user_id: str) -> Plan[list[str]]:
        """The handles of a user's sessions, also of those that are over, newest first."""
        (reply,) = yield [("HGETALL", self.names.user(user_id))]
        members = [
            (float(since.lstrip(b"DO")), name[2:].decode())
            for name, since in pairs(reply).items()
            if name.startswith(b"m:")
        ]
        return [handle for _, handle in sorted(members, reverse=True)]

    def _records(self, user_id: str, handles: list[str], now: float) -> Plan[list[Record]]:
        """Those of a user's sessions that live, in that order; those that are gone leave the user."""
        records: list[Record] = []
        for place in range(0, len(handles), CHUNK):
            seen = yield from values(self.names, handles[place : place + CHUNK])
            # A handle never comes back, so forgetting one whose session is gone races with nothing.
            if gone := [f"m:{handle}" for handle, raw in seen.items() if raw is None or raw[:1] == b"E"]:
                yield [("HDEL", self.names.user(user_id), *gone)]
            for handle, raw in seen.items():
                # One that a newer version wrote must not hide the others, nor keep its user from signing in.
                with suppress(StoreUnavailable):
                    if isinstance(record := held(load(handle, raw), now), Record):
                        records.append(record)
        return records


def _long_ago(now: float) -> int:
    """The number that every patch of the last minute exceeds: a patch's is at least its time in ms."""
    return int((now - PATCH_MEMORY) * 1000) - 1


def _patched(facts: list[Any], record: Record, now: float) -> tuple[int, Record]:
    """The newest patch that is known now, and the record with the patches of the last minute."""
    gate = Gate(0.0, int(facts[0]), load_patches(from_bytes(facts[1])))
    return gate.seq, gate.admit(record, now)


def _text(names: list[bytes]) -> list[str]:
    return [name.decode() for name in names]


def _taken() -> StoreUnavailable:
    return StoreUnavailable("the store already has a session of this new, random name: is its data intact?")
