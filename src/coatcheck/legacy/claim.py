"""The exchange: an old credential stands for exactly one session, ever. A plan, as in `engine`.

A *claim* is a small record under a name that is made from the credential's identity, and says which session it became.
Who finds none stores a session and then the claim; of several at a time one claim is stored, and the others give
theirs up and go on with its session. Token and secret of that session are made from the credential: whoever shows
it again, because a response was lost, gets the same. Once its session has ended, the credential is worth nothing.

No key of ours is in the name: a claim must be found after the keys have changed, too.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from typing import Any, NamedTuple

from .. import codec
from ..change import Change, check_size
from ..engine import Engine, Plan
from ..errors import SessionDataError, StoreUnavailable
from ..fields import difference
from ..record import Record, Secret, stamp
from ..session import PendingLogin, Session
from ..store import Held, Login
from ..token import hash_secret, made_handle, made_secret, new_handle, new_secret
from .data import storable
from .source import Old, Source

_FIELD = "exchanged"
_REPLACED = "replaced"
_FAR = 9_999_999_999.0
"""Seconds since the epoch: an instant before which no `revoke_all` will ask to end anything."""


class Exchanged(NamedTuple):
    """What a request goes on with, and the token of a session that an old credential stands for."""

    session: Session
    token: str | None = None


def owner(found: Session) -> str | None:
    """Who is signed in, without a look that the response would have to vary by."""
    return found._record.user_id if found._record is not None else None


def open_to(found: Session, source: Source) -> bool:
    """Whether a request may go on with an old credential in place of the session that its own token gave."""
    if not source.ambient:
        return True  # whoever shows it does so on purpose
    if found._record is not None:
        return found._record.user_id is None
    # Whose session has ended does not come back by a cookie that was left lying beside it. A visitor's that was
    # replaced may have been by the exchange, whose response was lost.
    return found._ended_reason in (None, _REPLACED)


def exchange(engine: Engine, source: Source, old: Old, found: Session) -> Plan[Exchanged]:
    """The session that an old credential stands for; `found` where it stands for none (any more)."""
    now, absolute = engine.now(), engine.policy.absolute_timeout.total_seconds()
    signed_in = owner(found)
    # What `revoke_user` bars it remembers for that long.
    forgotten = old.issued_at is not None and old.issued_at + absolute <= now
    if forgotten or (signed_in is not None and old.user_id in (None, signed_in)):
        return Exchanged(found)
    name = made_handle(sha256(b"coatcheck legacy name\0" + old.identity).digest())
    claim: Held = yield "load", (name,)
    stored: Record | None = None
    if claim is None:
        replaced = source.ambient and found._ended_reason == _REPLACED
        new = None if replaced else _session(engine, source, old, found, now)
        if new is None:
            return Exchanged(found)
        stored = yield from _store(new, old)
        # A credential that was refused is claimed for a session that never was: it stays refused.
        lasts = max(old.expires_at, source.until) + absolute
        if (yield "create", (_claim(name, new.handle, lasts, now), now)):
            if stored is None:
                engine.emit("login_refused", user_id=new.user_id, reason="revoked", detail={"from": source.kind})
                return Exchanged(found)
            yield from _first(engine, source, stored, found)
            return (yield from _go_on(engine, old, new.handle, stored, found))
        if stored is not None:
            yield "end", (new.handle, new.user_id, _REPLACED, now)
        claim = yield "load", (name,)
    if not isinstance(claim, Record):
        return Exchanged(found)
    handle = _said(claim)
    value: Held = yield "load", (handle,)
    return (yield from _go_on(engine, old, handle, value, found))


def _store(new: Record, old: Old) -> Plan[Record | None]:
    """Store the new session; None where `revoke_user` came after the old one's last write, or nobody knows that."""
    if new.user_id is None:
        if not (yield "create", (new, new.created_at)):
            raise StoreUnavailable("the store already has a session of this new, random name: is its data intact?")
        return new
    # No limit: an exchange signs nobody else out.
    done: Login = yield "login", (new, old.issued_at or 0.0, new.created_at, None, "", None)
    return done.record


