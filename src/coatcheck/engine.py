"""Every decision about a session, without I/O.

A *plan* is a generator: it yields `(method, arguments)` of the store contract, is sent what the store
returned (or thrown what it raised), and returns its result. A manager drives it, sync or async.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

from . import codec, events, rotation, token
from .change import Change, check_size
from .errors import ReauthenticationRequired, SessionDataError, SessionEnded, StoreUnavailable
from .fields import difference
from .loading import Loading
from .loading import Plan as Plan
from .loading import UserField as UserField
from .record import Ended, Record, stamp
from .session import PendingLogin, Session
from .store import Held, Login


class Commit(NamedTuple):
    """What the client has to be told, by `action`: "keep" its cookie as it is, "set" it to `token`, or "drop" it.

    `max_age` is in seconds; None means until the browser ends.
    """

    action: Literal["keep", "set", "drop"]
    token: str | None = None
    max_age: int | None = None

    def __repr__(self) -> str:
        return f"<Commit {self.action} max_age={self.max_age}>"


KEEP = Commit("keep")
DROP = Commit("drop")


class Engine(Loading):
    """The decisions of one manager: what a request did, and what to tell its client."""

    def idle(self, subject: Session) -> bool:
        """Whether a commit has nothing to do: the common read-only request, decided without a plan."""
        if subject._record is None:
            return not (subject._written or subject._called or subject._wanted)
        return not (subject._due or subject._settles) and self.unchanged(subject)

    def unattended(self, subject: Session) -> None:
        """This request comes of a script's own accord, as a poll does: it does not count as use of the session."""
        subject._due = False

    def want(self, subject: Session) -> None:
        """Let the next commit store a session that is empty, too: a framework's own verb asked for that."""
        subject._wanted = True

    def unchanged(self, subject: Session) -> bool:
        """Whether the request did nothing to its session, whatever may fall due with it."""
        return not (
            subject._written
            or subject._called
            or (self.user_field is not None and self._user_moved(subject))
            or (subject._accessed and not (subject._flat or subject._is_flat()) and any(subject.changes()))
        )

    def commit(self, subject: Session, failed: bool = False) -> Plan[Commit]:
        """Store what the request did. `failed`: nothing but a logout happens.

        Raises `SessionEnded` for a write after the end, `ReauthenticationRequired` for a login that
        `revoke_user` overtook, `SessionDataError`, `StoreUnavailable`.
        """
        fault: SessionDataError | None = None
        try:
            self.follow_user_field(subject)
        except SessionDataError as error:
            fault = error  # after the logout, which must not be lost over a value that cannot be stored
        ended = subject._ending
        if ended is not None:
            yield from self.end(ended, "logout")
            subject._ending = None
            subject._called = bool(subject._pending or subject._idle or subject._expires_at) or (
                subject._remember is not None
            )
        if failed:
            return DROP if ended else KEEP
        if fault is not None:
            raise fault
        if subject._pending:
            return (yield from self._login(subject, subject._pending))
        if subject._record is None:
            if subject._responded:
                # No cookie can carry a new session's token any more: storing it would leave a row nobody owns.
                if subject._written and any(subject.changes()):
                    self.emit("late_write", reason="the response had started, and the visitor had no session")
                return DROP if ended else KEEP
            result = yield from self._create(subject)
            return DROP if ended and result is KEEP else result
        if subject._rotating:
            return (yield from self._replace(subject, subject._record, subject._rotating))
        return (yield from self._update(subject, subject._record))

    def follow_user_field(self, subject: Session) -> None:
        """Where the user's id lies in a field, a new value there is a login and its removal a logout.

        Every commit asks it; a framework that tells the session's name before that asks earlier. Raises
        `SessionDataError` for a value that cannot be stored: then a login is none, and a logout is one.
        """
        if subject._pending or not self._user_moved(subject):
            return
        user = self._user_in(subject)
        # What this request wrote stays (a flash message); the rest was the other user's. What came with the user's id
        # is the new one's, also where the other had the same (Flask-Login: `_fresh`, `_id`).
        try:
            written = {*subject.changes()[0], *(subject._since or ())}
        except SessionDataError:
            if user is None:
                subject.logout()
            raise
        own = {name: subject[name] for name in written if name in subject}
        if user is None:
            subject.logout()
        else:
            subject.login(user)
        if own:
            subject.update(own)

    def _user_moved(self, subject: Session) -> bool:
        """Whether the field names another user than the session has."""
        if self.user_field is None:
            return False
        user = self._user_in(subject)
        stored = subject._record.user_id if subject._record else None
        # Against what was loaded: a session that `login()` made, without the field, is no logout.
        return user != stored and (user != subject._field_user or stored is None)

    def _create(self, subject: Session) -> Plan[Commit]:
        wires = subject.wires()
        if not (wires or subject._wanted):
            return KEEP
        text = codec.dumps(wires)
        check_size(text)
        self._keyring()  # a missing secret shows before anything is stored
        pending = PendingLogin(
            handle=token.new_handle(None),
            secret=token.new_secret(0),
            user_id=None,
            remember=self.policy.remember,
            at=self.now(),
            label=None,
            carry=True,
        )
        record = subject._new_record(pending, text)
        if not (yield "create", (record, self.now())):
            raise StoreUnavailable("the store already has a session of this new, random name: is its data intact?")
        self.emit("created", handle=record.handle)
        return self._issued(subject, record, pending.secret, text)

    def _login(self, subject: Session, pending: PendingLogin) -> Plan[Commit]:
        wires = subject.wires()
        text = codec.dumps(wires)
        check_size(text)
        self._keyring()
        # Of now, not of `login()`: `revoke_all` ends what was created before it, whoever commits when.
        pending = replace(pending, at=self.now())
        new = subject._new_record(pending, text)
        limit, why = self.policy.max_sessions, "too many sessions"
        old = subject._record
        replaces = old.handle if old else None
        done: Login = yield "login", (new, self.began(subject), self.now(), limit, why, replaces)
        if done.record is None:
            self.emit("login_refused", user_id=new.user_id, reason="revoked")
            raise ReauthenticationRequired(
                "all sessions of this user were ended while this sign-in was under way. Sign in again."
            )
        for handle in done.over_limit:
            self.emit("ended", handle=handle, user_id=new.user_id, reason=why)
        if old is not None:
            late = self._late(subject, wires, (yield from self.end(old, "replaced")), pending.carry)
            if late.set or late.delete:
                try:
                    yield "commit", (new.handle, late, self.now())
                except SessionDataError:
                    self.emit("late_write", handle=new.handle, user_id=new.user_id, reason="too large")
        self.emit(
            "authenticated",
            handle=new.handle,
            user_id=new.user_id,
            detail=({"from": old.handle} if old else {}) | ({"ip": new.address} if new.address else {}),
        )
        subject._seen_seq = 0
        return self._issued(subject, done.record, pending.secret, text)

    @staticmethod
    def _late(subject: Session, wires: dict[str, codec.Wire], old: Held, carry: bool | frozenset[str]) -> Change:
        """What parallel requests still wrote to the old session, for the new one; this request's own wins.

        A login over a session that was ended meanwhile is a login over nothing: what it carried stays behind.
        """
        before = codec.loads_wire(subject._text)
        mine, gone = difference(before, wires)
        own = {*mine, *gone}

        def comes(name: str) -> bool:
            return name not in own and (carry is True or (carry is not False and name in carry))

        if not isinstance(old, Record):
            if old is not None and old.reason == "replaced":
                return Change()  # by this very login, sent twice
            return Change(delete=tuple(filter(comes, before)))
        late, deleted = difference(before, codec.loads_wire(old.fields))
        return Change(
            set={name: wire for name, wire in late.items() if comes(name)},
            delete=tuple(filter(comes, deleted)),
        )

    def _replace(self, subject: Session, old: Record, pending: PendingLogin) -> Plan[Commit]:
        text = codec.dumps(subject.wires())
        change = self._change(subject)._replace(seen_at=stamp(self.now()), step=None)
        template = subject._new_record(pending, "{}")
        value: Held = yield "replace", (old.handle, change, template, self.now())
        if not isinstance(value, Record):
            return self._not_written(subject, old, value)
        self.emit("ended", handle=old.handle, user_id=old.user_id, reason="replaced")
        self.emit("rotated", handle=value.handle, user_id=value.user_id, detail={"from": old.handle})
        return self._issued(subject, value, pending.secret, text)

    def _change(self, subject: Session) -> Change:
        fields, deleted = subject.changes()
        return Change(
            set=fields,
            delete=deleted,
            seen_seq=subject._seen_seq,
            idle=subject._idle,
            expires_at=subject._expires_at,
            remember=subject._remember,
            settle=subject._settles,
        )

    def _update(self, subject: Session, record: Record) -> Plan[Commit]:
        change = self._change(subject)
        longer = change.expires_at is not None or change.remember is not None
        wrote = bool(change.set or change.delete or change.idle or longer)
        if not wrote and not subject._settles and not subject._due:
            return KEEP
        address, agent = subject._who()
        change = change._replace(seen_at=stamp(self.now()), address=address, user_agent=agent)
        secret = None
        shown = subject._shown
        if shown and not subject._responded:
            planned = rotation.successor(record, shown, self.began(subject), self.policy.rotation_seconds, self.now())
            if planned:
                change, secret = change._replace(step=planned[0]), planned[1]
        text = codec.dumps(subject.wires()) if wrote else subject._text
        try:
            value: Held = yield "commit", (record.handle, change, self.now())
        except StoreUnavailable as error:
            if wrote:
                raise
            # A touch or a rotation that fails is made up for by the next request.
            events.logger.warning("a session could not be touched: %s", error)
            return KEEP
        if not isinstance(value, Record):
            return self._not_written(subject, record, value) if wrote else KEEP
        if secret and change.step and value.secrets[0].hash == change.step.to.hash:
            self.emit("rotated", handle=value.handle, user_id=value.user_id)
            return self._issued(subject, value, secret, text)
        self._stored(subject, value, text)
        return self._told_again(subject, value, longer)

    def _told_again(self, subject: Session, record: Record, longer: bool) -> Commit:
        """The same secret once more: with the newest key's tag, or because the cookie has to live longer."""
        shown, text = subject._shown, subject._token
        # Never an older secret: it would take the place of the newer one that the client may have by now.
        if subject._responded or not (shown and text) or shown.step != record.secrets[0].step:
            return KEEP
        if shown.resign or longer:
            return self._told(record, self._tokens.resign(self._keyring(), text))
        return KEEP

    def retold(self, subject: Session) -> Commit:
        """What tells a client the token that its session was loaded with, where it does not hold that yet."""
        record, shown, text = subject._record, subject._shown, subject._token
        if record is None or not (shown and text) or shown.step != record.secrets[0].step:
            return KEEP
        return self._told(record, text)

    def _not_written(self, subject: Session, record: Record, value: Ended | None) -> Commit:
        # Else a stream's next commit would store the ended session's data anew.
        subject._leave()
        if value is not None and value.by_this:
            self.emit("ended", handle=record.handle, user_id=None, reason=value.reason)
            return DROP
        reason = value.reason if value else "unknown"
        self.emit("late_write", handle=record.handle, user_id=record.user_id, reason=reason)
        raise SessionEnded(reason)

    def _stored(self, subject: Session, record: Record, text: str) -> None:
        """Let the session go on from what is stored now: a stream may commit again."""
        subject._record, subject._text = record, text
        subject._pending = subject._rotating = subject._idle = subject._expires_at = subject._settles = None
        subject._remember = subject._since = None
        subject._called = subject._written = subject._wanted = subject._due = False
        subject._flat = None
        if self.user_field is not None:
            subject._field_user = self._user_in(subject)

    def _issued(self, subject: Session, record: Record, secret: str, text: str) -> Commit:
        self._stored(subject, record, text)
        subject._token = self._tokens.sign(self._keyring(), record.handle, secret)
        subject._shown = self.verify(subject._token)
        return self._told(record, subject._token)

    def _told(self, record: Record, text: str) -> Commit:
        return Commit("set", text, max(1, round(record.expires_at - self.now())) if record.remember else None)
