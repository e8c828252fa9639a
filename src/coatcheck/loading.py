"""From a token to its session: half of the engine. See `engine` for what a plan is."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Generator
from hashlib import sha256
from typing import Any, Protocol, TypeVar

from . import codec, csrf, rotation, token
from .calm import calm as calmed
from .calm import due_at
from .clock import Clock, system_clock
from .errors import ConfigurationError, StoreUnavailable
from .events import Event, EventName, Events
from .info import ClientSource
from .keyring import Keyring
from .near import Near
from .policy import Policy
from .record import Ended, Record, words
from .rotation import Verdict
from .session import Session, UserId, user_id_text
from .store import Held
from .token import Shown

T = TypeVar("T")


def named(by: str | None) -> dict[str, str]:
    """Who did something, as an event tells it; nothing for None."""
    return {} if by is None else {"by": words(by)}


class Clocked(Protocol):
    """A store, as to its clock."""

    @property
    def offset(self) -> float:
        """Seconds by which its clock is ahead of this machine's."""
        ...


class _Alone:
    """An injected clock is taken at its word."""

    offset = 0.0


Plan = Generator[tuple[str, tuple[Any, ...]], Any, T]
_REMEMBERED = 1024
"""Tokens of which is remembered that their signature was good."""
_LONGEST_CHAIN = 100
"""Rotations of one session that an end follows; each takes a request."""

UserField = str | Callable[[Session], UserId | None] | None


