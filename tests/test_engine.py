"""Decisions that no store has a part in: who is logged in by a field, what fails quietly, whose clock counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from coatcheck import Client, Event, Session, SessionManager
from coatcheck.change import Change
from coatcheck.clock import system_clock
from coatcheck.engine import UserField
from coatcheck.errors import ConfigurationError, ReauthenticationRequired, SessionDataError, StoreUnavailable
from coatcheck.store import Held
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import FakeClock
from coatcheck.testing.kit import KEY


class Flaky(MemoryStore):
    """A store in memory that can be down."""

    down = False

    def commit(self, handle: str, change: Change, now: float) -> Held:
        if self.down:
            raise StoreUnavailable("the store is down")
        return super().commit(handle, change, now)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> Flaky:
    return Flaky()


@pytest.fixture
def manager(store: Flaky, clock: FakeClock) -> SessionManager:
    return SessionManager(store, secret=KEY, clock=clock)


def request(
    manager: SessionManager, token: str | None, work: Callable[[Session], object], **options: Any
) -> str | None:
    """One request; the token that the client holds after it."""
    session = manager.load(token)
    work(session)
    result = manager.commit(session, **options)
    return token if result.action == "keep" else result.token


def sets(**fields: Any) -> Callable[[Session], object]:
    return lambda session: session.update(fields)


# -- a user who is named by a field ----------------------------------------------------------------------

FIELDS = [
    pytest.param("_user_id", id="name"),
    pytest.param(lambda session: session.get("_user_id"), id="callable"),
]


@pytest.fixture(params=FIELDS)
def by_field(request: pytest.FixtureRequest, store: Flaky, clock: FakeClock) -> SessionManager:
    """A manager for code that never calls `session.login`."""
    field: UserField = request.param
    return SessionManager(store, secret=KEY, clock=clock, user_field=field)


def test_a_new_value_in_the_users_field_is_a_login(by_field: SessionManager) -> None:
    """New handle, new secret, the old session ended, the data carried over: as by `session.login`."""
    before = request(by_field, None, sets(cart=[1]))
    after = request(by_field, before, sets(_user_id=7))
    session = by_field.load(after)
    assert (session.user_id, dict(session)) == ("7", {"cart": [1], "_user_id": 7})
    assert by_field.load(before).ended_reason == "replaced"
    assert [info.handle for info in by_field.sessions(7)] == [session.handle]


def test_an_unchanged_users_field_is_no_login(by_field: SessionManager) -> None:
    """Neither a read nor a write of something else, nor setting the same value again."""
    token = request(by_field, None, sets(_user_id=7))
    for work in (len, sets(theme="dark"), sets(_user_id=7), sets(_user_id="7")):
        assert request(by_field, token, work) == token


def test_asking_for_the_users_field_is_no_look_at_the_session(by_field: SessionManager) -> None:
    """8: a page that looked at nothing does not vary by cookie, and has nothing to commit."""
    session = by_field.load(request(by_field, None, sets(_user_id=7)))
    assert by_field.engine.idle(session)
    assert not session.accessed


def test_an_empty_session_is_stored_if_a_framework_wants_it(by_field: SessionManager) -> None:
    """8: Django's `create()`; a logout before the commit forgets it."""
    session = by_field.load(None)
    by_field.engine.want(session)
    assert by_field.commit(session).action == "set"
    other = by_field.load(None)
    by_field.engine.want(other)
    other.logout()
    assert by_field.commit(other).action == "keep"


def test_another_users_value_starts_empty_but_for_this_requests_writes(by_field: SessionManager) -> None:
    """What the first user stored is not the second one's."""
    token = request(by_field, None, sets(_user_id="ada", secret="Ada's"))
    after = request(by_field, token, sets(_user_id="bob", flash="Welcome"))
    session = by_field.load(after)
    assert (session.user_id, dict(session)) == ("bob", {"_user_id": "bob", "flash": "Welcome"})
    assert by_field.sessions("ada") == []


