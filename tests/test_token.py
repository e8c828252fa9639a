"""The token: short, unguessable, in one spelling, and refused before the store is asked."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck import jwt_token, token
from coatcheck.keyring import Keyring
from coatcheck.token import TOKEN_LENGTH, Shown, bucket_of, hash_secret, looks_like_handle, new_handle, new_secret

NEW, OLD = "the new key: " + "n3w" * 10, "the old key: " + "o1d" * 10
KEYRING = Keyring([NEW], namespace="shop")
BOTH = Keyring([NEW, OLD], namespace="shop")
FORMATS: list[Any] = [pytest.param(token, id="signed"), pytest.param(jwt_token, id="jwt")]


def fresh(step: int = 0) -> tuple[str, str]:
    return new_handle(None), new_secret(step)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("step", [0, 1, 255, 256, 65_535])
def test_what_was_signed_is_what_it_says(form: token.Format, step: int) -> None:
    """Handle, step and the hash of the secret; never the secret itself."""
    handle, secret = fresh(step)
    text = form.sign(KEYRING, handle, secret)
    assert form.verify(KEYRING, text) == Shown(handle, step, hash_secret(secret), False)


def test_a_token_is_short_and_needs_no_quoting() -> None:
    """Under 100 bytes whatever the session holds, fit for a cookie, a header and a URL."""
    for user in (None, "ada", "x" * 255, "\N{SNOWMAN}"):
        text = token.sign(KEYRING, new_handle(user), new_secret(7))
        assert len(text) == TOKEN_LENGTH < 100
        assert set(text) <= set(string.ascii_letters + string.digits + "-_.")


def test_a_hundred_thousand_tokens_are_all_different() -> None:
    """14 random bytes of handle and 20 of secret: each alone is unique among as many."""
    made = [(new_handle("ada"), new_secret(0)) for _ in range(100_000)]
    assert len({handle for handle, _ in made}) == len({secret for _, secret in made}) == 100_000


def test_the_handles_of_one_user_share_a_bucket() -> None:
    """So all keys of a user lie in one hash slot; anonymous handles are spread."""
    assert len({bucket_of(new_handle("ada")) for _ in range(100)}) == 1
    assert bucket_of(new_handle("ada")) != bucket_of(new_handle("bob"))
    assert len({bucket_of(new_handle(None)) for _ in range(100)}) > 90
    assert bucket_of(new_handle(None, bucket="3fa2")) == "3fa2"


@pytest.mark.parametrize("form", FORMATS)
def test_no_character_can_be_changed(form: token.Format) -> None:
    """Each of them, to each of some others: refused. One token has one spelling."""
    text = form.sign(KEYRING, *fresh())
    for place, was in enumerate(text):
        for other in {"A", "B", "_", "-", ".", "=", "+", "/", " ", "é", was.swapcase()} - {was}:
            assert form.verify(KEYRING, text[:place] + other + text[place + 1 :]) is None
    for other in (text[:-1], text + "A", text + "=", " " + text, text + "\n", text.replace(".", ".."), text * 2):
        assert form.verify(KEYRING, other) is None


@pytest.mark.parametrize("form", FORMATS)
def test_parts_of_two_tokens_make_none(form: token.Format) -> None:
    """The tag covers handle and secret together: one's own secret does not open another's session."""
    mine, theirs = (form.sign(KEYRING, *fresh()).split(".") for _ in range(2))
    assert sum(one != other for one, other in zip(mine, theirs, strict=True)) >= 2
    for mask in range(1, 7):
        mixed = ".".join(theirs[n] if mask >> n & 1 else mine[n] for n in range(3))
        # The header of one JWT is that of the other.
        assert form.verify(KEYRING, mixed) is None or mixed in {".".join(mine), ".".join(theirs)}


@pytest.mark.parametrize("form", FORMATS)
def test_another_key_or_namespace_signs_nothing_for_us(form: token.Format) -> None:
    """Nor does a key of ours for another purpose."""
    text = form.sign(KEYRING, *fresh())
    assert form.verify(Keyring(OLD, namespace="shop"), text) is None
    assert form.verify(Keyring(NEW, namespace="shop2"), text) is None


@pytest.mark.parametrize("form", FORMATS)
def test_an_old_key_still_opens_and_says_so(form: token.Format) -> None:
    """The token is good, marked to be signed anew; signed anew it says the same and needs no old key."""
    handle, secret = fresh(3)
    text = form.sign(Keyring(OLD, namespace="shop"), handle, secret)
    assert form.verify(BOTH, text) == Shown(handle, 3, hash_secret(secret), True)
    again = form.resign(BOTH, text)
    assert form.verify(KEYRING, again) == Shown(handle, 3, hash_secret(secret), False)


@given(
    st.text(st.characters(exclude_categories=()))
    | st.text(string.ascii_letters + "._-", min_size=TOKEN_LENGTH, max_size=TOKEN_LENGTH)
)
def test_garbage_is_refused_and_never_raises(text: str) -> None:
    """Whatever the network sends is data."""
    assert token.verify(BOTH, text) is None
    assert jwt_token.verify(BOTH, text) is None


@given(st.integers(0, TOKEN_LENGTH - 1), st.characters(exclude_categories=()))
def test_a_damaged_token_is_refused_and_never_raises(place: int, other: str) -> None:
    """Also one that is right but for a character of any script."""
    text = token.sign(BOTH, *fresh())
    damaged = text[:place] + other + text[place + 1 :]
    assert (token.verify(BOTH, damaged) is None) is (damaged != text)


def test_only_what_has_its_form_is_taken_for_a_handle() -> None:
    """What an operator or a form sends is looked at before the store is asked."""
    assert looks_like_handle(new_handle(None))
    for text in ("", "x", "A" * 21, "A" * 23, "A" * 21 + "é", "A" * 21 + ".", "A" * 21 + " ", "{" + "A" * 20 + "}"):
        assert not looks_like_handle(text)
