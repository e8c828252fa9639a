"""What must hold, as plainly as it can be said: sessions in a dictionary, one server, one thing at a time.

Written from the promises, without a look at how they are kept. The library may spread a login over two steps
in Redis; here it is a few lines, and whatever a client sees of the library has to be what these lines say.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, NamedTuple

from coatcheck import Policy

DAY = 86_400.0
SETTLES = 60.0
"""Seconds after its issue from which a secret that is shown counts as kept by the browser."""
TOO_MANY = "too many sessions"

Fields = dict[str, Any]


class End(NamedTuple):
    """Why and when a session ended; `successor` is what `rotate()` renamed it to."""

    reason: str
    at: float
    successor: str | None = None


@dataclass(frozen=True)
class Stored:
    """A session on the server, at one moment."""

    handle: str
    user: str | None
    created: float
    seen: float
    idle: float | None
    expires: float
    remember: bool
    fields: Fields
    issued: tuple[float, ...]
    """When each step of the secret was issued: the newest has the highest number."""
    label: str | None = None
    kept: tuple[int, ...] = (0,)
    """The steps that are still known: the current one, the one before it, the settled one."""
    settled: int = 0
    seq: int = 0
    patched: dict[str, int] = field(default_factory=dict)
    """Which `update_user` wrote a field last."""
    end: End | None = None

    @property
    def current(self) -> int:
        return self.kept[0]

    @property
    def deadline(self) -> float:
        return self.expires if self.idle is None else min(self.expires, self.seen + self.idle)

    def ended(self, at: float) -> End | None:
        """The end that somebody or the time brought by then. Of two deadlines the first is the reason."""
        if self.end or at < self.deadline:
            return self.end
        return End("absolute" if self.deadline == self.expires else "idle", self.deadline)


@dataclass
class Gate:
    """What is known of a user."""

    not_before: float = float("-inf")
    patches: list[tuple[int, float, Fields]] = field(default_factory=list)


@dataclass(frozen=True)
class Login:
    """A login that the next commit makes true."""

    handle: str
    user: str
    remember: bool
    label: str | None
    carry: frozenset[str]
    """The fields, of those that were loaded, that may come along."""


@dataclass
class Request:
    """What one request knows: what it loaded, what it changed, what it asked for."""

    began: float
    snap: Stored | None = None
    """The session as it was loaded, or as this request stored it."""
    base: Fields = field(default_factory=dict)
    view: Fields = field(default_factory=dict)
    token: str | None = None
    step: int = 0
    settles: int | None = None
    seen_seq: int = 0
    reasons: frozenset[str | None] = frozenset({None})
    """What it may be told of its client's last session."""
    login: Login | None = None
    rotating: tuple[str, float] | None = None
    ending: str | None = None
    idle: float | None = None
    expires: float | None = None

    def leave(self) -> None:
        """Be a visitor without data."""
        self.snap = self.token = self.settles = self.login = self.rotating = self.idle = self.expires = None
        self.base, self.view = {}, {}

    @property
    def handle(self) -> str | None:
        if self.login:
            return self.login.handle
        if self.rotating:
            return self.rotating[0]
        return self.snap.handle if self.snap else None

    @property
    def user(self) -> str | None:
        return self.login.user if self.login else self.snap.user if self.snap else None


class Told(NamedTuple):
    """What a commit tells the client: `step` of the session `handle`, or to keep or drop what it has."""

    action: str
    handle: str | None = None
    step: int = 0
    max_age: int | None = None


class Refused(NamedTuple):
    """A commit or a redemption that raises; `reasons` are those that it may give."""

    error: str
    reasons: frozenset[str | None] = frozenset({None})


KEEP, DROP = Told("keep"), Told("drop")


@dataclass
class Ticket:
    """A ticket that was issued."""

    handle: str
    bearer: bool
    expires: float
    used: bool = False


def difference(before: Fields, after: Fields) -> Fields:
    """The fields that changed; a deleted one is None."""
    return {name: after.get(name) for name in {**before, **after} if before.get(name) != after.get(name)}


def merged(fields: Fields, changed: Fields) -> Fields:
    """The fields with the change on top."""
    return {name: value for name, value in {**fields, **changed}.items() if value is not None}