def test_removing_the_users_field_is_a_logout(by_field: SessionManager) -> None:
    """The session ends, with its data; what this request wrote goes into a new, anonymous one."""
    token = request(by_field, None, sets(_user_id="ada", secret="Ada's"))

    def leave(session: Session) -> None:
        del session["_user_id"]
        session["flash"] = "Goodbye"

    after = request(by_field, token, leave)
    assert by_field.load(token).ended_reason == "logout"
    session = by_field.load(after)
    assert (session.user_id, dict(session)) == (None, {"flash": "Goodbye"})


def test_removing_it_in_a_request_that_fails_is_a_logout_too(by_field: SessionManager) -> None:
    """A failed request commits nothing but an end, and this is one; a login in it is dropped."""
    token = request(by_field, None, sets(_user_id="ada"))
    assert request(by_field, token, sets(_user_id="bob"), failed=True) == token
    assert by_field.load(token).user_id == "ada"
    assert request(by_field, token, Session.clear, failed=True) is None
    assert by_field.load(token).ended_reason == "logout"


def test_login_and_logout_work_beside_the_users_field(by_field: SessionManager) -> None:
    """Explicit verbs win over the field in their request."""
    token = request(by_field, None, sets(_user_id="ada"))

    def switch(session: Session) -> None:
        session.login("bob")
        session["_user_id"] = "bob"

    after = request(by_field, token, switch)
    assert by_field.load(after).user_id == "bob"
    assert request(by_field, after, Session.logout) is None
    assert by_field.load(after).ended_reason == "logout"


def test_what_comes_with_the_users_id_is_the_new_users_even_if_it_is_the_same(store: Flaky) -> None:
    """Set after the field, it is kept; what was the other user's and is set anew before the field is not."""
    manager = SessionManager(store, secret=KEY, user_field="_user_id")
    token = request(manager, None, sets(_user_id="ada", role="editor", cart=[1], theme="dark"))

    def switch(session: Session) -> None:
        session["cart"] = session["cart"]
        session["_user_id"] = "bob"
        session["role"] = "editor"

    assert dict(manager.load(request(manager, token, switch))) == {"_user_id": "bob", "role": "editor"}


def test_what_a_commit_has_ended_asks_for_no_second_one(store: Flaky) -> None:
    """An integration asks again when its response is over: there is nothing left to do."""
    manager = SessionManager(store, secret=KEY)
    for end in (Session.clear, Session.logout):
        session = manager.load(request(manager, None, sets(cart=[1])))
        end(session)
        assert manager.commit(session).action == "drop"
        assert manager.engine.unchanged(session)


def test_a_session_that_never_had_the_field_is_not_logged_out(store: Flaky, clock: FakeClock) -> None:
    """Where one part of an application calls `login` and another sets the field: absent is not removed."""
    manager = SessionManager(store, secret=KEY, clock=clock, user_field="_user_id")
    token = request(manager, None, lambda session: session.login("ada"))
    assert request(manager, token, sets(theme="dark")) == token
    assert manager.load(token).user_id == "ada"


@pytest.mark.parametrize("empty", [None, False, ""])
def test_an_empty_field_is_nobody(by_field: SessionManager, empty: object) -> None:
    """How applications say that nobody is logged in; after a user it is a logout, before one it is nothing."""
    anonymous = request(by_field, None, sets(_user_id=empty))
    assert by_field.load(anonymous).user_id is None
    user = request(by_field, anonymous, sets(_user_id="ada"))
    after = request(by_field, user, sets(_user_id=empty))
    assert by_field.load(user).ended_reason == "logout"
    assert by_field.load(after).user_id is None


@pytest.mark.parametrize("failed", [False, True])
def test_a_logout_by_field_is_not_lost_over_a_value_that_cannot_be_stored(
    by_field: SessionManager, failed: bool
) -> None:
    """Whether the request failed by itself or fails here, the session has ended; a login is then none."""
    token = request(by_field, None, sets(_user_id="ada", steps=[]))

    def broken(user: object) -> Session:
        session = by_field.load(token)
        session["steps"].append(object())
        session["_user_id"] = user
        return session

    for user, reason in (("bob", None), (None, "logout")):
        if failed:
            by_field.commit(broken(user), failed=True)
        else:
            with pytest.raises(SessionDataError):
                by_field.commit(broken(user))
        assert by_field.load(token).ended_reason == reason
    assert by_field.sessions("bob") == []


