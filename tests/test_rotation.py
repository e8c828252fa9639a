"""Verdicts on shown secrets that the simulation does not reach: each was found by an attacker."""

from __future__ import annotations

from datetime import timedelta

from coatcheck import Commit, Policy, Session, SessionManager
from coatcheck.testing import FakeClock

DAY = timedelta(days=1)


def visit(manager: SessionManager, token: str, held: float = 0.0) -> tuple[Session, str]:
    """One request, and the token that its client holds afterwards."""
    session = manager.load(token, held=held)
    result: Commit = manager.commit(session)
    return session, result.token or token


def signed_in(name: str) -> tuple[FakeClock, SessionManager, str]:
    """A session whose next visit steps its secret."""
    clock = FakeClock()
    manager = SessionManager("memory://", clock=clock, namespace=name, policy=Policy())
    session = manager.load(None)
    session.login("ada")
    token = manager.commit(session).token
    assert token is not None
    clock.advance(DAY)
    return clock, manager, token


def test_a_thief_who_pushes_the_owners_secret_out_is_found() -> None:
    """The owner steps and leaves at once; the thief shows the old secret again and again, and lets it go."""
    clock, manager, copied = signed_in("patient-thief")
    _, owners = visit(manager, copied)
    assert owners != copied
    clock.advance(10)
    assert visit(manager, owners)[0].user_id == "ada"
    for _ in range(4):
        clock.advance(61)
        assert visit(manager, copied)[0].user_id == "ada"
    assert visit(manager, owners)[0].ended_reason == "stolen"
    assert visit(manager, copied)[0].user_id is None


def test_an_upload_that_a_proxy_held_back_is_no_theft() -> None:
    """It was sent before another tab stepped and settled; only its arrival is late."""
    clock, manager, old = signed_in("held-upload")
    _, new = visit(manager, old)
    clock.advance(70)
    assert visit(manager, new)[0].user_id == "ada"
    clock.advance(30)
    assert visit(manager, old, held=3600.0)[0].user_id == "ada"
    assert visit(manager, new)[0].user_id == "ada"


def test_an_old_secret_after_the_hour_of_an_upload_is_a_theft() -> None:
    """However long a proxy may hold a request, it is bounded."""
    clock, manager, old = signed_in("late-upload")
    _, new = visit(manager, old)
    clock.advance(70)
    visit(manager, new)
    clock.advance(3600)
    assert visit(manager, old, held=3600.0)[0].ended_reason == "stolen"


def test_an_old_secret_without_a_body_is_a_theft_at_once() -> None:
    """What a proxy does not hold is judged by when it came."""
    clock, manager, old = signed_in("plain-theft")
    _, new = visit(manager, old)
    clock.advance(70)
    visit(manager, new)
    assert visit(manager, old)[0].ended_reason == "stolen"
