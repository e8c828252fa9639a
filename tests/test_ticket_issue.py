"""Issuing tickets: for minutes, under the newest key, and only what can be redeemed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coatcheck import Policy
from coatcheck.errors import TicketExpired, TicketInvalid, TicketSpent
from coatcheck.keyring import Keyring
from coatcheck.tickets import LEEWAY
from tests.desk import SECRET, Desk, Kind
from tests.forge import contents, data_of

OTHER_SECRET = "another-secret-of-more-than-32-bytes-987654"


@pytest.fixture(params=["sync", "async"])
def desk(request: pytest.FixtureRequest) -> Desk:
    """Both managers keep the same promises."""
    kind: Kind = request.param
    return Desk(kind)


# -- for minutes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("late", "accepted"), [(-1, True), (-0.001, True), (0, False), (0.001, False), (1e9, False)])
def test_expiry_is_exact(late: float, accepted: bool) -> None:
    """A ticket is good until its expiry, and not an instant longer."""
    policy = Policy(idle_timeout=None, absolute_timeout=timedelta(days=20_000))
    desk = Desk(policy=policy)
    jwt = desk.issue(desk.session(), ttl=timedelta(seconds=90))
    desk.now += 90 + late
    if accepted:
        assert desk.redeem(jwt).purpose == "download"
        return
    for use in (desk.redeem, desk.peek):
        with pytest.raises(TicketExpired) as caught:
            use(jwt)
        assert caught.value.expired_at == datetime.fromtimestamp(1_000_090, UTC)


def test_a_ttl_is_never_cut_short(desk: Desk) -> None:
    """A fraction of a second is rounded up, since a JWT's times are whole ones."""
    desk.now += 0.75
    claims = contents(desk.issue(desk.session(), ttl=timedelta(seconds=0.5)))[1]
    assert (claims["iat"], claims["exp"]) == (1_000_000, 1_000_002)
    desk.now += 0.1
    assert desk.redeem(desk.issue(desk.session(), ttl=timedelta(hours=1))).purpose == "download"


def test_the_mark_outlives_every_acceptance(desk: Desk) -> None:
    """Purging never makes a used ticket whole, up to the last instant at which it would be accepted."""
    session = desk.session()
    jwt = desk.issue(session, ttl=timedelta(seconds=10))
    desk.redeem(jwt)
    desk.now += 10 - 0.001
    desk.run(desk.manager.purge())
    with pytest.raises(TicketSpent):
        desk.redeem(jwt)


def test_a_clock_that_is_behind_accepts_within_the_leeway_only(desk: Desk) -> None:
    """A ticket from the future means that clocks differ, and the report says so."""
    jwt = desk.issue(desk.session())
    desk.now -= LEEWAY + 1
    with pytest.raises(TicketInvalid, match="clocks"):
        desk.redeem(jwt)
    desk.now += 1
    assert desk.redeem(jwt).purpose == "download"


# -- keys ----------------------------------------------------------------------------------------------------


def test_old_keys_verify_and_retired_ones_do_not() -> None:
    """A new secret in front signs; the old one is good for the tickets that are out, until it is taken away."""
    old = Desk(secret=OTHER_SECRET)
    tickets = [old.issue(old.session()) for _ in range(2)]
    both = Desk(secret=[SECRET, OTHER_SECRET], namespace=old.namespace)
    assert both.redeem(tickets[0]).purpose == "download"
    new = Desk(secret=SECRET, namespace=old.namespace)
    with pytest.raises(TicketInvalid):
        new.redeem(tickets[1])
    assert new.redeem(both.issue(both.session())).purpose == "download"


def test_the_key_id_tells_nothing_of_the_key(desk: Desk) -> None:
    """It is derived by itself, the same for every ticket, and different for every secret and namespace."""
    kid = contents(desk.issue(desk.session()))[0]["kid"]
    assert kid == contents(desk.issue(desk.session()))[0]["kid"]
    assert data_of(kid) not in desk.key
    others = [Desk(), Desk(secret=OTHER_SECRET, namespace=desk.namespace)]
    assert kid not in [contents(other.issue(other.session()))[0]["kid"] for other in others]


def test_another_namespace_is_refused(desk: Desk) -> None:
    """Two applications with one secret do not take each other's tickets."""
    with pytest.raises(TicketInvalid):
        Desk().redeem(desk.issue(desk.session()))


def test_no_other_purpose_has_the_tickets_key(desk: Desk) -> None:
    """What signs a session's token never signs a ticket, nor the other way round."""
    ring = Keyring(SECRET, namespace=desk.namespace)
    purposes = ("ticket", "ticket kid", "token", "session+jwt", "csrf")
    assert len({ring.keys(purpose)[0] for purpose in purposes}) == len(purposes)


