"""A command that is sent twice, as after a lost reply: it is carried out once, and the second answer is true."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from coatcheck.change import Change
from coatcheck.record import Ended, Record
from coatcheck.stores.redis import RedisStore
from tests.records import DAY, NOW, record
from tests.redis_tools import NAMES, acquainted, between, signed_in, successor

pytestmark = pytest.mark.usefixtures("unhurried")


@pytest.fixture
def stutter(store: RedisStore) -> RedisStore:
    """A store whose every command reaches the server twice; it hears the second answer alone."""
    acquainted(store)
    send = store._send

    def twice(step: Any) -> Any:
        send(step)
        return send(step)

    store._send = twice  # type: ignore[method-assign]
    return store


def test_a_creation_that_is_sent_twice_succeeds_once(stutter: RedisStore) -> None:
    """The second sending finds its own work, and does not take it for somebody else's."""
    subject = record()
    assert stutter.create(subject, NOW) is True
    assert stutter.create(subject._replace(fields='{"other":1}'), NOW) is False
    assert stutter.load(subject.handle) == subject


def test_a_login_that_is_sent_twice_succeeds_once(stutter: RedisStore) -> None:
    """It is not refused as if its handle were taken, and the user has one session."""
    subject = record("ada")
    assert stutter.login(subject, NOW, NOW, None, "").record == subject
    assert stutter.sessions("ada", NOW, 10, None) == [subject]


def test_a_login_over_the_limit_that_is_sent_twice_names_whom_it_ended(stutter: RedisStore) -> None:
    """The oldest session is ended, and reported, although the first answer got lost."""
    old = [signed_in(stutter, "ada", at=NOW + number) for number in range(2)]
    done = stutter.login(record("ada", at=NOW + 2), NOW + 2, NOW + 2, 2, "too many sessions")
    assert done.over_limit == (old[0].handle,)
    assert stutter.load(old[0].handle) == Ended("too many sessions", NOW + 2)
    assert len(stutter.sessions("ada", NOW + 2, 10, None)) == 2


def test_a_commit_that_is_sent_twice_is_made_once(stutter: RedisStore, client: redis.Redis) -> None:
    """The second sending sees its own version there; nothing is applied to its own result."""
    subject = record()
    stutter.create(subject, NOW)
    wires: list[Any] = []
    between(stutter, wires.append)
    after = stutter.commit(subject.handle, Change(set={"note": 1}), NOW)
    assert isinstance(after, Record)
    assert len(wires) == 2
    assert stutter.load(subject.handle) == after


def test_a_commit_that_leaves_nothing_and_is_sent_twice_says_that_it_was_the_one(stutter: RedisStore) -> None:
    """The client's cookie is dropped, and nobody reports a write that came too late."""
    subject = record()
    stutter.create(subject, NOW)
    assert stutter.commit(subject.handle, Change(delete=("cart",)), NOW) == Ended("logout", NOW, by_this=True)


def test_an_end_that_is_sent_twice_still_says_what_it_ended(stutter: RedisStore) -> None:
    """A logout, or a login that carries data over, is told all that the session held at its end."""
    subject = signed_in(stutter, "ada")
    assert stutter.end(subject.handle, "ada", "logout", NOW) == subject
    assert stutter.end(subject.handle, "ada", "revoked", NOW) == Ended("logout", NOW)
    assert stutter.sessions("ada", NOW, 10, None) == []


def test_a_replacement_that_is_sent_twice_succeeds_once(stutter: RedisStore) -> None:
    """The old session ended as replaced, the new one lives, and the second sending does not see a stranger."""
    old = signed_in(stutter, "ada")
    after = stutter.replace(old.handle, Change(), successor(old), NOW)
    assert isinstance(after, Record)
    assert stutter.load(old.handle) == Ended("replaced", NOW, successor=after.handle)
    assert stutter.sessions("ada", NOW, 10, None) == [after]


def test_a_revocation_that_is_sent_twice_counts_each_session_once(stutter: RedisStore) -> None:
    """`revoke_user` names all whom it ended, `revoke_all` counts them, whichever answer arrives."""
    handles = {signed_in(stutter, "ada").handle for _ in range(3)}
    assert set(stutter.revoke_user("ada", None, "revoked", NOW, NOW + DAY)) == handles
    signed_in(stutter, "bob")
    stutter.create(record(), NOW)
    assert stutter.revoke_all(NOW, "revoked", NOW) == 2


def test_a_patch_that_is_sent_twice_has_one_number(stutter: RedisStore, client: redis.Redis) -> None:
    """`update_user` does not overtake itself."""
    subject = signed_in(stutter, "ada")
    assert stutter.update_user("ada", {"role": "editor"}, NOW, NOW + DAY) == 1
    after = stutter.load(subject.handle)
    assert isinstance(after, Record)
    assert client.hget(NAMES.user("ada"), "seq") == str(after.seq).encode()
    assert after.seq == int(NOW * 1000)


def test_a_ticket_whose_redemption_is_sent_twice_is_won_once(stutter: RedisStore) -> None:
    """The winner hears that it won; a second redemption, also sent twice, hears when that was."""
    subject = signed_in(stutter, "ada")
    assert stutter.redeem(subject.handle, "jti", "nonce 1", "note", NOW, NOW + 60).won
    again = stutter.redeem(subject.handle, "jti", "nonce 2", "", NOW + 1, NOW + 60)
    assert (again.won, again.at, again.note) == (False, NOW, "note")
