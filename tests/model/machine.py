"""Clients, their requests and what others do, in every order: the library beside its model, compared at each step.

A client is a browser: it holds the token that it was told last. Its answers get lost, it crashes and comes back
with the cookies that it had saved, and somebody copies them. A request is loaded at one time and committed at
another, perhaps more than once, as a stream does.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from coatcheck import Commit, Policy, Session, SessionInfo, SessionManager, token
from coatcheck.errors import CoatcheckError, ReauthenticationRequired, SessionEnded, TicketError
from coatcheck.keyring import Keyring
from coatcheck.testing import FakeClock
from tests.model.model import DAY, Login, Model, Refused, Request, Stored, Ticket, Told

KEY = "a key that guards nothing, for tests only"
SAVED_WITHIN = 30.0
"""Seconds within which a browser saves its cookies."""
LONGEST = 3600.0
"""Seconds that a request may take: a user's `revoke_user` is remembered for the absolute timeout, and what became of
a session for a day."""
NAMES = ("a", "b", "cart", "role")
USERS = ("ada", "bob")

dice = random.Random()
"""Names and secrets come from here, so that what failed fails again."""
repeatable = SimpleNamespace(token_bytes=dice.randbytes)
"""Takes the place of `secrets` in `coatcheck.token`."""

OpenStore = Callable[[str], Any]
"""A new manager's store in the namespace that is given."""

clients_drawn = st.integers(0, 2)
minutes = st.sampled_from([None, 0.5, 1, 5, 10, 60]).map(lambda number: number and timedelta(minutes=number))
times = st.sampled_from([0.25, 1, 29, 31, 59, 60, 61, 75, 120, 121, 300, 301, 599])
long_times = [600, 1800, 3599, 3600, 7200, DAY, DAY + 3600]
values = st.integers(1, 3)
users = st.sampled_from(["ada", "ada", "ada", "bob"])
verbs = st.sampled_from([None, None, "rotate", "logout", *USERS])
several = st.dictionaries(st.sampled_from(NAMES), values, max_size=2)
asking = st.lists(st.sampled_from(["own", "other", "stranger", "anybody"]), min_size=1, max_size=3)
lost = st.sampled_from([False, False, True])
policies = st.builds(
    Policy,
    idle_timeout=st.sampled_from([timedelta(minutes=10), timedelta(minutes=10), timedelta(minutes=40), None]),
    absolute_timeout=st.just(timedelta(hours=1)),
    touch_interval=st.just(timedelta(minutes=1)),
    rotation_interval=st.sampled_from([timedelta(minutes=5), timedelta(minutes=2)]),
    max_sessions=st.sampled_from([None, None, 1, 2, 3]),
    remember=st.booleans(),
    remember_timeout=st.sampled_from([None, None, timedelta(hours=3)]),
)


@dataclass(eq=False)
class Client:
    """A browser. What it has held, and since when; the last is what it shows."""

    jar: list[tuple[float, str | None]] = field(default_factory=lambda: [(float("-inf"), None)])
    life: int = 0
    """Crashes so far: what was under way in an earlier life is lost."""

    @property
    def token(self) -> str | None:
        return self.jar[-1][1]

    def at(self, time: float) -> str | None:
        return next(token for since, token in reversed(self.jar) if since <= time)


@dataclass(eq=False)
class Visit:
    """One request, in the library and in the model."""

    session: Session
    request: Request
    client: Client
    life: int


@dataclass(eq=False)
class Arrival:
    """A request that has arrived and is not loaded yet."""

    client: Client
    token: str | None
    began: float
    life: int


