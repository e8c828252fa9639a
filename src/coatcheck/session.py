"""The session as the application meets it: a dict with verbs. It does no I/O; the manager's `commit` does."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from .errors import CoatcheckError
from .fields import Fields
from .info import Client, ClientSource, SessionInfo, clip, info_of, short
from .policy import Policy
from .record import Record, Secret, stamp
from .token import Shown, bucket_of, hash_secret, new_handle, new_secret

MAX_USER_ID = 255
_CENTURY = 100 * 365.25 * 86_400

UserId = str | int | UUID


class Surroundings(Protocol):
    """What a session asks of the engine that loaded it."""

    policy: Policy

    @property
    def user_field(self) -> object:
        """Where the user's id lies in code that never calls `login`, or None."""
        ...

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def csrf_token(self, handle: str) -> str:
        """A masked token for the session with that handle."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingLogin:
    """A login (or a replacement of handle and secret) that the next commit will make true."""

    handle: str
    secret: str = field(repr=False)
    user_id: str | None
    remember: bool
    at: float
    label: str | None
    carry: bool | frozenset[str]


def user_id_text(user_id: UserId) -> str:
    """A user id as the text that is stored: 1 to 255 characters. Raises `ValueError` or `TypeError` else."""
    if isinstance(user_id, bool) or not isinstance(user_id, (str, int, UUID)):
        raise TypeError(f"a user id is a str, an int or a UUID, not {type(user_id).__name__}")
    text = str(user_id)
    if not 1 <= len(text) <= MAX_USER_ID:
        raise ValueError(f"a user id has 1 to {MAX_USER_ID} characters, this one {len(text)}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a user id is text; this one has lone surrogates") from None
    return text


class Session(Fields):
    """One client's session. Made by a manager's `load`; written by its `commit`."""

    # What every request touches: a slot costs a fraction of what the dict of a dict's subclass does. That one is made
    # for what follows only where a request needs it.
    __slots__ = (
        *("__dict__", "__weakref__", "_around", "_began", "_called", "_client", "_due", "_held", "_pending"),
        *("_record", "_responded", "_seen_seq", "_settles", "_shown", "_token"),
    )

    _record: Record | None
    """As it was loaded, or as this request stored it; None while nothing is stored."""
    _shown: Shown | None
    _token: str | None
    _settles: int | None
    _due: bool
    """Whether a touch or a rotation fell due with its request."""
    _seen_seq: int
    """The newest patch in the data as it was loaded; later commits of a stream have not seen more."""
    _held: float
    """Seconds for which the request may have been under way before it arrived."""
    _pending: PendingLogin | None
    _called: bool
    """Whether a verb was called that the next commit has to carry out."""
    _responded: bool

    _ended_reason: str | None = None
    _field_user: str | None = None
    """Who was logged in by `user_field` when it was loaded."""
    _ending: Record | None = None
    """A logout: this one is to be ended by the commit, whatever else happens."""
    _rotating: PendingLogin | None = None
    _idle: float | None = None
    _expires_at: float | None = None
    _remember: bool | None = None
    """Asked for by an integration: whether the cookie survives the browser, whatever `login` or the policy said."""
    _wanted = False
    """It is to be stored even if it is empty."""

    def __init__(self, around: Surroundings, began: float, client: ClientSource = None) -> None:
        """Use a manager's `load`; an anonymous session that nothing has stored yet."""
        Fields.__init__(self)  # by name: before Python 3.12 `super()` costs as much as what is called
        self._around = around
        self._began = began
        self._client = client
        self._held = 0.0
        self._record = self._shown = self._token = self._settles = self._pending = None
        self._due = self._called = self._responded = False
        self._seen_seq = 0

    # -- who and what it is ------------------------------------------------------------------------------

    @property
    def handle(self) -> str | None:
        """Its public name, also right after `login()`; None while nothing is stored."""
        self._accessed = True
        if pending := self._pending or self._rotating:
            return pending.handle
        return self._record.handle if self._record else None

    @property
    def user_id(self) -> str | None:
        """Who is logged in, or None."""
        self._accessed = True
        if self._pending:
            return self._pending.user_id
        return self._record.user_id if self._record else None

    @property
    def is_authenticated(self) -> bool:
        """Whether somebody is logged in."""
        return self.user_id is not None

    @property
    def is_new(self) -> bool:
        """Whether it is not in the store yet."""
        return self._record is None or self._pending is not None

    @property
    def accessed(self) -> bool:
        """Whether anybody has looked at it: then the response differs by cookie."""
        return self._accessed

    @accessed.setter
    def accessed(self, value: bool) -> None:
        self._accessed = bool(value)

    @property
    def modified(self) -> bool:
        """Whether a commit now would write more than a touch. Setting it is never needed, and allowed."""
        return self._called or any(self.changes())

    @modified.setter
    def modified(self, value: bool) -> None:
        self._accessed = self._accessed or bool(value)

    @property
    def ended_reason(self) -> str | None:
        """Why the client's last session is no more ("logout", "idle", "absolute", "replaced", "stolen", or
        the revoker's words), or None."""
        self._accessed = True
        return self._ended_reason

    @property
    def csrf_token(self) -> str:
        """A token for this session's forms: differs at every read, stays valid; "" while nothing is stored."""
        self._accessed = True
        handle = self.handle
        return self._around.csrf_token(handle) if handle else ""

    @property
    def info(self) -> SessionInfo | None:
        """What may be shown of it, or None while nothing is stored."""
        self._accessed = True
        record = self._new_record(self._pending, "{}") if self._pending else self._record
        if record and self._rotating:
            record = record._replace(handle=self._rotating.handle)
        return info_of(record, record.handle) if record else None

    def is_fresh(self, within: timedelta) -> bool:
        """Whether the user signed in at most that long ago (ASVS 7.5.1); False for nobody."""
        self._accessed = True
        if self._pending:
            return True
        at = self._record.authenticated_at if self._record else None
        return at is not None and self._around.now() - at <= within.total_seconds()

    # -- verbs -------------------------------------------------------------------------------------------

    def login(
        self,
        user_id: UserId,
        remember: bool | None = None,
        label: str | None = None,
        carry: bool | Collection[str] = True,
    ) -> None:
        """Start a new session for this user, with a new handle and secret; the old one ends at the commit.

        The data comes along from an anonymous session or the same user's: all of it, none
        (`carry=False`), or the named fields. Over another user's session it starts empty. `remember`: True,
        a cookie that survives the browser; False, one that does not; None, as the policy says. `label` names
        the device in lists. ASVS 7.2.4.

        Raises TypeError or ValueError for what cannot be a user id, `CoatcheckError` after the response has
        started.
        """
        self._check_open("login")
        user = user_id_text(user_id)
        if isinstance(carry, str):
            raise TypeError("carry takes True, False or a collection of names, not a single str")
        kept = carry if isinstance(carry, bool) else frozenset(carry)
        # Also of the session as it was loaded: a second login in this request is not over the first one's.
        if {self.user_id, self._record and self._record.user_id} - {None, user}:
            kept = False
        if kept is not True:
            for name in [name for name in dict.keys(self) if not kept or name not in kept]:
                dict.__delitem__(self, name)
        self._pending = PendingLogin(
            handle=new_handle(user),
            secret=new_secret(0),
            user_id=user,
            remember=self._around.policy.remember if remember is None else remember,
            at=self._around.now(),
            label=clip(label),
            carry=kept,
        )
        self._rotating = None
        self._called = True

    def logout(self) -> None:
        """End this session at the commit and forget its data. What is stored after it is a new, anonymous one."""
        self._ending = self._ending or self._record
        self._leave()
        self._called = self._ending is not None

    def _leave(self) -> None:
        """Be an anonymous session from now on, without the data of the one that has ended."""
        self._record = self._shown = self._token = self._settles = self._field_user = None
        self._pending = self._rotating = self._idle = self._expires_at = self._remember = None
        self._text = "{}"
        self._accessed, self._flat = True, None
        self._called = self._written = self._wanted = self._due = False
        dict.clear(self)

    def rotate(self) -> None:
        """Replace handle and secret at the commit, at once, and keep the user, the data and the lifetime.

        For a change of what the session may do (a role, a second factor). Does nothing while nothing is
        stored. Raises `CoatcheckError` after the response has started.
        """
        self._check_open("rotate")
        if self._record is None or self._pending:
            return
        old = self._record
        bucket = None if old.user_id is not None else bucket_of(old.handle)
        self._rotating = PendingLogin(
            handle=new_handle(old.user_id, bucket=bucket),
            secret=new_secret(0),
            user_id=old.user_id,
            remember=old.remember,
            at=self._around.now(),
            label=old.label,
            carry=True,
        )
        self._called = True

    def set_lifetime(self, idle: timedelta | None = None, absolute: timedelta | datetime | None = None) -> None:
        """Change this session's timeouts: `idle` as in the policy, `absolute` counted from now, or an instant.

        None leaves one as it is. Raises ValueError for one that is not above zero or has no time zone.
        """
        now, expires_at = self._around.now(), self._expires_at
        if idle is not None and idle <= timedelta(0):
            raise ValueError("idle must be above zero; to end the session, call logout()")
        if absolute is not None:
            if isinstance(absolute, datetime):
                if absolute.tzinfo is None:
                    raise ValueError("absolute needs a time zone: datetime.now(UTC) + ...")
                expires_at = absolute.timestamp()
            else:
                expires_at = now + absolute.total_seconds()
            if expires_at <= now:
                raise ValueError("absolute must lie in the future; to end the session, call logout()")
            if expires_at - now > _CENTURY:
                raise ValueError("absolute: at most a hundred years; browsers forget a cookie after 400 days")
        # Only now: a caller who catches the error goes on with the session as it was.
        self._idle, self._expires_at = idle.total_seconds() if idle else self._idle, expires_at
        self._called = True

    def _persist(self, remember: bool | None) -> None:
        self._remember, self._called = remember, True

    def _check_open(self, verb: str) -> None:
        if self._responded:
            raise CoatcheckError(
                f"{verb}() needs to set a cookie, and the response has started. Call it before the first byte."
            )

    # -- for the engine ----------------------------------------------------------------------------------

    def _who(self) -> Client:
        """Who asked, bounded and cleaned, as it is kept."""
        address, agent = (self._client() if callable(self._client) else self._client) or Client()
        return Client(clip(address), short(clip(agent)))

    def _new_record(self, pending: PendingLogin, fields: str) -> Record:
        remember = pending.remember if self._remember is None else self._remember
        idle, absolute = self._around.policy.lifetimes(remember)
        at = stamp(pending.at)
        client = self._who()
        return Record(
            handle=pending.handle,
            user_id=pending.user_id,
            created_at=at,
            authenticated_at=None if pending.user_id is None else at,
            last_seen_at=at,
            idle=self._idle or idle,
            expires_at=stamp(self._expires_at or at + absolute),
            remember=remember,
            secrets=(Secret(0, hash_secret(pending.secret), at),),
            settled=0,
            address=client.ip,
            user_agent=client.user_agent,
            label=pending.label,
            fields=fields,
        )

    def _named(self, key: str) -> None:
        if self._since is None and key == self._around.user_field:
            self._since = set()
        if key not in _SUSPECTS or key in _warned:
            return
        if key in _USER_NAMES and self._around.user_field is None and not self.is_authenticated:
            advice = (
                "looks like a login. Such a session can't be listed or revoked by its user and keeps its secret: "
                f"call session.login(user_id), or set user_field={key!r}"
            )
        elif key in ATTRIBUTES and self._around.user_field != key:  # `user_id` says the same then
            advice = "has the name of an attribute of Session, which is what a template would show. Rename it"
        else:
            return
        _warned.add(key)
        warnings.warn(f"storing the field {key!r} {advice}.", UserWarning, stacklevel=3)

    def __repr__(self) -> str:
        # No values: they may be the user's secrets, and a repr ends up in logs.
        user = self._pending.user_id if self._pending else self._record and self._record.user_id
        handle = (
            pending.handle if (pending := self._pending or self._rotating) else self._record and self._record.handle
        )
        return f"<Session {handle or 'not stored'} user={user!r} fields={list(dict.keys(self))}>"


ATTRIBUTES = frozenset(name for name in dir(Session) if not name.startswith("_"))
"""Names that a template finds as an attribute of the session before it finds a field."""

_USER_NAMES = frozenset({"user_id", "uid", "user", "username"})
_SUSPECTS = ATTRIBUTES | _USER_NAMES
_warned: set[str] = set()
