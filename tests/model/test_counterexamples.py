"""What the machine has found, each shrunk to a few plain lines."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from coatcheck import Commit, Policy, Session, SessionManager
from coatcheck.errors import SessionEnded
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import FakeClock

DAY = timedelta(days=1)


def opened(policy: Policy | None = None) -> tuple[FakeClock, SessionManager]:
    """A clock, and a manager over an empty store."""
    clock = FakeClock()
    return clock, SessionManager(MemoryStore(), clock=clock, policy=policy, namespace=f"found-{uuid4().hex[:8]}")


def told(result: Commit) -> str:
    """The token that the client gets."""
    assert result.token is not None
    return result.token


def stored(manager: SessionManager, token: str | None = None, user: str | None = None, **fields: int) -> str:
    """The token after a whole request that writes and, given a user, signs in."""
    session = manager.load(token)
    session.update(fields)
    if user:
        session.login(user)
    return told(manager.commit(session))


def visit(manager: SessionManager, token: str) -> str:
    """A whole request that reads, and the token that its client holds afterwards."""
    return manager.commit(manager.load(token)).token or token


@pytest.mark.parametrize("verb", ["login", "rotate"])
def test_a_stream_after_a_login_is_no_theft(verb: str) -> None:
    """That the old session's secret had settled says nothing of the new one's."""
    clock, manager = opened()
    old = stored(manager, cart=1)
    clock.advance(DAY)
    old = visit(manager, old)
    clock.advance(60)
    session = manager.load(old)
    if verb == "login":
        session.login("ada")
    else:
        session.rotate()
    new = told(manager.commit(session))
    session["streamed"] = 1
    manager.commit(session)
    clock.advance(60)
    assert manager.load(new).ended_reason is None
    assert manager.load(new)["streamed"] == 1


def test_a_new_secret_that_a_slow_request_brought_is_not_settled_yet() -> None:
    """Its 60 s count from when the browser could first have had it: until then it may crash and not have saved it."""
    clock, manager = opened()
    old = stored(manager, user="ada")
    clock.advance(DAY)
    slow = manager.load(old)
    clock.advance(90)
    new = told(manager.commit(slow))
    clock.advance(1)
    visit(manager, new)
    clock.advance(1)  # the browser crashes, and comes back with the cookies that it had saved
    assert manager.load(old).ended_reason is None
    assert manager.load(old).user_id == "ada"


def test_a_request_that_waited_is_judged_by_its_arrival() -> None:
    """Its secret was good when it came; it was pushed out, by its own browser's crash, before anybody asked for it."""
    clock, manager = opened()
    first = stored(manager, user="ada")
    clock.advance(DAY)
    second = visit(manager, first)
    arrived = clock()
    for _ in range(2):  # crashed, back with the first, and the answers get lost
        clock.advance(60)
        visit(manager, first)
    assert manager.load(second, began=arrived).ended_reason is None
    assert manager.load(first).user_id == "ada"
    assert manager.load(second).ended_reason == "stolen"


def test_a_secret_that_has_a_successor_is_not_told_again() -> None:
    """A slow request that lengthens the session would put the old cookie in the place of the new one."""
    clock, manager = opened()
    old = stored(manager, user="ada")
    clock.advance(DAY)
    slow = manager.load(old)
    new = visit(manager, old)
    clock.advance(60)
    visit(manager, new)
    slow.set_lifetime(absolute=2 * DAY)
    held = manager.commit(slow).token or new
    assert manager.load(held).ended_reason is None
    assert manager.load(held).user_id == "ada"


def test_to_sign_in_again_loses_nothing_to_the_limit() -> None:
    """The session that a login replaces is not one too many, and what it held comes along."""
    _, manager = opened(Policy(max_sessions=1))
    token = stored(manager, user="ada", cart=1)
    again = stored(manager, token, user="ada")
    assert manager.load(token).ended_reason == "replaced"
    assert manager.load(again) == {"cart": 1}


def test_to_sign_in_again_ends_no_other_session() -> None:
    """There are as many as before."""
    clock, manager = opened(Policy(max_sessions=2))
    phone = stored(manager, user="ada")
    clock.advance(1)
    laptop = stored(manager, user="ada")
    clock.advance(1)
    stored(manager, laptop, user="ada")
    assert manager.load(phone).user_id == "ada"


def test_to_sign_in_again_in_the_oldest_of_too_many_keeps_its_data() -> None:
    """The limit was lowered meanwhile: the session that is replaced is not thrown out with what it holds."""
    clock, manager = opened()
    tokens = []
    for cart in range(4):
        tokens.append(stored(manager, user="ada", cart=cart))
        clock.advance(1)
    manager.policy = manager.engine.policy = Policy(max_sessions=2)
    again = stored(manager, tokens[0], user="ada")
    assert manager.load(again) == {"cart": 0}
    assert [manager.load(token).user_id for token in tokens] == [None, None, None, "ada"]


def test_a_login_over_a_session_that_ended_makes_no_room() -> None:
    """Two logins at once over one session: the limit holds for both."""
    clock, manager = opened(Policy(max_sessions=2))
    phone, laptop = stored(manager, user="ada"), None
    clock.advance(1)
    laptop = stored(manager, user="ada")
    logins: list[Session] = [manager.load(laptop), manager.load(laptop)]
    for session in logins:
        clock.advance(1)
        session.login("ada")
        manager.commit(session)
    assert len(manager.sessions("ada")) == 2
    assert manager.load(phone).ended_reason == "too many sessions"


def test_revoke_user_spares_a_session_that_signs_in_again() -> None:
    """`keep=session` keeps what it holds, also while a new login of the same user is under way."""
    _, manager = opened()
    token = stored(manager, user="ada", cart=1)
    session = manager.load(token)
    session.login("ada")
    assert manager.revoke_user("ada", keep=session) == 0
    assert manager.load(told(manager.commit(session))) == {"cart": 1}


def test_what_is_written_after_a_login_over_somebody_else_is_stored() -> None:
    """Nothing came along, so nothing stays behind when the other's session has ended: not even an equal value."""
    _, manager = opened()
    token = stored(manager, user="bob", theme=1)
    session = manager.load(token)
    session.login("ada")
    session["theme"] = 1
    manager.revoke_user("bob")
    assert manager.load(told(manager.commit(session))) == {"theme": 1}


def test_why_a_session_ended_does_not_change_afterwards() -> None:
    """Of two deadlines the first is the reason, also once the second has passed."""
    clock, manager = opened(Policy(idle_timeout=timedelta(minutes=10), absolute_timeout=timedelta(hours=1)))
    token = stored(manager, user="ada")
    clock.advance(600)
    assert manager.load(token).ended_reason == "idle"
    clock.advance(3600)
    assert manager.load(token).ended_reason == "idle"


def test_a_write_to_a_session_that_another_request_emptied_drops_no_cookie() -> None:
    """It is a late write: to delete the cookie by its name could end a login of another tab."""
    _, manager = opened()
    token = stored(manager, cart=1)
    late, emptying = manager.load(token), manager.load(token)
    emptying.clear()
    assert manager.commit(emptying).action == "drop"
    late["cart"] = 2
    with pytest.raises(SessionEnded, match="logout"):
        manager.commit(late)
