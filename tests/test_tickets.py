"""Tickets: once means once, for one session, and never after its end."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coatcheck import AsyncSessionManager, Policy, Session
from coatcheck.errors import TicketError, TicketInvalid, TicketRevoked, TicketSpent
from coatcheck.tickets import Spent
from tests.desk import SECRET, Desk, Kind
from tests.forge import contents, data_of


@pytest.fixture(params=["sync", "async"])
def desk(request: pytest.FixtureRequest) -> Desk:
    """Both managers keep the same promises."""
    kind: Kind = request.param
    return Desk(kind)


# -- once -------------------------------------------------------------------------------------------------


def test_a_ticket_comes_back_with_what_it_was_issued_for(desk: Desk) -> None:
    """Claims, user, session, purpose and expiry, as they were."""
    session = desk.session(user="7")
    claims: dict[str, Any] = {"file": "é.pdf", "pages": [1, 2.5, None, True, {"a": {}}]}
    ticket = desk.redeem(desk.issue(session, claims=claims), session=session)
    assert ticket.claims == claims
    assert (ticket.user_id, ticket.session_handle, ticket.purpose) == ("7", session.handle, "download")
    assert ticket.expires_at == datetime.fromtimestamp(desk.now + 120, UTC)
    assert "é.pdf" not in repr(ticket)


def test_the_jwt_says_what_it_is_for_and_no_secret(desk: Desk) -> None:
    """Header and claims are those of the design; whoever reads it learns no credential."""
    session = desk.session(user="7")
    header, claims = contents(desk.issue(session))
    assert header == {"alg": "HS256", "typ": "ticket+jwt", "kid": header["kid"]}
    assert len(data_of(claims.pop("jti"))) * 8 >= 128
    assert claims == {
        "iss": desk.namespace,
        "aud": "download",
        "iat": 1_000_000,
        "exp": 1_000_120,
        "sid": session.handle,
        "sub": "7",
        "data": {"file": "a.pdf"},
    }
    anonymous = contents(desk.issue(desk.session(user=None)))[1]
    assert "sub" not in anonymous
    assert "bearer" not in anonymous


def test_a_second_use_is_told_when_the_first_was(desk: Desk) -> None:
    """The whole point: the same ticket, a moment later, is spent."""
    session = desk.session()
    jwt = desk.issue(session)
    ticket = desk.redeem(jwt)
    desk.now += 30
    with pytest.raises(TicketSpent) as caught:
        desk.redeem(jwt)
    assert caught.value.used_at == datetime.fromtimestamp(desk.now - 30, UTC)
    assert caught.value.jti == ticket.jti


def test_tickets_of_one_session_are_spent_one_by_one(desk: Desk) -> None:
    """Each has a name of its own, also for the same claims in the same second."""
    session = desk.session()
    tickets = [desk.issue(session) for _ in range(20)]
    assert len({desk.redeem(jwt, session=session).jti for jwt in tickets}) == 20


def test_of_fifty_threads_exactly_one_wins() -> None:
    """A race for one ticket has one winner, and everybody else is told that it is spent."""
    desk = Desk()
    jwt = desk.issue(desk.session())
    start, outcomes = threading.Barrier(50), []

    def race() -> None:
        start.wait()
        try:
            outcomes.append(type(desk.redeem(jwt)).__name__)
        except TicketError as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=race) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["Spent"] * 49 + ["Ticket"]
    assert len(desk.told("ticket_redeemed")) == 1


async def test_of_fifty_tasks_exactly_one_wins() -> None:
    """The same on one event loop."""
    manager = AsyncSessionManager("memory://", secret=SECRET, namespace="fifty-tasks")
    session = await manager.load(None)
    session.login("7")
    await manager.commit(session)
    jwt = await manager.tickets.issue("download", {}, session=session)
    outcomes = await asyncio.gather(
        *(manager.tickets.redeem(jwt, "download") for _ in range(50)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Spent"] * 49 + ["Ticket"]


def test_a_repeated_command_is_the_same_use(desk: Desk) -> None:
    """With its nonce, a use whose answer was lost is repeated; another nonce finds the ticket spent."""
    jwt = desk.issue(desk.session())
    first = desk.redeem(jwt, nonce="n-1")
    desk.now += 1
    assert desk.redeem(jwt, nonce="n-1") == first
    for other in ("n-2", None):
        with pytest.raises(TicketSpent):
            desk.redeem(jwt, nonce=other)


@pytest.mark.parametrize("nonce", ["", "x" * 513, "a\nb", "\ud800"])
def test_a_nonce_that_means_nothing_is_a_mistake_and_spends_nothing(desk: Desk, nonce: str) -> None:
    """An empty nonce would make every use the same use."""
    jwt = desk.issue(desk.session())
    with pytest.raises(ValueError, match="nonce"):
        desk.redeem(jwt, nonce=nonce)
    with pytest.raises(ValueError, match="note"):
        desk.redeem(jwt, note="\ud800")
    assert desk.redeem(jwt).purpose == "download"


def test_the_same_session_may_learn_what_to_resume(desk: Desk) -> None:
    """The gate needs the ticket and the resource of the first use, and gives them to nobody else."""
    session, stranger = desk.session(), desk.session(user="8")
    jwt = desk.issue(session)
    ticket = desk.redeem(jwt, session=session, note="GET /files/a.pdf")
    for use in (desk.redeem, desk.peek):
        with pytest.raises(Spent) as own:
            use(jwt, session=session)
        assert (own.value.ticket, own.value.note) == (ticket, "GET /files/a.pdf")
        for asker in (stranger, None):
            with pytest.raises(Spent) as other:
                use(jwt, session=asker)
            assert other.value.ticket is None


def test_an_error_survives_the_way_to_another_process(desk: Desk) -> None:
    """A worker's pool pickles what it raises."""
    session = desk.session()
    jwt = desk.issue(session)
    desk.redeem(jwt)
    with pytest.raises(Spent) as caught:
        desk.redeem(jwt, session=session)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.used_at, copy.ticket) == (caught.value.used_at, caught.value.ticket)


