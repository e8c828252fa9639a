"""What is remembered of a visitor's last request changes no verdict, and holds nobody's secret."""

from __future__ import annotations

import pickle
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from coatcheck import Policy, SessionManager, loading, token
from coatcheck.record import Record, Secret
from coatcheck.session import Session
from tests.records import NOW, record

SECRET = "a secret that is long enough to sign with"
TEXTS = [token.new_secret(step) for step in range(4)]
SPAN = 2 * 86_400.0

POLICY = Policy(touch_interval=timedelta(minutes=5), rotation_interval=timedelta(hours=1))


def manager() -> SessionManager:
    return SessionManager("memory://", secret=SECRET, policy=POLICY, clock=lambda: NOW)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """A session in any state: rotated or not, settled or not, idle for long or not."""
    newest = draw(st.integers(0, 3))
    known = sorted({newest, *draw(st.sets(st.integers(0, newest)))}, reverse=True)[:3]
    times = sorted((draw(st.floats(0, SPAN)) for _ in known), reverse=True)
    return record(
        secrets=tuple(
            Secret(step, token.hash_secret(TEXTS[step]), NOW + at) for step, at in zip(known, times, strict=True)
        ),
        settled=draw(st.sampled_from(known)),
        last_seen_at=NOW + times[0] + draw(st.sampled_from([0.0, 50.0, 4000.0])),
        idle=draw(st.none() | st.floats(60, SPAN)),
        expires_at=NOW + draw(st.floats(60, 2 * SPAN)),
        fields=draw(st.sampled_from(["{}", '{"n":1}', '{"cart":[1]}', '{"at":{"$t":"2030-01-01T00:00:00@0"}}'])),
    )


def verdict(of: SessionManager, text: str, one: Record, began: float) -> tuple[Any, ...]:
    """What a request finds, in all that is decided from it later."""
    found, shown = of.engine.begin(text, None, began)
    assert shown is not None
    good = of.engine.admit(found, shown, one)
    return good, dict(found), found._record, found._settles, found._due, of.engine.idle(found), found._is_flat()


@settings(max_examples=500)
@given(records(), st.data())
def test_a_session_that_was_read_before_is_judged_as_if_it_were_not(one: Record, data: st.DataObject) -> None:
    """Whatever falls due between two requests, and in whichever order they come: a memory never decides otherwise."""
    old = manager()
    text = token.sign(
        old._keyring(), one.handle, TEXTS[data.draw(st.sampled_from([each.step for each in one.secrets]))]
    )
    instants = [
        one.last_seen_at,
        one.expires_at,
        one.last_seen_at + (one.idle or 0),
        *(s.issued_at for s in one.secrets),
    ]
    around = st.builds(
        float.__add__, st.sampled_from(instants), st.sampled_from([-1.0, 0.0, 59.0, 61.0, 299.0, 3601.0])
    )
    for began in data.draw(st.lists(around, min_size=2, max_size=6)):
        assert verdict(old, text, one, began) == verdict(manager(), text, one, began)


def test_two_requests_share_nothing_that_can_be_changed() -> None:
    """A list that one request fills is not in the next one's session until it is stored."""
    of = manager()
    session = of.load(None)
    session.login("ada")
    session["cart"], session["n"] = [1], 1
    text = str(of.commit(session).token)
    for _ in range(3):
        session = of.load(text)
        assert dict(session) == {"cart": [1], "n": 1}
        session["cart"].append(2)
        session["n"] = 2


def test_a_session_that_has_changed_is_judged_anew() -> None:
    """An equal record is not enough: what is remembered belongs to the one that the store told."""
    of = manager()
    one = record(secrets=(Secret(0, token.hash_secret(TEXTS[0]), NOW),), fields='{"n":1}')
    text = token.sign(of._keyring(), one.handle, TEXTS[0])
    assert verdict(of, text, one, NOW) == verdict(of, text, one, NOW)
    later = one._replace(fields='{"n":2}')
    assert verdict(of, text, later, NOW)[1] == {"n": 2}


def test_no_credential_is_remembered() -> None:
    """A dump of the memory holds hashes of tokens, and no token."""
    of = manager()
    session: Session = of.load(None)
    session.login("ada")
    text = str(of.commit(session).token)
    assert of.load(text).user_id == "ada"
    kept = pickle.dumps([(digest, shown.handle, shown.hash) for digest, shown in of.engine._good.items()])
    assert of.engine._good
    assert text.encode() not in kept
    assert text.split(".")[1].encode() not in kept


def test_a_forged_token_is_not_remembered_and_so_many_good_ones_are() -> None:
    """Whoever sends one forged token after another fills nobody's memory, and takes nobody's place in it."""
    of = manager()
    signed = [token.sign(of._keyring(), token.new_handle(None), TEXTS[0]) for _ in range(loading._REMEMBERED + 10)]
    forged = [text[:-1] + ("0" if text[-1] != "0" else "1") for text in signed]
    assert [of.engine.verify(text) for text in forged] == [None] * len(forged)
    assert of.engine._good == {}
    assert all(of.engine.verify(text) for text in signed)
    assert 0 < len(of.engine._good) <= loading._REMEMBERED
