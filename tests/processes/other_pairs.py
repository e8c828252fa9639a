"""Logins, renamed sessions, tickets and operators against each other."""

from __future__ import annotations

from coatcheck.testing.contract.rotating import DUE
from tests.processes.pairing import issued, login_job, pair, update_job
from tests.processes.points import LAST
from tests.processes.scene import Job, Judge, Scene, Seen

# -- a login -------------------------------------------------------------------------------------------------


@pair("login", "revoke_user", "a login that arrived first is refused or ended; one that arrived after it lives")
def login_revoke_user(scene: Scene) -> tuple[Job, Job, Judge]:
    other, token = scene.signed_in(), scene.visitor(cart=1)

    def judge(seen: Seen) -> None:
        login, revoked = seen.told
        live = scene.listed()
        assert not scene.lives(other)
        if "raised" in login:
            assert login["raised"] == "ReauthenticationRequired"
            assert live == []
        else:
            assert (login["token"][:22] in live) is (revoked["value"] == 1)
        if seen.stopped == 0:
            assert live == []
        if seen.began_after(0):
            assert live == [login["token"][:22]]

    return login_job(scene, token), Job("revoke_user", {"user": scene.user}), judge


@pair("login", "login", "two sessions, both listed; the one before is over")
def login_login(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.visitor(cart=1)

    def judge(seen: Seen) -> None:
        tokens = [told["token"] for told in seen.told]
        assert not scene.lives(token)
        assert {*scene.listed()} == {one[:22] for one in tokens}
        assert {"cart": 1} in [scene.fields(one) for one in tokens]

    return login_job(scene, token), login_job(scene, token), judge


@pair("login", "login, with max_sessions=1", "one session lives: one that was just made")
def login_limit(scene: Scene) -> tuple[Job, Job, Judge]:
    before = scene.signed_in()

    def judge(seen: Seen) -> None:
        live = scene.listed()
        assert len(live) == 1
        assert live[0] in [told["token"][:22] for told in seen.told]
        assert not scene.lives(before)
        assert [scene.lives(told["token"]) for told in seen.told].count(True) == 1

    return login_job(scene, None, limit=1), login_job(scene, None, limit=1), judge


@pair("login", "logout of the session before", "the session before is over, the new one lives")
def login_logout(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.signed_in(cart=1)

    def judge(seen: Seen) -> None:
        assert not scene.lives(token)
        assert scene.listed() == [seen.told[0]["token"][:22]]
        assert "raised" not in seen.told[1]

    return login_job(scene, token), Job("logout", {"token": token}), judge


@pair("login", "update_user", "the new session has the patch, whatever its request had read")
def login_update(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.signed_in(role="admin")

    def judge(seen: Seen) -> None:
        assert scene.fields(seen.told[0]["token"])["role"] == "reader"

    return login_job(scene, token, fields={"role": "admin"}), update_job(scene, role="reader"), judge


# -- the same name and secret, or others ---------------------------------------------------------------------


@pair("logout", "rotate", "no session is left, under either name, unless the logout came with a name of the past")
def logout_rotate(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.signed_in()

    def judge(seen: Seen) -> None:
        assert not scene.lives(token)
        assert len(scene.listed()) == (seen.told[0]["action"] == "keep")
        # It had not loaded yet when the name changed.
        assert seen.told[0]["action"] == "drop" or seen.stopped == 1 or seen.at in {"before a read", "before GET"}

    return Job("logout", {"token": token}), Job("rotate", {"token": token}), judge


@pair("rotate", "rotate", "one renames the session, the other is refused or has none")
def rotate_rotate(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.signed_in(cart=1)

    def judge(seen: Seen) -> None:
        tokens = [issued(told) for told in seen.told if issued(told)]
        assert [one[:22] for one in tokens] == scene.listed()
        assert scene.fields(tokens[0]) == {"cart": 1}
        assert not scene.lives(token)

    return Job("rotate", {"token": token}), Job("rotate", {"token": token}), judge


@pair("rotate", "revoke", "no session is left, under either name")
def rotate_revoke(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.signed_in()
    return Job("rotate", {"token": token}), Job("revoke", {"handle": token[:22]}), _all_dead(scene, token, True)


@pair("rotate", "revoke_user", "the same")
def rotate_revoke_user(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.signed_in()
    return Job("rotate", {"token": token}), Job("revoke_user", {"user": scene.user}), _all_dead(scene, token, 1)


@pair("rotate", "revoke_user that keeps this session", "the session lives, under one name; every other is over")
def rotate_revoke_others(scene: Scene) -> tuple[Job, Job, Judge]:
    token, other = scene.signed_in(cart=1), scene.signed_in()

    def judge(seen: Seen) -> None:
        kept = issued(seen.told[0]) or token
        assert seen.told[1]["value"] == 1
        assert scene.listed() == [kept[:22]]
        assert scene.fields(kept) == {"cart": 1}
        assert not scene.lives(other)

    keep = Job("revoke_user", {"user": scene.user, "keep": token[:22]})
    return Job("rotate", {"token": token}), keep, judge


def _all_dead(scene: Scene, token: str, value: object) -> Judge:
    def judge(seen: Seen) -> None:
        assert scene.listed() == []
        assert not scene.lives(token)
        assert not scene.lives(issued(seen.told[0]))
        assert seen.told[1].get("value", value) == value

    return judge


@pair("rotate", "update_user", "the session has the patch under its new name")
def rotate_update(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.signed_in(role="admin")

    def judge(seen: Seen) -> None:
        assert scene.fields(issued(seen.told[0])) == {"role": "reader"}

    return Job("rotate", {"token": token}), update_job(scene, role="reader"), judge


@pair("step", "step", "one gets the next secret; it and the one before serve")
def step_step(scene: Scene) -> tuple[Job, Job, Judge]:
    token = _due(scene)

    def judge(seen: Seen) -> None:
        assert sorted(told["action"] for told in seen.told) == ["keep", "set"]
        assert all(map(scene.lives, [token, *filter(None, map(issued, seen.told))]))

    return Job("step", {"token": token}), Job("step", {"token": token}), judge


@pair("step", "logout", "the session is over, with either secret")
def step_logout(scene: Scene) -> tuple[Job, Job, Judge]:
    token = _due(scene)
    return Job("step", {"token": token}), Job("logout", {"token": token}), _all_dead(scene, token, None)


@pair("step", "revoke_user", "the same")
def step_revoke_user(scene: Scene) -> tuple[Job, Job, Judge]:
    token = _due(scene)
    return Job("step", {"token": token}), Job("revoke_user", {"user": scene.user}), _all_dead(scene, token, 1)


def _due(scene: Scene) -> str:
    """The token of a session whose secret is a day old."""
    token = scene.signed_in()
    scene.clock.advance(DUE)
    return token


# -- a ticket ------------------------------------------------------------------------------------------------


@pair("redeem", "redeem", "one gets it, the other is told that it is spent")
def redeem_redeem(scene: Scene) -> tuple[Job, Job, Judge]:
    job = _redeem(scene, scene.signed_in())

    def judge(seen: Seen) -> None:
        assert sorted(told.get("raised", "") for told in seen.told) == ["", "Spent"]

    return job, job, judge


def _redeem(scene: Scene, token: str) -> Job:
    return Job("redeem", {"token": token, "ticket": scene.ticket(token)})


def _ticket_dies(scene: Scene, token: str) -> Judge:
    def judge(seen: Seen) -> None:
        told = seen.told[0]
        assert not scene.lives(token)
        # "TicketInvalid": its request found no session any more, so it was somebody else's.
        assert told.get("raised") in {None, "TicketRevoked", "TicketInvalid"}
        assert "raised" in told or not seen.began_after(0)

    return judge


@pair("redeem", "logout", "redeemed while the session lived, or refused with it; never later")
def redeem_logout(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.signed_in()
    return _redeem(scene, token), Job("logout", {"token": token}), _ticket_dies(scene, token)


@pair("redeem", "revoke_user", "the same")
def redeem_revoke_user(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.signed_in()
    return _redeem(scene, token), Job("revoke_user", {"user": scene.user}), _ticket_dies(scene, token)


# -- an operator against an operator, and against everybody --------------------------------------------------


@pair("update_user", "update_user", "fields of both are there; a field of both has the newer patch's, later too")
def update_update(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.signed_in(role="admin")

    def judge(seen: Seen) -> None:
        found = scene.fields(token)
        assert found.keys() >= {"one", "two", "role"}
        assert found["role"] in {"reader", "owner"}
        assert scene.fields(scene.signed_in())["role"] == found["role"]
        if seen.at == LAST:
            assert found["role"] == ["owner", "reader"][seen.stopped]

    return update_job(scene, role="reader", one=1), update_job(scene, role="owner", two=2), judge


@pair("revoke_all", "login", "what was there is over; a login under way may live, one acknowledged before may not")
def all_login(scene: Scene) -> tuple[Job, Job, Judge]:
    before = scene.signed_in()

    def judge(seen: Seen) -> None:
        token = seen.told[1]["token"]
        assert not scene.lives(before)
        if seen.began_after(0):
            assert not scene.lives(token)
        if seen.began_after(1):
            assert scene.lives(token)
        assert scene.listed() == [token[:22]] * scene.lives(token)

    return Job("revoke_all", {}), login_job(scene, None), judge


@pair("revoke_all", "rotate", "no session is left, under either name")
def all_rotate(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.signed_in()
    return Job("revoke_all", {}), Job("rotate", {"token": token}), _nobody_left(scene, token)


@pair("revoke_all", "rotate of a visitor", "the same")
def all_rotate_visitor(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.visitor(cart=1)
    return Job("revoke_all", {}), Job("rotate", {"token": token}), _nobody_left(scene, token)


def _nobody_left(scene: Scene, token: str) -> Judge:
    def judge(seen: Seen) -> None:
        assert scene.listed() == []
        assert not scene.lives(token)
        assert not scene.lives(issued(seen.told[1]))

    return judge