def _first(engine: Engine, source: Source, stored: Record, found: Session) -> Plan[None]:
    """After the exchange itself, which happens once."""
    engine.emit("exchanged", handle=stored.handle, user_id=stored.user_id, detail={"from": source.kind})
    if found._record is None:
        return
    before = yield from engine.end(found._record, _REPLACED)
    if found._record.user_id is None and isinstance(before, Record):
        # What parallel requests still wrote to the visitor's session.
        late, gone = difference(codec.loads_wire(found._record.fields), codec.loads_wire(before.fields))
        if late or gone:
            with suppress(SessionDataError):
                yield "commit", (stored.handle, Change(set=late, delete=gone), engine.now())


def _go_on(engine: Engine, old: Old, handle: str, value: Held, found: Session) -> Plan[Exchanged]:
    """As with any token that is shown: what has ended is no session."""
    token = engine._tokens.sign(engine._keyring(), handle, _secret(old, handle))
    session, shown = engine.begin(token, found._client, found._began, found._held)
    if shown is not None and engine.admit(session, shown, value):
        return Exchanged(session, token)
    if shown is not None:
        yield from engine.turn_away(session, shown, value)
    return Exchanged(session if found._record is None else found)


def _session(engine: Engine, source: Source, old: Old, found: Session, now: float) -> Record | None:
    """The new session, not stored yet; None where there is nothing to keep. A visitor's own fields come along."""
    fields = storable(old.data, source.say_once)
    user_id = old.user_id or _user_in(engine, fields)
    if user_id is None and (not fields or found._record is not None):
        return None
    # A visitor's own come along; another user's do not.
    own = found.wires() if found.user_id is None else {}
    text = _fitting(codec.dumps(fields | own), fields) if own else codec.dumps(fields)
    handle = new_handle(user_id)
    secret = _secret(old, handle)
    remember = engine.policy.remember if old.remember is None else old.remember
    pending = PendingLogin(
        handle=handle, secret=secret, user_id=user_id, remember=remember, at=now, label=None, carry=True
    )
    record = found._new_record(pending, text)
    ends_at = record.expires_at if old.ends_at is None else min(record.expires_at, stamp(old.ends_at))
    return record._replace(
        authenticated_at=None if user_id is None or old.authenticated_at is None else stamp(old.authenticated_at),
        idle=old.idle or record.idle,
        expires_at=ends_at,
    )


def _fitting(text: str, fields: dict[str, codec.Wire]) -> str:
    try:
        check_size(text)
    except SessionDataError:
        return codec.dumps(fields)
    return text


def _user_in(engine: Engine, fields: dict[str, codec.Wire]) -> str | None:
    """Who the field that `user_field` names says is logged in: else the first commit would be a login."""
    probe = engine.session_class(engine, 0.0)
    dict.update(probe, {name: codec.from_wire(wire) for name, wire in fields.items()})
    try:
        return engine._user_in(probe)
    except (TypeError, ValueError):
        return None


def _secret(old: Old, handle: str) -> str:
    parts: tuple[bytes, ...] = (old.identity, old.proof, handle.encode("ascii"))
    return made_secret(sha256(b"coatcheck legacy secret\0" + b"".join(sha256(one).digest() for one in parts)).digest())


def _claim(name: str, handle: str, lasts: float, now: float) -> Record:
    """A record that opens nothing: nobody knows its secret."""
    at = stamp(now)
    return Record(
        handle=name,
        user_id=None,
        created_at=_FAR,
        authenticated_at=None,
        last_seen_at=at,
        idle=None,
        expires_at=stamp(min(lasts, _FAR)),
        remember=False,
        secrets=(Secret(0, hash_secret(new_secret(0)), at),),
        settled=0,
        fields=codec.dumps({_FIELD: handle}),
    )


def _said(claim: Record) -> str:
    fields: dict[str, Any] = codec.loads_wire(claim.fields)
    handle = fields.get(_FIELD)
    if not isinstance(handle, str):
        raise StoreUnavailable(f"the record {claim.handle} is no claim: does something else write to this store?")
    return handle