class Loading:
    """Everything up to the moment at which a request has its session."""

    session_class: type[Session] = Session
    """What a request gets: an integration may want attributes of its framework's own on it."""

    def adopt(self, kind: type[Session]) -> None:
        """Hand out sessions of that kind from now on, as a framework knows them. Raises `ConfigurationError` where they
        are of another one's: a manager serves one such framework."""
        if issubclass(self.session_class, kind):
            return
        if self.session_class is not Session:
            raise ConfigurationError(
                f"this manager hands out a {self.session_class.__name__}, and a {kind.__name__} is needed: give "
                "each framework a manager of its own, over the same store"
            )
        self.session_class = kind

    def __init__(
        self,
        *,
        keyring: Callable[[], Keyring],
        policy: Policy,
        clock: Clock,
        events: Events,
        user_field: UserField,
        record_client: bool,
        tokens: token.Format,
        beside: Clocked,
    ) -> None:
        self.policy = policy
        self.user_field = user_field
        self._keyring = keyring
        self._clock = clock
        self._events = events
        self.record_client = record_client
        self._tokens = tokens
        self._good: dict[bytes, Shown] = {}
        """What tokens said that were checked before, by their hashes: no credential is kept."""
        self._beside = beside if clock is system_clock else _Alone()

    # -- what a session asks -----------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since the epoch by the store's clock, or by an injected one."""
        return self._clock() + self._beside.offset

    def csrf_token(self, handle: str) -> str:
        """A masked token for the session with that handle, under the newest key."""
        return csrf.mint(self._csrf_secrets(handle)[0])

    def csrf_matches(self, subject: Session, text: str) -> bool:
        """Whether `text` is one of the session's own tokens."""
        secrets = self._csrf_secrets(subject.handle) if subject.handle else []
        return any(csrf.matches(secret, text) for secret in secrets)

    def _csrf_secrets(self, handle: str) -> list[bytes]:
        """Derived, not stored: a login's new handle brings a new one, a form costs no write."""
        return [hmac.digest(key, handle.encode(), "sha256") for key in self._keyring().keys("csrf")]

    def verify(self, text: str) -> Shown | None:
        """What a token says, or None for anything that we did not sign."""
        digest = sha256(text.encode("utf-8", "surrogatepass")).digest()
        found = self._good.get(digest)
        if found is None:
            found = self._tokens.verify(self._keyring(), text)
            if found is not None:
                if len(self._good) >= _REMEMBERED:
                    self._good.clear()
                self._good[digest] = found
        return found

    def emit(self, name: EventName, **facts: Any) -> None:
        """Tell the subscribers."""
        self._events.emit(Event(name, self.now(), **facts))

    def response_started(self, subject: Session) -> None:
        """From now on no cookie can be set: `login` and `rotate` raise, data is committed at the end."""
        subject._responded = True

    def spared(self, subject: Session) -> str | None:
        """The handle that `revoke_user` has to keep for a session: before its commit a login or `rotate` has
        the old one, which still holds the data."""
        return subject._record.handle if subject._record else subject.handle

    def spare(self, subject: Session, revoked_at: float) -> None:
        """Let a session that `revoke_user` was told to keep log in, though its request came before."""
        behind = revoked_at - self.began(subject)
        if behind > 0:
            subject._began += behind + 1e-6  # the sum is rounded, and must not fall short

    def began(self, subject: Session) -> float:
        """When the request arrived, by the store's clock. Asked late: a process that has not met its store yet
        does not know how far off its own clock is."""
        return subject._began + self._beside.offset

    def shows_end(self, subject: Session) -> bool:
        """Whether the token that the client showed belongs to a session that has ended, and has no successor."""
        # "replaced": the login's or rotation's own cookie is on its way, or there, and has the same name.
        return subject._record is None and subject._ended_reason not in (None, "replaced")

    # -- load --------------------------------------------------------------------------------------------

    def begin(
        self,
        text: str | None,
        client: ClientSource,
        began: float | None,
        held: float = 0.0,
        near: Near | None = None,
    ) -> tuple[Session, Shown | None]:
        """The session of a request that `near` knows, and None: the store need not be asked; so for no token. Else an
        anonymous one, and what its token says."""
        found = self.session_class(
            self, self._clock() if began is None else began, client if self.record_client else None
        )
        found._held = held
        shown = self.verify(text) if text else None
        if shown is not None:
            found._token = text
            if near is not None and (kept := near.get(shown.handle)) is not None and self.admit(found, shown, kept):
                return found, None
        return found, shown

    def admit(self, found: Session, shown: Shown, value: Held) -> bool:
        """Make `found` the session that the store holds, if the token is good for it; else `turn_away` is due.

        The common case, decided without a plan. Raises `StoreUnavailable` for data that cannot be read.
        """
        if not isinstance(value, Record):
            return False
        began, calm = self.began(found), shown.calm
        if calm is not None and calm.record is value and began < calm.until:
            dict.update(found, calm.fields)
            found._flat = True
        else:
            try:
                verdict, found._settles = rotation.judge(value, shown, began, found._held)
                if verdict is not Verdict.GOOD or value.over(began):
                    return False
                fields, due = codec.loads(value.fields), due_at(value, shown.step, self.policy)
                shown.calm = calmed(value, shown, fields, due)
            except (ValueError, TypeError, AttributeError) as error:
                # During a rollout the servers that can read it are a retry away.
                raise StoreUnavailable(f"the session {value.handle} cannot be read: {error}") from error
            dict.update(found, fields)
            found._due = began >= due
        found._record, found._shown = value, shown
        found._text, found._seen_seq = value.fields, value.seq
        if self.user_field is not None:
            found._field_user = self._user_in(found)
        return True

    def turn_away(self, found: Session, shown: Shown, value: Held) -> Plan[Session]:
        """Leave `found` anonymous, and say why; a copied token ends its session."""
        found._token = None
        if isinstance(value, Record):
            record, began = value, self.began(found)
            value = record.over(began)
            if value is None and rotation.judge(record, shown, began, found._held)[0] is Verdict.STOLEN:
                value = yield from self._steal(record)
            elif value is None:
                self.emit("token_unknown", handle=shown.handle, user_id=record.user_id, reason="unknown step")
        if isinstance(value, Ended):
            found._ended_reason = value.reason
        return found

    def _steal(self, record: Record) -> Plan[Held]:
        value = yield from self.end(record, "stolen")
        return Ended("stolen", self.now()) if isinstance(value, Record) else value

    def end(self, record: Record, reason: str, by: str | None = None) -> Plan[Held]:
        """End a session: the record as it was at its end, or what was there if something else ended it first.
        `by`: who did it, where it was not the user."""
        reason = words(reason)
        handle: str | None = record.handle
        value: Held = None
        for _ in range(_LONGEST_CHAIN):
            value = yield "end", (handle, record.user_id, reason, self.now())
            # An end wins over a `rotate()` that came before it: it was meant for the session, not for its name.
            if not isinstance(value, Ended) or value.successor is None:
                break
            handle = value.successor
        if isinstance(value, Record):
            self.emit("ended", handle=handle, user_id=record.user_id, reason=reason, detail=named(by))
        return value

    def _user_in(self, subject: Session) -> str | None:
        """Who the field that `user_field` names says is logged in."""
        place = self.user_field
        looked = subject._accessed
        value = place(subject) if callable(place) else dict.get(subject, str(place))
        subject._accessed = looked  # a callable's look is ours: the response does not vary by it
        # An empty one is how many an application says that nobody is.
        return None if value is None or value is False or value == "" else user_id_text(value)
