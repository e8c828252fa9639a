"""A write against whatever else can happen to its session."""

from __future__ import annotations

from tests.processes.pairing import login_job, pair, update_job, write_job
from tests.processes.scene import Job, Judge, Scene, Seen

DAY = 86_400.0


# -- a write -------------------------------------------------------------------------------------------------


@pair("write", "write of another field", "both fields are there")
def two_fields(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.visitor(cart=1)

    def judge(seen: Seen) -> None:
        assert [told["action"] for told in seen.told] == ["keep", "keep"]
        assert scene.fields(token) == {"cart": 1, "one": 1, "two": 2}

    return write_job(token, one=1), write_job(token, two=2), judge


@pair("write", "write of the same field", "the field has the value of the later commit, other fields both")
def one_field(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.visitor(cart=1)

    def judge(seen: Seen) -> None:
        assert [told["action"] for told in seen.told] == ["keep", "keep"]
        assert scene.fields(token) == {"cart": ["two", "one"][seen.ahead], "one": 1, "two": 2}

    return write_job(token, cart="one", one=1), write_job(token, cart="two", two=2), judge


def _overtaken(scene: Scene, token: str, reason: str) -> Judge:
    """A write against an end: the session is dead, and a write that came after it is told so."""

    def judge(seen: Seen) -> None:
        write = seen.told[0]
        assert scene.ended(token) == reason
        assert scene.listed() == []
        if "raised" in write:
            assert (write["raised"], write["why"]) == ("SessionEnded", reason)
        elif write["token"]:
            assert write["token"][:22] != token[:22]
            assert scene.fields(write["token"]) == {"note": 1}
        else:
            assert not seen.began_after(0)

    return judge


@pair("write", "logout", "the session is over; a late write is refused, and changes nothing")
def write_logout(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.signed_in(cart=1)
    return write_job(token, note=1), Job("logout", {"token": token}), _overtaken(scene, token, "logout")


@pair("write", "revoke", "the same")
def write_revoke(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.signed_in(cart=1)
    judge = _overtaken(scene, token, "revoked")
    return write_job(token, note=1), Job("revoke", {"handle": token[:22]}), judge


@pair("write", "revoke_user", "the same")
def write_revoke_user(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.signed_in(cart=1)

    def judge(seen: Seen) -> None:
        _overtaken(scene, token, "revoked")(seen)
        assert seen.told[1]["value"] == 1

    return write_job(token, note=1), Job("revoke_user", {"user": scene.user}), judge


@pair("write", "update_user", "the patch stands, unless the request had seen it; the write's other fields are there")
def write_update(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.signed_in(role="admin")

    def judge(seen: Seen) -> None:
        assert seen.told[1]["value"] == 1
        role = "owner" if seen.told[0]["saw"]["role"] == "reader" else "reader"
        assert scene.fields(token) == {"role": role, "note": 1}

    return write_job(token, role="owner", note=1), update_job(scene, role="reader"), judge


@pair("write", "idle timeout and purge", "stored in time, and the session lives on; or refused, and it is gone")
def write_purge(scene: Scene) -> tuple[Job, Job, Judge]:
    # The writer came a minute before the deadline, and is as slow as can be; purge runs when all is forgotten.
    token, late = scene.visitor(cart=1), 15 * DAY + 3600
    purge = Job("purge", {"handle": token[:22], "value": scene.raw(token)}, late)

    def judge(seen: Seen) -> None:
        write = seen.told[0]
        scene.clock.advance(late)
        try:
            if "raised" in write:
                assert write["raised"] == "SessionEnded"
                assert not scene.lives(token)
            elif write["saw"]:
                assert scene.fields(token) == {"cart": 1, "note": 1}
            else:
                assert not scene.lives(token)
                assert scene.fields(write["token"]) == {"note": 1}
        finally:
            scene.clock.advance(-late)

    return write_job(token, note=1)._replace(ahead=14 * DAY - 60), purge, judge


@pair("write", "login", "what was stored before the login comes along; later it is refused, or a visitor's own")
def write_login(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.visitor(cart=1)

    def judge(seen: Seen) -> None:
        write, login = seen.told
        assert not scene.lives(token)
        found = scene.fields(login["token"])
        if write.get("action") == "keep":
            assert found == {"cart": 1, "note": 1}
        else:
            assert found == {"cart": 1}
            assert write.get("raised") == "SessionEnded" or scene.fields(write["token"]) == {"note": 1}

    return write_job(token, note=1), login_job(scene, token), judge


@pair("write", "rotate", "what was stored before comes along; later it is refused, or a visitor's own")
def write_rotate(scene: Scene) -> tuple[Job, Job, Judge]:
    token = scene.signed_in(cart=1)

    def judge(seen: Seen) -> None:
        write, rotated = seen.told
        assert not scene.lives(token)
        stored = {"note": 1} if write.get("action") == "keep" else {}
        assert scene.fields(rotated["token"]) == {"cart": 1, **stored}
        assert scene.listed() == [rotated["token"][:22]]

    return write_job(token, note=1), Job("rotate", {"token": token}), judge