def test_peek_spends_nothing(desk: Desk) -> None:
    """HEAD, a prefetch or a mail scanner leaves the ticket whole, however often."""
    session = desk.session()
    jwt = desk.issue(session)
    seen = [desk.peek(jwt, session=session) for _ in range(3)]
    assert desk.redeem(jwt, session=session) == seen[0]
    with pytest.raises(TicketSpent):
        desk.peek(jwt, session=session)


# -- for one session ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stranger", ["another user", "the same user elsewhere", "anonymous", "nobody"])
def test_another_session_is_refused_and_spends_nothing(desk: Desk, stranger: str) -> None:
    """A leaked link is worthless: also to an empty session, which as a dict is false."""
    session = desk.session(user="7")
    askers: dict[str, Callable[[], Session]] = {
        "another user": lambda: desk.session(user="8"),
        "the same user elsewhere": lambda: desk.session(user="7"),
        "anonymous": lambda: desk.session(user=None),
        "nobody": lambda: desk.load(None),
    }
    asker = askers[stranger]()
    jwt = desk.issue(session)
    for use in (desk.redeem, desk.peek):
        with pytest.raises(TicketInvalid) as caught:
            use(jwt, session=asker)
        assert caught.value.jti == contents(jwt)[1]["jti"]
    assert asker.accessed, "the answer depends on the cookie"
    assert desk.redeem(jwt, session=session).purpose == "download"


def test_a_session_that_logs_out_or_in_is_another_one(desk: Desk) -> None:
    """What a request does before it redeems counts, although nothing is committed yet."""
    for change in (Session.logout, Session.rotate, lambda session: session.login("8")):
        session = desk.session()
        jwt = desk.issue(session)
        change(session)
        with pytest.raises(TicketInvalid):
            desk.redeem(jwt, session=session)


def test_a_bearer_ticket_is_for_whoever_holds_it(desk: Desk) -> None:
    """Once, and only while the session lives that it was issued to."""
    session = desk.session()
    jwt = desk.issue(session, bearer=True)
    assert desk.peek(jwt, session=desk.load(None)).user_id == "7"
    assert desk.redeem(jwt, session=desk.session(user="8")).user_id == "7"
    with pytest.raises(Spent) as caught:
        desk.redeem(jwt, session=session)
    assert caught.value.ticket is None, "the issuing session did not begin this use and may not resume it"
    jwt = desk.issue(session, bearer=True)
    session.logout()
    desk.commit(session)
    with pytest.raises(TicketRevoked):
        desk.redeem(jwt, session=desk.load(None))


