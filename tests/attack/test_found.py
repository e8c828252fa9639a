"""What the attack has found, in its smallest form: each was once an error that nothing documents, or worse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coatcheck import codec
from coatcheck.csrf import TokenScanner
from coatcheck.record import load_record
from tests.attack.records import ABOUT, MANAGER, RECORD, SHOWN, STORE, TEXT, check_row


def damaged(place: int, value: Any) -> str:
    """The row of a session with one value replaced."""
    return f"{json.dumps([*ABOUT[:place], value, *ABOUT[place + 1 :]])}\n{TEXT}"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 100_000, id="nested, a RecursionError"),
        pytest.param(damaged(1, 10**400), id="a time beyond all numbers, an OverflowError"),
        pytest.param(damaged(5, float("nan")), id="a deadline that is no number, and never comes"),
        pytest.param(damaged(5, 0).replace(" 0,", " 1e400,", 1), id="a deadline that is infinite"),
        pytest.param(damaged(7, []), id="no secret, an IndexError at every load"),
        pytest.param(damaged(0, True), id="a user that is no text"),
    ],
)
def test_a_damaged_row_is_refused_as_one(text: str) -> None:
    """ValueError, which each store tells as `StoreUnavailable`: 503 and the cookie kept, not 500."""
    with pytest.raises(ValueError, match="not a record"):
        load_record(RECORD.handle, text)
    assert check_row(("sqlite", text)) == check_row(("redis", text)) == "StoreUnavailable"


@pytest.mark.parametrize("secrets", [[["x", "y", 1]], [[0, None, 1]], [[0, "\xe9", 1]]], ids=str)
def test_a_row_with_odd_secrets_is_a_fault_that_is_told(secrets: Any) -> None:
    """The hash and the step are compared: what cannot be compared is damage, not a TypeError."""
    assert check_row(("sqlite", damaged(7, secrets))) == "StoreUnavailable"


@pytest.mark.parametrize("levels", [400, 900])
def test_fields_that_are_nested_too_deep_are_a_value_error(levels: int) -> None:
    """Deeper than anything that is ever stored, and less deep than what the parser itself refuses."""
    with pytest.raises(ValueError, match="not the fields"):
        codec.loads(
            '{"f":' + "[" * levels + '{"$b":""}' + "]" * levels + "," + '"g":' + '{"$t":[' * 400 + "]}" * 400 + "}"
        )


def test_a_boundary_that_only_looks_like_ascii_is_none() -> None:
    """Ignoring case, a dotted I and the sign for kelvin are among the letters a to z."""
    for letter in ("\u0130", "\u0131", "\u017f", "\u212a"):
        assert TokenScanner(f"multipart/form-data; boundary={letter}").done


def test_the_genuine_row_still_opens() -> None:
    """The other tests here would pass if nothing did."""
    STORE.read = lambda handle: RECORD
    assert MANAGER.load(SHOWN).user_id == "ada"
