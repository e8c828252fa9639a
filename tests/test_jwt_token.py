"""`token_format="jwt"`: a signed reference, refused in every other form, and never an exception."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck import SessionManager, jwt_token, token
from coatcheck.keyring import Keyring
from tests.forge import Part, contents, part, signed

SECRETS = ["new-secret-of-32-bytes-0123456789", "old-secret-of-32-bytes-9876543210"]
RING = Keyring(SECRETS[0], namespace="shop")
KEY = RING.keys("session+jwt")[0]
HANDLE = token.new_handle("7")
SECRET = token.new_secret(3)
OURS = jwt_token.sign(RING, HANDLE, SECRET)
HEADER, CLAIMS = contents(OURS)
HEAD, BODY, SIGNATURE = OURS.split(".")


def verified(text: Any) -> token.Shown | None:
    """What our manager would take it for."""
    return jwt_token.verify(RING, text)


def test_it_says_what_the_signed_token_says() -> None:
    """One reference, two spellings: the same session, step and hash."""
    assert verified(OURS) == token.verify(RING, token.sign(RING, HANDLE, SECRET))
    assert verified(OURS) == token.Shown(HANDLE, 3, token.hash_secret(SECRET), resign=False)


def test_it_holds_a_reference_and_nothing_else() -> None:
    """No claim that anybody could act on without asking the store."""
    assert HEADER == {"alg": "HS256", "typ": "session+jwt"}
    assert CLAIMS == {"sid": HANDLE, "ses": SECRET}
    assert len(OURS) < 300


def test_an_old_key_verifies_and_is_marked_for_signing_again() -> None:
    """Keys rotate without logging anybody out; a retired one is refused."""
    old = Keyring(SECRETS[1], namespace="shop")
    both = Keyring(SECRETS, namespace="shop")
    text = jwt_token.sign(old, HANDLE, SECRET)
    shown = jwt_token.verify(both, text)
    assert shown is not None
    assert shown.resign
    again = jwt_token.resign(both, text)
    assert jwt_token.verify(both, again) == replace(shown, resign=False)
    assert jwt_token.verify(RING, again) == replace(shown, resign=False)
    assert jwt_token.verify(RING, text) is None


def test_another_namespace_is_refused() -> None:
    """Two applications with one secret do not take each other's sessions."""
    assert jwt_token.verify(Keyring(SECRETS[0], namespace="blog"), OURS) is None


UNSIGNED: dict[str, str] = {
    "signature stripped": f"{HEAD}.{BODY}.",
    "signature missing": f"{HEAD}.{BODY}",
    "signature of zeros": f"{HEAD}.{BODY}.{part(bytes(32))}",
    **{f"alg {alg}": f"{part({**HEADER, 'alg': alg})}.{BODY}." for alg in ("none", "None", "NONE", "nOnE")},
    **{f"alg {alg}, our signature": f"{part({**HEADER, 'alg': alg})}.{BODY}.{SIGNATURE}" for alg in ("none", "HS512")},
    "blank key": signed(HEADER, CLAIMS, b""),
    "weak key": signed(HEADER, CLAIMS, b"secret"),
    "own key embedded": signed({**HEADER, "jwk": {"kty": "oct", "k": part(b"a" * 32)}}, CLAIMS, b"a" * 32),
    "other sid": f"{HEAD}.{part({**CLAIMS, 'sid': token.new_handle('8')})}.{SIGNATURE}",
    "other step": f"{HEAD}.{part({**CLAIMS, 'ses': token.new_secret(4)})}.{SIGNATURE}",
    "padding": f"{OURS}=",
    "line break": f"{OURS}\n",
    "signed token": token.sign(RING, HANDLE, SECRET),
}


@pytest.mark.parametrize("text", UNSIGNED.values(), ids=UNSIGNED)
def test_a_forged_token_is_refused(text: str) -> None:
    """Without the key nothing passes, whatever the header claims."""
    assert verified(text) is None


SIGNED: dict[str, tuple[Part, Part]] = {
    "ticket's type": ({**HEADER, "typ": "ticket+jwt"}, CLAIMS),
    "no type": ({"alg": "HS256"}, CLAIMS),
    "crit": ({**HEADER, "crit": []}, CLAIMS),
    "duplicate claim": (HEADER, json.dumps(CLAIMS)[:-1].encode() + b',"sid":"x"}'),
    "UTF-16": (HEADER, json.dumps(CLAIMS).encode("utf-16")),
    "an array": (HEADER, b"[]"),
    "sid missing": (HEADER, {"ses": SECRET}),
    "ses missing": (HEADER, {"sid": HANDLE}),
    "too long": (HEADER, {**CLAIMS, "pad": "x" * 400}),
}
"""Signed with our key, and yet not what we sign."""

ODD = [
    None,
    True,
    0,
    22,
    30,
    1.5,
    "",
    "x",
    "x" * 22,
    "é" * 30,
    "é" * 22,
    "=" * 30,
    [],
    ["x"] * 22,
    ["x"] * 30,
    {"x": 1},
]
TYPES: dict[str, tuple[Part, Part]] = {
    f"{name} as {json.dumps(value)[:30]}": (HEADER, {**CLAIMS, name: value})
    for name in ("sid", "ses")
    for value in ODD
    if (name, value) != ("sid", "x" * 22)
}


@pytest.mark.parametrize(("header", "claims"), [*SIGNED.values(), *TYPES.values()], ids=[*SIGNED, *TYPES])
def test_signed_but_not_ours_is_refused(header: Part, claims: Part) -> None:
    """The key is not enough: type, form and each claim have to be those of a session's token."""
    assert verified(signed(header, claims, KEY)) is None


def test_any_other_spelling_of_a_part_is_refused() -> None:
    """A token has one spelling, so whoever compares texts compares tokens."""
    for place in range(len(OURS)):
        for char in "Aaz_":
            changed = OURS[:place] + char + OURS[place + 1 :]
            assert changed == OURS or verified(changed) is None


def test_a_ticket_is_not_a_session() -> None:
    """Tickets have their own key and type: one shown as a session's token is an anonymous session."""
    manager = SessionManager("memory://", secret=SECRETS[0], namespace="jwt-token", token_format="jwt")
    session = manager.load(None)
    session.login("7")
    ticket = manager.tickets.issue("download", {}, session=session)
    token_text = manager.commit(session).token
    assert manager.load(token_text).user_id == "7"
    assert manager.engine.verify(ticket) is None
    assert manager.load(ticket).user_id is None


@given(st.text() | st.text("AZaz09-_.", max_size=300))
def test_no_text_raises(text: str) -> None:
    """Whatever a cookie holds, the answer is None."""
    assert verified(text) is None


values = st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.lists(st.text(max_size=2), max_size=30)


@given(
    st.fixed_dictionaries({"sid": values | st.just(HANDLE), "ses": values | st.text("Aa0-_", min_size=30, max_size=30)})
)
def test_no_signed_claims_raise(claims: dict[str, Any]) -> None:
    """Even a holder of the key can't make it raise."""
    shown = verified(signed(HEADER, claims, KEY))
    assert shown is None or shown.handle == claims["sid"]


@given(st.dictionaries(st.sampled_from(["exp", "nbf", "iat", "sub", "jti", "aud", "iss"]), values))
def test_no_registered_claim_raises(extra: dict[str, Any]) -> None:
    """A claim that we never write neither raises nor changes what the token refers to."""
    assert verified(signed(HEADER, {**CLAIMS, **extra}, KEY)) in (None, verified(OURS))