def test_an_anonymous_session_has_tickets_too(desk: Desk) -> None:
    """A guest's cart can be downloaded: bound to the guest's session, and to no user."""
    session = desk.session(user=None)
    assert desk.redeem(desk.issue(session), session=session).user_id is None


# -- with its session --------------------------------------------------------------------------------------


def by_logout(desk: Desk, session: Session) -> None:
    session.logout()
    desk.commit(session)


def by_login(desk: Desk, session: Session) -> None:
    session.login("7")
    desk.commit(session)


def by_rotate(desk: Desk, session: Session) -> None:
    session.rotate()
    desk.commit(session)


ENDS: dict[str, tuple[Callable[[Desk, Session], Any], str]] = {
    "logout": (by_logout, "logout"),
    "login again": (by_login, "replaced"),
    "rotate": (by_rotate, "replaced"),
    "revoke": (lambda desk, session: desk.run(desk.manager.revoke(session.handle, "lost phone")), "lost phone"),
    "revoke_user": (lambda desk, _: desk.run(desk.manager.revoke_user("7")), "revoked"),
    "revoke_all": (lambda desk, _: desk.run(desk.manager.revoke_all()), "revoked"),
}


@pytest.mark.parametrize(("end", "reason"), ENDS.values(), ids=ENDS)
def test_a_ticket_dies_with_its_session(desk: Desk, end: Callable[[Desk, Session], Any], reason: str) -> None:
    """However the session ends, and also for a ticket that nobody has used yet (ASVS 7.4.1)."""
    session = desk.session(user="7")
    jwt = desk.issue(session)
    end(desk, session)
    for use in (desk.redeem, desk.peek):
        for asker in (None, session, desk.load(None)):
            with pytest.raises(TicketRevoked) as caught:
                use(jwt, session=asker)
            assert caught.value.reason == reason


@pytest.mark.parametrize("reason", ["idle", "absolute"])
def test_a_ticket_dies_when_its_session_times_out(reason: str) -> None:
    """A ticket never outlives the session, although its own time is not over."""
    short = timedelta(seconds=60)
    policy = Policy(idle_timeout=short if reason == "idle" else None, absolute_timeout=short)
    if reason == "idle":
        policy = Policy(idle_timeout=short, absolute_timeout=timedelta(hours=1))
    desk = Desk(policy=policy)
    jwt = desk.issue(desk.session())
    desk.now += 60
    with pytest.raises(TicketRevoked) as caught:
        desk.redeem(jwt)
    assert caught.value.reason == reason


def test_a_ticket_of_a_login_that_was_never_committed_is_worthless(desk: Desk) -> None:
    """It is bound to a session that does not exist."""
    session = desk.load(None)
    session.login("7")
    jwt = desk.issue(session)
    with pytest.raises(TicketRevoked):
        desk.redeem(jwt)


@pytest.mark.parametrize("verb", [lambda session: session.login("7"), Session.rotate], ids=["login", "rotate"])
def test_a_ticket_issued_after_login_or_rotate_outlives_the_commit(desk: Desk, verb: Callable[[Session], None]) -> None:
    """It belongs to the session that the response's cookie will name."""
    session = desk.session(user="7")
    verb(session)
    jwt = desk.issue(session)
    after = desk.load(desk.commit(session))
    assert desk.redeem(jwt, session=after).session_handle == after.handle


def test_periodic_rotation_keeps_the_ticket() -> None:
    """It changes the secret and not the handle."""
    desk = Desk(policy=Policy(rotation_interval=timedelta(minutes=10)))
    session = desk.session()
    desk.now += 599
    jwt = desk.issue(session)
    desk.now += 2
    session = desk.load(session._token)
    token = desk.commit(session)
    assert token is not None
    assert desk.redeem(jwt, session=desk.load(token)).purpose == "download"