def test_revoke_user_holds_for_logins_by_field(by_field: SessionManager, clock: FakeClock) -> None:
    """The gate is the same."""
    slow = by_field.load(None)
    slow["_user_id"] = "ada"
    clock.advance(1)
    by_field.revoke_user("ada")
    with pytest.raises(ReauthenticationRequired):
        by_field.commit(slow)


# -- what fails ------------------------------------------------------------------------------------------


def test_a_touch_that_fails_does_not_fail_the_request(
    manager: SessionManager, store: Flaky, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A read-only request during a fault is answered; the next one makes up for the touch and the rotation."""
    token = request(manager, None, lambda session: session.login("ada"))
    clock.advance(timedelta(days=2))
    store.down = True
    assert request(manager, token, len) == token
    assert "could not be touched" in caplog.text
    store.down = False
    assert request(manager, token, len) not in (token, None)


def test_a_write_that_fails_says_so(manager: SessionManager, store: Flaky) -> None:
    """Nothing is told to be stored that is not; the same session can be committed again."""
    token = request(manager, None, sets(cart=[1]))
    session = manager.load(token)
    session["cart"] = [2]
    store.down = True
    with pytest.raises(StoreUnavailable):
        manager.commit(session)
    store.down = False
    assert manager.commit(session).action == "keep"
    assert manager.load(token)["cart"] == [2]


def test_nothing_is_stored_without_a_secret_to_sign_with(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> None:
    """A shared store without a secret shows before a row is written that no token could open."""
    for name in ("COATCHECK_SECRET", "COATCHECK_SECRET_FILE"):
        monkeypatch.delenv(name, raising=False)

    class Shared(MemoryStore):
        own_secret = None  # type: ignore[assignment]

    store = Shared()
    manager = SessionManager(store, clock=clock)
    for work in (sets(cart=[1]), lambda session: session.login("ada")):
        with pytest.raises(ConfigurationError, match="coatcheck keygen"):
            request(manager, None, work)
    assert store.stats(clock()).sessions == 0


# -- time and client -------------------------------------------------------------------------------------


def test_only_the_systems_clock_is_corrected_to_the_stores(store: Flaky, clock: FakeClock) -> None:
    """Servers agree on the store's time; an injected clock is taken at its word."""
    store.offset = 3600.0
    corrected = SessionManager(store, secret=KEY).engine.now() - system_clock()
    assert 3599 < corrected < 3601
    assert SessionManager(store, secret=KEY, clock=clock).engine.now() == clock()


def test_where_and_with_what_a_session_was_used_last(manager: SessionManager, clock: FakeClock) -> None:
    """A write from another place updates the list of devices; a client that is not known does not erase it."""
    session = manager.load(None, Client("192.0.2.1", "Browser/1"))
    session.login("ada")
    token = manager.commit(session).token
    moved = manager.load(token, Client("198.51.100.7", "Browser/2"))
    clock.advance(1)
    moved["seen"] = 1
    manager.commit(moved)
    assert manager.sessions("ada")[0].client == Client("198.51.100.7", "Browser/2")
    clock.advance(1)
    request(manager, token, sets(seen=2))
    assert manager.sessions("ada")[0].client == Client("198.51.100.7", "Browser/2")


def test_the_story_of_a_session_is_told_in_events(manager: SessionManager, clock: FakeClock) -> None:
    """Creation, login, rotation, end and refusal: one event each, in their order, by handle and user."""
    told: list[Event] = []
    stop = manager.subscribe(told.append)
    token = request(manager, None, sets(cart=[1]))
    token = request(manager, token, lambda session: session.login("ada"))
    clock.advance(timedelta(days=1, seconds=1))
    token = request(manager, token, len)
    request(manager, token, Session.rotate)
    manager.revoke_user("ada")
    assert [(event.name, event.user_id, event.reason) for event in told] == [
        ("created", None, None),
        ("ended", None, "replaced"),
        ("authenticated", "ada", None),
        ("rotated", "ada", None),
        ("ended", "ada", "replaced"),
        ("rotated", "ada", None),
        ("ended", "ada", "revoked"),
    ]
    assert told[2].detail == {"from": told[0].handle}
    stop()
    request(manager, None, sets(cart=[1]))
    assert len(told) == 7