class Model:
    """The server."""

    def __init__(self, policy: Policy, now: float) -> None:
        self.policy, self.now = policy, now
        self.sessions: dict[str, Stored] = {}
        self.gates: dict[str, Gate] = {}
        self.tokens: dict[str, tuple[str, int]] = {}
        """Every token that was ever told to a client."""
        self.copied: set[str] = set()
        """Sessions of which two clients hold a token."""
        self.stolen: set[str] = set()
        self._patches = 0
        assert policy.rotation_interval is not None
        self.interval = policy.rotation_interval.total_seconds()

    # -- what is there -----------------------------------------------------------------------------------

    def ended(self, handle: str) -> End | None:
        """The end of a session by now; of one that was never stored too."""
        stored = self.sessions.get(handle)
        return stored.ended(self.now) if stored else End("unknown", self.now)

    def live(self, user: str | None = None) -> list[Stored]:
        """The live sessions, of a user or of everybody, newest first."""
        found = [one for one in self.sessions.values() if not one.ended(self.now) and user in (None, one.user)]
        return sorted(found, key=lambda one: (one.created, one.handle), reverse=True)

    def reasons(self, end: End, nothing: str | None = None) -> frozenset[str | None]:
        """What may be told of an end: why, and after a day perhaps that nothing is known."""
        return frozenset({end.reason, nothing} if self.now >= end.at + DAY else {end.reason})

    def finish(self, handle: str, reason: str, successor: str | None = None) -> Stored | End:
        """End a session, under whichever name `rotate()` gave it: what it held, or how it had ended before."""
        end = self.ended(handle)
        while end and end.successor:
            handle = end.successor
            end = self.ended(handle)
        if end:
            return end
        held = self.sessions[handle]
        self.sessions[handle] = replace(held, end=End(reason, self.now, successor))
        return held

    def gate(self, user: str) -> Gate:
        return self.gates.setdefault(user, Gate())

    # -- load: who is it? --------------------------------------------------------------------------------

    def verdict(self, one: Stored, step: int, sent: float) -> str:
        """What a secret says of the one who shows it, in a request that may have been sent at `sent`."""
        if step < one.settled and sent >= one.issued[one.settled if one.settled in one.kept else one.current] + SETTLES:
            return "stolen"  # it was replaced by one that its holder has kept
        if one.settled < step < one.current and step not in one.kept and sent >= one.issued[one.current]:
            return "stolen"  # two holders of older secrets have pushed it out
        return "good" if step in one.kept else "unknown"

    def load(self, shown: tuple[str, int] | None, token: str | None, began: float, held: float = 0.0) -> Request:
        """A request that arrived at `began` and shows a step of a session; no token: one that is not genuine."""
        request = Request(began)
        one = self.sessions.get(shown[0]) if shown else None
        if shown is None or one is None:
            return request
        if end := one.end or one.ended(began):
            request.reasons = self.reasons(end)
            return request
        step = shown[1]
        verdict = "unknown" if token is None else self.verdict(one, step, began - held)
        if verdict == "stolen":
            done = self.finish(one.handle, "stolen")
            request.reasons = frozenset({done.reason if isinstance(done, End) else "stolen"})
            if isinstance(done, Stored):
                assert one.handle in self.copied, "its owner alone is taken for a thief"
                self.stolen.add(one.handle)
        if verdict == "good":
            late = step > one.settled and began >= one.issued[step] + SETTLES
            request.snap, request.token, request.step, request.settles = one, token, step, step if late else None
            request.base, request.view, request.seen_seq = one.fields, one.fields, one.seq
        return request

    # -- what a request does -----------------------------------------------------------------------------

    def log_in(self, request: Request, login: Login) -> None:
        """All, none or some of the data comes along; nothing over somebody else's session."""
        loaded = request.snap.user if request.snap else None
        names = frozenset() if {request.user, loaded} - {None, login.user} else login.carry
        request.view = {name: value for name, value in request.view.items() if name in names}
        request.login, request.rotating = replace(login, carry=names), None

    def log_out(self, request: Request) -> None:
        """It ends at the commit, whatever else happens; what is stored after it is a visitor's."""
        ending = request.ending or (request.snap.handle if request.snap else None)
        request.leave()
        request.ending = ending

    # -- commit ------------------------------------------------------------------------------------------

    def commit(self, request: Request, handle: str | None, failed: bool = False) -> Told | Refused:
        """What must come of it; `handle` is the name that a visitor's new session gets."""
        nothing = KEEP
        if request.ending:
            self.finish(request.ending, "logout")
            request.ending, nothing = None, DROP
        if failed:
            return nothing
        if request.login:
            return self._log_in(request, request.login)
        if request.snap:
            return self._update(request, request.snap)
        return self._create(request, handle) if request.view else nothing

    def _create(self, request: Request, handle: str | None) -> Told | Refused:
        assert handle is not None, "a visitor's data was not stored"
        return self._issue(request, self._new(request, handle, None, self.policy.remember, None))

    def _new(self, request: Request, handle: str, user: str | None, remember: bool, label: str | None) -> Stored:
        policy, now = self.policy, self.now
        idle = policy.idle_timeout.total_seconds() if policy.idle_timeout else None
        absolute = policy.absolute_timeout.total_seconds()
        if remember and policy.remember_timeout:
            absolute = policy.remember_timeout.total_seconds()
            idle = idle and absolute
        idle, expires = request.idle or idle, request.expires or now + absolute
        one = Stored(handle, user, now, now, idle, expires, remember, request.view, (now,), label)
        self.sessions[handle] = one
        return one

    def _issue(self, request: Request, one: Stored) -> Told:
        """The client is told the newest token of a session that this request goes on with."""
        self._stored(request, one)
        request.login, request.step, request.token = None, one.current, None
        return self._told(one)

    def _told(self, one: Stored) -> Told:
        age = max(1, round(one.expires - self.now)) if one.remember else None
        return Told("set", one.handle, one.current, age)

    @staticmethod
    def _stored(request: Request, one: Stored) -> None:
        request.snap, request.base = one, request.view
        request.rotating = request.idle = request.expires = request.settles = None

    def _log_in(self, request: Request, login: Login) -> Told | Refused:
        gate = self.gate(login.user)
        if request.began < gate.not_before:
            return Refused("ReauthenticationRequired")
        old = request.snap
        one = self._new(request, login.handle, login.user, login.remember, login.label)
        for seq, at, fields in gate.patches:
            if self.now - at < SETTLES and not one.ended(self.now):
                one = self._patched(one, seq, fields)
        # What this login replaces is no session more.
        last = self.finish(old.handle, "replaced") if old else None
        limit = self.policy.max_sessions
        others = [other.handle for other in self.live(login.user) if other.handle != one.handle]
        for handle in others[limit - 1 :] if limit else []:
            self.finish(handle, TOO_MANY)
        mine, late = difference(request.base, request.view), {}
        if isinstance(last, Stored):
            # A parallel request's write to the old session was acknowledged, so it comes along.
            late = difference(request.base, last.fields)
        elif last and last.reason != "replaced":
            late = dict.fromkeys(request.base)  # over nothing: what it carried stays behind
        comes = login.carry - {*mine} - {*one.patched}
        told = self._issue(request, one)
        request.seen_seq = 0
        if not one.ended(self.now):
            late = {name: value for name, value in late.items() if name in comes}
            self.sessions[one.handle] = replace(one, fields=merged(one.fields, late))
        return told

    def _update(self, request: Request, snap: Stored) -> Told | Refused:
        changed = difference(request.base, request.view)
        wrote = bool(changed or request.idle or request.expires or request.rotating)
        end = self.ended(snap.handle)
        if not wrote and (end or (request.settles is None and not self._due(request, snap))):
            return KEEP
        if end:
            request.leave()
            return Refused("SessionEnded", self.reasons(end, "unknown"))
        one = self.sessions[snap.handle]
        # What an `update_user` has written since the load stays.
        mine = {name: value for name, value in changed.items() if one.patched.get(name, 0) <= request.seen_seq}
        fields = merged(one.fields, mine)
        if changed and not fields and one.user is None:
            self.finish(one.handle, "logout")
            request.leave()
            return DROP
        one = replace(
            one,
            fields=fields,
            seen=max(one.seen, self.now),
            idle=request.idle or one.idle,
            expires=request.expires or one.expires,
            settled=max(one.settled, request.settles or 0),
        )
        if request.rotating:
            name, made = request.rotating
            self.finish(one.handle, "replaced", name)
            self.sessions[name] = one = replace(one, handle=name, issued=(made,), kept=(0,), settled=0)
            return self._issue(request, one)
        if self._rotates(request, snap) and one.current == snap.current:
            return self._issue(request, self._stepped(one))
        self.sessions[one.handle] = one
        # A secret that has a successor is never told again.
        longer = request.expires is not None and request.step == one.current
        self._stored(request, one)
        return Told("set", one.handle, request.step, self._told(one).max_age) if longer else KEEP

    def _due(self, request: Request, snap: Stored) -> bool:
        """Whether somebody who only reads is noted down, or gets a new secret."""
        touch = self.policy.touch_interval
        assert touch is not None
        unseen = request.began - snap.seen
        tenth = snap.idle is not None and unseen >= snap.idle / 10
        return tenth or unseen >= touch.total_seconds() or self._rotates(request, snap)

    def _rotates(self, request: Request, snap: Stored) -> bool:
        """The current secret has a successor at a certain age; one who lost that gets another, a minute later."""
        age = SETTLES if request.step < snap.current else self.interval
        return request.began >= snap.issued[snap.current] + age

    def _stepped(self, one: Stored) -> Stored:
        new = len(one.issued)
        older = (step for step in one.kept if step in {one.current, one.settled})
        stepped = replace(one, issued=(*one.issued, self.now), kept=(new, *older))
        self.sessions[one.handle] = stepped
        return stepped

    # -- what others do ----------------------------------------------------------------------------------

    @staticmethod
    def _patched(one: Stored, seq: int, fields: Fields) -> Stored:
        patched = one.patched | dict.fromkeys(fields, seq)
        return replace(one, fields=merged(one.fields, fields), seq=seq, patched=patched)

    def revoke(self, handle: str, reason: str, user: str | None) -> bool:
        """End one session, if it is that user's."""
        if handle not in self.sessions or (user is not None and self.sessions[handle].user != user):
            return False
        return isinstance(self.finish(handle, reason), Stored)

    def revoke_user(self, user: str, keep: Request | str | None, reason: str) -> int:
        """End a user's sessions, and bar every login that arrived before."""
        spared = keep
        if isinstance(keep, Request):
            spared = keep.snap.handle if keep.snap else None
            keep.began = max(keep.began, self.now)
        self.gate(user).not_before = self.now
        return self._end_all([one for one in self.live(user) if one.handle != spared], reason)

    def revoke_all(self, before: float, reason: str) -> int:
        """End everybody's that were created by then."""
        return self._end_all([one for one in self.live() if one.created <= before], reason)

    def _end_all(self, found: list[Stored], reason: str) -> int:
        return sum(isinstance(self.finish(one.handle, reason), Stored) for one in found)

    def update_user(self, user: str, fields: Fields) -> int:
        """Write into all of a user's sessions, and into the logins of the next minute."""
        self._patches += 1
        self.gate(user).patches.append((self._patches, self.now, fields))
        found = self.live(user)
        for one in found:
            self.sessions[one.handle] = self._patched(one, self._patches, fields)
        return len(found)

    # -- tickets -----------------------------------------------------------------------------------------

    def issue(self, handle: str, ttl: float, bearer: bool) -> Ticket:
        return Ticket(handle, bearer, ceil(self.now + ttl))

    def redeem(self, ticket: Ticket, by: Request | None) -> Refused | None:
        """Take it, once, for the session that asked and while that lives; None: taken."""
        if self.now >= ticket.expires:
            return Refused("TicketExpired")
        if end := self.ended(ticket.handle):
            return Refused("TicketRevoked", self.reasons(end))
        if ticket.used:
            return Refused("TicketSpent")
        if by and not ticket.bearer and by.handle != ticket.handle:
            return Refused("TicketInvalid")
        ticket.used = True
        return None