class Machine(RuleBasedStateMachine):
    """What may happen. `counts` tells what did, of all machines since it was emptied."""

    visits = Bundle("visits")
    arrivals = Bundle("arrivals")
    tickets = Bundle("tickets")
    counts: ClassVar[Counter[str]] = Counter()

    def __init__(self, open_store: OpenStore) -> None:
        super().__init__()
        dice.seed(0)
        self.counts["examples"] += 1
        self.namespace = f"model-{self.counts['examples']}"
        self.clock = FakeClock()
        self.manager = SessionManager(
            open_store(self.namespace), secret=KEY, namespace=self.namespace, clock=self.clock
        )
        self.model = Model(Policy(touch_interval=timedelta(minutes=1)), self.clock())
        self.owners = [Client(), Client()]
        self.clients = [*self.owners, Client()]
        self.stolen: set[str] = set()
        self.gone: set[str] = set()
        """Sessions that were seen to have ended."""
        self.manager.subscribe(self._hear)

    def _hear(self, event: Any) -> None:
        if event.name == "ended" and event.reason == "stolen":
            self.stolen.add(event.handle)

    @initialize(policy=policies)
    def settings(self, policy: Policy) -> None:
        self.manager.policy = self.manager.engine.policy = policy
        self.model = Model(policy, self.clock())
        self.sign_in(0, "ada")
        self.visit(0, 0, 1, False)
        self.visit(1, 0, 2, False)

    # -- parts -------------------------------------------------------------------------------------------

    def _load(self, one: Arrival, held: float = 0.0) -> Visit:
        session = self.manager.load(one.token, began=one.began, held=held)
        shown = self.model.tokens.get(one.token or "")
        request = self.model.load(shown, one.token, one.began, held)
        visit = Visit(session, request, one.client, one.life)
        self._agree(visit)
        assert session.ended_reason in request.reasons
        if request.reasons != {None}:
            self.counts[f"told {session.ended_reason}"] += 1
        return visit

    def _arrive(self, client: Client) -> Arrival:
        return Arrival(client, client.token, self.clock(), client.life)

    def _agree(self, visit: Visit) -> None:
        """Who it is, and what it holds."""
        session, request = visit.session, visit.request
        assert (session.handle, session.user_id) == (request.handle, request.user)
        assert dict(session) == request.view
        assert session.is_authenticated is (request.user is not None)
        if request.snap and not request.login and not request.rotating:
            self._same(session.info, request.snap)

    @staticmethod
    def _same(info: SessionInfo | None, one: Stored) -> None:
        assert info is not None
        times: list[datetime | None] = [info.created_at, info.last_seen_at, info.expires_at, info.authenticated_at]
        assert (info.handle, info.user_id, info.label) == (one.handle, one.user, one.label)
        told = [time and time.timestamp() for time in times]
        assert told == [one.created, one.seen, one.deadline, one.created if one.user else None]

    def _commit(self, visit: Visit, failed: bool = False, lost: bool = False) -> None:
        """Commit, compare what comes of it, and tell the client unless the response is lost."""
        session, request = visit.session, visit.request
        got: Told | Refused
        result = Commit("keep")
        try:
            result = self.manager.commit(session, failed=failed)
            handle = result.token[: token.HANDLE_LENGTH] if result.token else None
            got = Told(result.action, handle, 0, result.max_age)
        except SessionEnded as error:
            handle, got = None, Refused("SessionEnded", frozenset({error.reason}))
        except ReauthenticationRequired as error:
            handle, got = None, Refused(type(error).__name__)
        before = request.token
        expected = self.model.commit(request, handle, failed)
        if isinstance(expected, Refused) or isinstance(got, Refused):
            assert isinstance(expected, Refused), f"{got} in place of {expected}"
            assert isinstance(got, Refused), f"{got} in place of {expected}"
            assert got.error == expected.error
            assert got.reasons <= expected.reasons
            self.counts[got.error] += 1
            return
        assert got == expected._replace(step=0)
        self._agree(visit)
        if result.token is not None:
            if request.token is None:
                assert result.token not in self.model.tokens
                request.token = result.token
                self.model.tokens[result.token] = (str(expected.handle), expected.step)
                self.counts["steps of a secret"] += expected.step > 0
            else:
                assert result.token == before
        if result.action != "keep" and not lost and visit.life == visit.client.life:
            visit.client.jar.append((self.clock(), result.token))

    # -- requests ----------------------------------------------------------------------------------------

    @rule(target=visits, number=clients_drawn, held=st.sampled_from([0.0, 0.0, 0.0, 3600.0]))
    def load(self, number: int, held: float) -> Any:
        """Two requests that go on for a while."""
        arrival = self._arrive(self.clients[number])
        return multiple(self._load(arrival, held), self._load(arrival, held))

    @rule(target=arrivals, number=clients_drawn)
    def arrive(self, number: int) -> Arrival:
        """A request that waits before anybody asks for its session."""
        return self._arrive(self.clients[number])

    @rule(target=visits, arrival=consumes(arrivals))
    def load_late(self, arrival: Arrival) -> Any:
        """It is judged by when it arrived."""
        return multiple() if self.clock() - arrival.began >= LONGEST else self._load(arrival)

    @rule(number=clients_drawn, seconds=st.just(0) | times, value=st.none() | values, lost=lost)
    def visit(self, number: int, seconds: float, value: int | None, lost: bool) -> None:
        """Somebody comes back after a while: a whole request, nothing between."""
        self.wait(seconds)
        visit = self._load(self._arrive(self.clients[number]))
        if value:
            self.write(visit, "a", value)
        self._commit(visit, lost=lost)

    @rule(number=clients_drawn, user=users)
    def sign_in(self, number: int, user: str) -> None:
        """A whole request with a login."""
        visit = self._load(self._arrive(self.clients[number]))
        self.login(visit, user, "all", None, None)
        self._commit(visit)

    @rule(visit=visits, name=st.sampled_from(NAMES), value=values)
    def write(self, visit: Visit, name: str, value: int) -> None:
        """Set a field; in the cart, change what is there."""
        if name == "cart":
            visit.session.setdefault("cart", []).append(value)
            visit.request.view = visit.request.view | {"cart": [*visit.request.view.get("cart", []), value]}
        else:
            visit.session[name] = value
            visit.request.view = visit.request.view | {name: value}

    @rule(visit=visits, names=st.sets(st.sampled_from(NAMES), min_size=1) | st.just(set(NAMES)))
    def delete(self, visit: Visit, names: set[str]) -> None:
        """Delete some fields, or all."""
        if names == set(NAMES):
            visit.session.clear()
        for name in names:
            visit.session.pop(name, None)
        visit.request.view = {name: value for name, value in visit.request.view.items() if name not in names}

    @rule(
        visit=visits,
        user=users,
        carry=st.sampled_from(["all", "all", "none", "a"]),
        remember=st.sampled_from([None, True, False]),
        label=st.sampled_from([None, "phone"]),
    )
    def login(self, visit: Visit, user: str, carry: str, remember: bool | None, label: str | None) -> None:
        """The next commit makes it true."""
        session, request = visit.session, visit.request
        if request.login and request.login.user == user:
            return
        session.login(user, remember, label, {"all": True, "none": False}.get(carry, {carry}))
        names = {"all": frozenset(NAMES), "none": frozenset[str]()}.get(carry, frozenset({carry}))
        keeps = self.model.policy.remember if remember is None else remember
        self.model.log_in(request, Login(str(session.handle), user, keeps, label, names))
        self._agree(visit)

    @rule(visit=visits, verb=verbs, writes=several)
    def act(self, visit: Visit, verb: str | None, writes: dict[str, int]) -> None:
        """Write; then sign out, replace handle and secret, or sign in."""
        session, request = visit.session, visit.request
        for name, value in writes.items():
            self.write(visit, name, value)
        if verb == "logout":
            session.logout()
            self.model.log_out(request)
        elif verb == "rotate":
            session.rotate()
            if request.snap and not request.login:
                request.rotating = (str(session.handle), self.clock())
        elif verb:
            self.login(visit, verb, "all", None, None)
        self._agree(visit)

    @rule(visit=visits, idle=minutes, absolute=minutes)
    def set_lifetime(self, visit: Visit, idle: timedelta | None, absolute: timedelta | None) -> None:
        visit.session.set_lifetime(idle, absolute)
        if idle:
            visit.request.idle = idle.total_seconds()
        if absolute:
            visit.request.expires = self.clock() + absolute.total_seconds()

    def _under_way(self, visit: Visit) -> bool:
        return self.clock() - visit.request.began < LONGEST

    @rule(visit=visits, failed=st.sampled_from([False, False, False, True]))
    def commit(self, visit: Visit, failed: bool) -> None:
        """A request that goes on after it, as a stream does."""
        if self._under_way(visit):
            self._commit(visit, failed)

    @rule(visit=consumes(visits), verb=verbs, writes=several, lost=lost)
    def respond(self, visit: Visit, verb: str | None, writes: dict[str, int], lost: bool) -> None:
        """The end of a request, whose response may get lost."""
        if self._under_way(visit):
            self.act(visit, verb, writes)
            self._commit(visit, lost=lost)

    @rule(
        target=visits,
        number=clients_drawn,
        seconds=st.sampled_from([0, 0, 1, 61, 300]),
        first=st.tuples(verbs, several),
        between=st.sampled_from(["nothing", "nothing", "update", "revoke", "reset"]),
        second=st.tuples(verbs, several),
        user=users,
    )
    def overlap(self, number: int, seconds: float, first: Any, between: str, second: Any, user: str) -> Any:
        """After a while two requests at once, and what somebody else does before the second commits."""
        self.wait(seconds)
        one, other = (self._load(self._arrive(self.clients[number])) for _ in range(2))
        self.act(one, *first)
        self._commit(one)
        if between == "update":
            self.update_user(user, "role", 4)
        elif between in {"revoke", "reset"}:
            self.revoke("one" if between == "revoke" else "user", user, 1, False)
        self.act(other, *second)
        self._commit(other)
        return multiple(one, other)

    # -- clients -----------------------------------------------------------------------------------------

    @rule(seconds=st.integers(0, 9).flatmap(lambda n: times if n else st.sampled_from(long_times)))
    def wait(self, seconds: float) -> None:
        """Time passes. What is forgotten by then is deleted: nobody is to notice."""
        self.clock.advance(seconds)
        self.model.now = self.clock()
        if seconds >= LONGEST:
            self.manager.purge()

    @rule(number=clients_drawn, saved=st.sampled_from([0.0, SAVED_WITHIN]))
    def crash(self, number: int, saved: float) -> None:
        """A browser comes back with what it had saved; it had not heard of what came since."""
        client = self.clients[number]
        client.life += 1
        client.jar.append((self.clock(), client.at(self.clock() - saved)))

    @rule(number=st.integers(0, 1), back=st.sampled_from([0, 0, 0, 1, 2]), meanwhile=st.lists(times, max_size=2))
    def steal(self, number: int, back: int, meanwhile: list[float]) -> None:
        """Somebody copies a browser's cookies, or a backup of them, and shows them as their own, after it went on."""
        held = [held for _, held in self.owners[number].jar if held]
        if held:
            copy = held[-1 - min(back, len(held) - 1)]
            self.model.copied.add(self.model.tokens[copy][0])
            thief = self.clients[2]
            thief.life += 1
            thief.jar.append((self.clock(), copy))
            for seconds in meanwhile:
                self.visit(number, seconds, None, False)
            if meanwhile:
                self.visit(2, 0, None, False)

    @rule(target=visits, number=clients_drawn, kind=st.sampled_from(["tag", "newer", "other"]))
    def show_what_was_never_told(self, number: int, kind: str) -> Any:
        """A forged token; one that a store has forgotten in a failover. Nobody comes in, nothing ends."""
        shown = self.model.tokens.get(self.clients[number].token or "")
        if shown is None or shown[1] not in self.model.sessions[shown[0]].kept:
            return multiple()
        step = len(self.model.sessions[shown[0]].issued) if kind == "newer" else shown[1]
        text = token.sign(Keyring(KEY, namespace=self.namespace), shown[0], token.new_secret(step))
        text = text[:-1] + ("1" if text[-1] == "0" else "0") if kind == "tag" else text
        session = self.manager.load(text)
        request = self.model.load(None if kind == "tag" else (shown[0], step), None, self.clock())
        visit = Visit(session, request, Client(), 0)
        self._agree(visit)
        assert session.ended_reason in request.reasons
        return visit

    # -- what others do ----------------------------------------------------------------------------------

    def _recent(self) -> list[str]:
        """Sessions whose end is known, if they have one."""
        ends = {handle: self.model.ended(handle) for handle in self.model.sessions}
        recent = [handle for handle, end in ends.items() if end is None or self.clock() < end.at + DAY]
        return recent or [token.new_handle(None)]

    @rule(kind=st.sampled_from(["one", "one", "user", "all"]), user=users, pick=st.integers(0, 5), ago=st.booleans())
    def revoke(self, kind: str, user: str, pick: int, ago: bool) -> None:
        """End one session, a user's, or everybody's."""
        self.wait(pick)
        if kind == "one":
            handles = self._recent()
            handle, owner = handles[-1 - pick % len(handles)], user if ago else None
            done: int = self.manager.revoke(handle, "lost my phone", owner)
            assert done is self.model.revoke(handle, "lost my phone", owner)
        elif kind == "user":
            done = self.manager.revoke_user(user, reason="password changed")
            assert done == self.model.revoke_user(user, None, "password changed")
        else:
            before = self.clock.now() - timedelta(minutes=pick) if ago else None
            done = self.manager.revoke_all(before, "everybody")
            assert done == self.model.revoke_all(before.timestamp() if before else self.clock(), "everybody")

    @rule(visit=visits, user=users, by_handle=st.booleans())
    def revoke_others(self, visit: Visit, user: str, by_handle: bool) -> None:
        """All but one: by its handle, or a Session, also one about to log in."""
        self.wait(1)
        if by_handle and visit.request.snap:
            handle = visit.request.snap.handle
            done = self.manager.revoke_user(user, handle, "others")
            assert done == self.model.revoke_user(user, handle, "others")
        else:
            done = self.manager.revoke_user(user, visit.session, "others")
            assert done == self.model.revoke_user(user, visit.request, "others")

    @rule(user=users, name=st.sampled_from(["role", "role", "a"]), value=st.integers(4, 6))
    def update_user(self, user: str, name: str, value: int) -> None:
        done = self.manager.update_user(user, {name: value})
        assert done == self.model.update_user(user, {name: value})

    # -- tickets -----------------------------------------------------------------------------------------

    @rule(target=tickets, visit=visits, bearer=st.booleans(), ttl=st.sampled_from([0.5, 60, 120, 3600]))
    def issue(self, visit: Visit, bearer: bool, ttl: float) -> Any:
        """A ticket, perhaps of a session that is not stored yet, or no longer."""
        handle = visit.request.handle
        if handle is None:
            return multiple()
        life = timedelta(seconds=ttl)
        jwt = self.manager.tickets.issue("download", {"n": 1}, session=visit.session, ttl=life, bearer=bearer)
        return jwt, self.model.issue(handle, ttl, bearer), visit

    @rule(target=tickets, number=clients_drawn, bearer=st.booleans(), who=asking)
    def hand_out(self, number: int, bearer: bool, who: list[str]) -> Any:
        """Somebody asks for a ticket, and all who come by it try it at once."""
        visit = self._load(self._arrive(self.clients[number]))
        if visit.request.handle is None:
            self.login(visit, "ada", "all", None, None)
        self._commit(visit)
        ticket = self.issue(visit, bearer, 120)
        self.redeem(ticket, visit, who)
        return ticket

    @rule(ticket=tickets, visit=visits, who=asking)
    def redeem(self, ticket: tuple[str, Ticket, Visit], visit: Visit, who: list[str]) -> None:
        """Those who have it try it, one after the other."""
        for one in who:
            stranger = Visit(self.manager.load(None), Request(self.clock()), Client(), 0)
            self._redeem(ticket[0], ticket[1], {"own": ticket[2], "other": visit, "stranger": stranger}.get(one))

    def _redeem(self, jwt: str, expected: Ticket, by: Visit | None) -> None:
        got = None
        try:
            done = self.manager.tickets.redeem(jwt, "download", session=by.session if by else None)
            assert (done.session_handle, done.claims) == (expected.handle, {"n": 1})
        except TicketError as error:
            kind = next(base for base in type(error).__mro__ if base.__module__ == CoatcheckError.__module__)
            got = Refused(kind.__name__, frozenset({getattr(error, "reason", None)}))
        outcome = self.model.redeem(expected, by.request if by else None)
        assert (got and got.error) == (outcome and outcome.error)
        assert got is None or outcome is None or got.reasons <= outcome.reasons
        self.counts["ticket: " + (got.error if got else "redeemed")] += 1

    # -- after every step --------------------------------------------------------------------------------

    @invariant()
    def all_is_as_the_model_says(self) -> None:
        """Each session that was live, the lists and the counts."""
        self.counts["steps"] += 1
        for handle in self.model.sessions.keys() - self.gone:
            self._check(handle)
        live = self.model.live()
        for user in USERS:
            listed = self.manager.sessions(user)
            mine = self.model.live(user)
            assert [info.handle for info in listed] == [one.handle for one in mine]
            for info, one in zip(listed, mine, strict=True):
                self._same(info, one)
        stats = self.manager.stats()
        owners = [one.user for one in live if one.user]
        assert (stats.sessions, stats.authenticated, stats.users) == (len(live), len(owners), len({*owners}))
        assert self.stolen == self.model.stolen

    def _check(self, handle: str) -> None:
        info, end = self.manager.info(handle), self.model.ended(handle)
        if end is None:
            self._same(info, self.model.sessions[handle])
        else:
            assert info is None
            self.gone.add(handle)
        self._show_all(handle)

    def _show_all(self, handle: str) -> None:
        """Every token that was told of a session, but those that would end it."""
        one = self.model.sessions[handle]
        for text, (name, step) in self.model.tokens.items():
            if name == handle and (one.end or self.model.verdict(one, step, self.clock()) != "stolen"):
                self._load(Arrival(Client(), text, self.clock(), 0))

    def teardown(self) -> None:
        """What has ended has stayed ended."""
        for handle in self.gone:
            assert self.manager.info(handle) is None
            self._show_all(handle)
        self.manager.close()