# -- issue refuses -------------------------------------------------------------------------------------------


def test_a_session_that_is_not_stored_gets_no_ticket(desk: Desk) -> None:
    """Nothing to be bound to: before the first commit, and after a logout in this request."""
    fresh, gone = desk.load(None), desk.session()
    fresh["cart"] = [1]
    gone.logout()
    for session in (fresh, gone):
        with pytest.raises(ValueError, match="not in the store"):
            desk.issue(session)


@pytest.mark.parametrize("purpose", ["", "a" * 65, "a b", "a\n", "é", "-a", "../a", "a,b", "a=b", None, 7, ["a"]])
def test_a_purpose_is_a_plain_word(desk: Desk, purpose: Any) -> None:
    """It stands in log lines and is compared whole; asked for at redemption, such a purpose fits no ticket."""
    session = desk.session()
    with pytest.raises(ValueError, match="purpose"):
        desk.issue(session, purpose=purpose)
    with pytest.raises(TicketInvalid):
        desk.redeem(desk.issue(session), purpose)


@pytest.mark.parametrize("seconds", [0, -1, 3600.001, 86_400])
def test_a_ticket_lives_at_most_an_hour(desk: Desk, seconds: float) -> None:
    """The error says why: what lives longer belongs in a session."""
    with pytest.raises(ValueError, match=r"at most 1:00:00.*belongs in a session"):
        desk.issue(desk.session(), ttl=timedelta(seconds=seconds))


def test_a_number_is_not_a_ttl(desk: Desk) -> None:
    """Seconds or minutes? A timedelta says."""
    ttl: Any = 120
    with pytest.raises(TypeError, match="timedelta"):
        desk.issue(desk.session(), ttl=ttl)


@pytest.mark.parametrize("claims", [[], "file", 7, [("file", "a.pdf")]])
def test_claims_are_a_mapping(desk: Desk, claims: Any) -> None:
    """As the ticket gives them back."""
    with pytest.raises(TypeError, match="mapping"):
        desk.issue(desk.session(), claims=claims)


def test_claims_that_json_does_not_hold_are_named(desk: Desk) -> None:
    """The path leads to the culprit."""
    with pytest.raises(TypeError, match=r"claims\.files\[1\]\.at is of type datetime"):
        desk.issue(desk.session(), claims={"files": ["a", {"at": datetime.now(UTC)}]})


def test_a_ticket_has_at_most_4096_characters(desk: Desk) -> None:
    """Longer ones fit neither a URL nor a header, and are refused where they are made."""
    session = desk.session()
    head, body, signature = desk.issue(session, claims={"x": ""}).split(".")
    room = (4096 - len(f"{head}..{signature}")) * 3 // 4 - len(data_of(body))
    longest = desk.issue(session, claims={"x": "a" * room})
    assert len(longest) in (4095, 4096)
    assert desk.redeem(longest).claims == {"x": "a" * room}
    with pytest.raises(ValueError, match="Keep the data in the session"):
        desk.issue(session, claims={"x": "a" * (room + 1)})


def test_claims_may_be_empty_and_are_a_copy(desk: Desk) -> None:
    """A ticket needs none; what the caller's mapping becomes later is not in the ticket."""
    session = desk.session()
    assert desk.redeem(desk.issue(session, claims={})).claims == {}
    claims: dict[str, Any] = {"files": ["a"]}
    jwt = desk.issue(session, claims=claims)
    claims["files"].append("b")
    assert desk.redeem(jwt).claims == {"files": ["a"]}


# -- what is told --------------------------------------------------------------------------------------------


def test_each_step_is_reported_by_its_public_name(desk: Desk) -> None:
    """Issued, redeemed and refused: by jti, session and user, never by the JWT (ASVS 16.2.5)."""
    session = desk.session(user="7")
    jwt = desk.issue(session)
    jti = contents(jwt)[1]["jti"]
    desk.redeem(jwt)
    with pytest.raises(TicketSpent):
        desk.redeem(jwt)
    facts = [
        (event.name, event.handle, event.user_id, event.reason, event.detail)
        for event in desk.events
        if event.name.startswith("ticket")
    ]
    detail = {"jti": jti, "purpose": "download"}
    assert facts == [
        ("ticket_issued", session.handle, "7", None, detail | {"expires": f"{desk.now + 120:.0f}"}),
        ("ticket_redeemed", session.handle, "7", None, detail),
        ("ticket_refused", session.handle, "7", "spent", detail),
    ]
    assert jwt not in repr(desk.events)
    assert jwt.split(".")[2] not in repr(desk.events)
