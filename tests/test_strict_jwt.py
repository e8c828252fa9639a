"""The strict parser takes our own form of a JWT and nothing else, whatever stands in it."""

from __future__ import annotations

import json
import sys
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.strict_jwt import MAX_DEPTH, Parsed, parse, plain
from tests.forge import data_of, part, signed

TYPE = "ticket+jwt"
HEADER = {"alg": "HS256", "typ": TYPE, "kid": "one"}
CLAIMS = {"sub": "7", "data": {"file": "a.pdf"}}
KEY = b"k" * 32
OURS = signed(HEADER, CLAIMS, KEY)
HEAD, BODY, SIGNATURE = OURS.split(".")


def read(token: object, alg: str | frozenset[str] = "HS256", max_length: int = 4096) -> Parsed | None:
    """As a caller reads it who expects a ticket."""
    return parse(token, TYPE, alg, max_length)


def with_header(header: dict[str, Any] | bytes) -> str:
    """Our token under another header."""
    return signed(header, CLAIMS, KEY)


def with_claims(claims: bytes | str) -> str:
    """Our token with other claims, given as their very text."""
    return signed(HEADER, claims.encode() if isinstance(claims, str) else claims, KEY)


def test_our_own_form_is_read() -> None:
    """Header and claims come back as they were signed."""
    assert read(OURS) == (HEADER, CLAIMS)


def test_kid_may_be_missing_and_typ_may_have_its_media_type_prefix() -> None:
    """RFC 7515, section 4.1.9: `application/ticket+jwt` and `ticket+jwt` are one type."""
    assert read(with_header({"alg": "HS256", "typ": f"application/{TYPE}"})) is not None


def test_one_of_several_algorithms_may_be_allowed() -> None:
    """A caller with several keys names the set, and each is compared as a whole."""
    both = frozenset({"HS256", "ES256"})
    assert read(with_header({"alg": "ES256", "typ": TYPE}), alg=both) is not None
    assert read(with_header({"alg": "HS384", "typ": TYPE}), alg=both) is None


FORMS: dict[str, object] = {
    "empty": "",
    "none": None,
    "bytes": OURS.encode(),
    "number": 7,
    "no dots": "A" * 40,
    "only dots": "..",
    "two parts": f"{HEAD}.{BODY}",
    "signature stripped": f"{HEAD}.{BODY}.",
    "no header": f".{BODY}.{SIGNATURE}",
    "no claims": f"{HEAD}..{SIGNATURE}",
    "four parts": f"{OURS}.AAAA",
    "five parts, as a JWE": f"{HEAD}.AAAA.AAAA.{BODY}.{SIGNATURE}",
    "JSON serialisation": json.dumps({"protected": HEAD, "payload": BODY, "signature": SIGNATURE}),
    "space before": f" {OURS}",
    "line break after": f"{OURS}\n",
    "line break inside": f"{HEAD}.\n{BODY}.{SIGNATURE}",
    "padding after the signature": f"{OURS}=",
    "padding inside": f"{part(HEADER)}=.{BODY}.{SIGNATURE}",
    "standard alphabet": f"{HEAD}.{BODY}.+/{SIGNATURE[2:]}",
    "question mark": f"{OURS}?",
    "percent": f"{HEAD}%2e{BODY}.{SIGNATURE}",
    "not ASCII": f"{HEAD}.{BODY}.{SIGNATURE[:-1]}é",
    "digits of another script": f"{HEAD}.{BODY}.{SIGNATURE[:-1]}٣",
    "NUL": f"{HEAD}.{BODY}.{SIGNATURE}\0",
    "lone surrogate": f"{HEAD}.{BODY}.\ud800",
    "impossible length": f"{HEAD}.{BODY}.AAAAA",
}


@pytest.mark.parametrize("token", FORMS.values(), ids=FORMS)
def test_another_form_is_refused(token: object) -> None:
    """RFC 8725bis, section 3.14: exactly three parts, of the characters of base64url and no other."""
    assert read(token) is None


@pytest.mark.parametrize("spare", [1, 2, 3, 4])
def test_a_second_spelling_of_the_same_bytes_is_refused(spare: int) -> None:
    """The last character of a part has bits that nothing reads; a token has one spelling all the same."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    claims = json.dumps({"a": "x" * spare}).encode()
    token = with_claims(claims)
    refused = 0
    for n, text in enumerate(token.split(".")):
        for last in alphabet:
            parts = token.split(".")
            parts[n] = text[:-1] + last
            if parts[n] != text and data_of(parts[n]) == data_of(text):
                assert read(".".join(parts)) is None
                refused += 1
    assert refused > 0


HEADERS: dict[str, dict[str, Any] | bytes] = {
    **{f"alg {alg!r}": {"alg": alg, "typ": TYPE} for alg in ("none", "None", "NONE", "nOnE", "", "hs256", "HS25")},
    **{f"alg {alg}": {"alg": alg, "typ": TYPE} for alg in ("HS384", "HS512", "RS256", "ES256", "EdDSA")},
    **{f"alg as {alg!r}": {"alg": alg, "typ": TYPE} for alg in (None, True, 256, ["HS256"], {"HS256": 1})},
    "alg missing": {"typ": TYPE},
    "typ missing": {"alg": "HS256"},
    **{
        f"typ {typ!r}": {"alg": "HS256", "typ": typ}
        for typ in ("JWT", "", "Ticket+JWT", "session+jwt", "application/jwt", f"{TYPE} ", f"text/{TYPE}")
    },
    **{f"typ as {typ!r}": {"alg": "HS256", "typ": typ} for typ in (None, True, 0, [TYPE], {TYPE: TYPE})},
    **{f"kid as {kid!r}": {**HEADER, "kid": kid} for kid in (None, True, 0, "", ["one"], {"one": 1})},
    "kid very long": {**HEADER, "kid": "k" * 300},
    **{f"crit {names!r}": {**HEADER, "crit": names} for names in ([], ["b64"], ["x"], "b64", None)},
    "b64 false": {**HEADER, "b64": False, "crit": ["b64"]},
    "b64 true": {**HEADER, "b64": True},
    "embedded key": {**HEADER, "jwk": {"kty": "oct", "k": "AAAA"}},
    **{name: {**HEADER, name: "https://evil.example/keys"} for name in ("jku", "x5u", "x5c", "x5t", "url")},
    **{name: {**HEADER, name: "DEF"} for name in ("zip", "enc", "cty", "nonce", "Alg", "unknown")},
    "duplicate alg": b'{"alg":"none","typ":"ticket+jwt","alg":"HS256"}',
    "duplicate alg, one escaped": b'{"\\u0061lg":"none","typ":"ticket+jwt","alg":"HS256"}',
    "an array": b'[["alg","HS256"],["typ","ticket+jwt"]]',
    "text": b'"HS256"',
    "null": b"null",
    "not JSON": b"{alg:HS256}",
    "empty object": b"{}",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_another_header_is_refused(header: dict[str, Any] | bytes) -> None:
    """RFC 8725, section 3.1: the caller fixes algorithm and type; no header names a key or an extension."""
    assert read(with_header(header)) is None


BODIES: dict[str, bytes | str] = {
    "duplicate claim": '{"sub":"7","sub":"8"}',
    "duplicate claim, equal": '{"sub":"7","sub":"7"}',
    "duplicate claim, one escaped": '{"sub":"7","\\u0073ub":"8"}',
    "duplicate below": '{"data":[{"a":{"b":1,"b":2}}]}',
    "UTF-16": json.dumps(CLAIMS).encode("utf-16"),
    "UTF-16 without a mark": json.dumps(CLAIMS).encode("utf-16-le"),
    "UTF-32": json.dumps(CLAIMS).encode("utf-32"),
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(CLAIMS).encode(),
    "Latin-1": '{"sub":"é"}'.encode("latin-1"),
    "overlong UTF-8": b'{"sub":"\xc0\xaf"}',
    "surrogate in UTF-8": b'{"sub":"\xed\xa0\x80"}',
    "surrogate by escape": '{"sub":"\\ud800"}',
    "surrogate in a name": '{"\\uDFFF":1}',
    **{f"{name}": f'{{"exp":{name}}}' for name in ("NaN", "Infinity", "-Infinity", "1e400", "-1e999")},
    **{f"number {text}": f'{{"exp":{text}}}' for text in ("01", "+1", "1.", ".5", "0x1", "1_0", "٣")},
    **{f"top {text}": text for text in ("null", "true", "1", '"x"', "[]", '[{"sub":"7"}]', "")},
    "control character": '{"sub":"\n"}',
    "two objects": '{"sub":"7"}{"sub":"8"}',
    "trailing comma": '{"sub":"7",}',
    "comment": '{"sub":"7"/**/}',
    "single quotes": "{'sub':'7'}",
    "deep arrays": '{"a":' + "[" * 1000 + "]" * 1000 + "}",
    "deep objects": '{"a":' * 400 + "1" + "}" * 400,
    "deep and never closed": "[" * 2900,
    "a string never closed": '[{"' + '\\"' * 1000,
    "a backslash at the end": "[" * 20 + '"\\',
}


@pytest.mark.parametrize("claims", BODIES.values(), ids=BODIES)
def test_other_claims_are_refused(claims: bytes | str) -> None:
    """RFC 7519, section 4: duplicate names; RFC 8725, section 3.7: UTF-8 only; and no number beyond JSON's."""
    assert read(with_claims(claims)) is None


def nested(levels: int) -> str:
    """Claims of so many levels, themselves being the first."""
    return '{"a":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


def test_depth_is_bounded_exactly() -> None:
    """So many levels and not one more, however wide they are."""
    assert read(with_claims(nested(MAX_DEPTH))) is not None
    assert read(with_claims(nested(MAX_DEPTH + 1))) is None
    assert read(with_claims('{"a":[' + ",".join(["[[],{}]"] * 100) + "]}")) is not None


def test_brackets_in_text_are_not_depth() -> None:
    """Only structure counts, also behind an escaped quote or backslash."""
    text = '\\"[[' * 20 + "\\" + "{" * 50
    token = with_claims(json.dumps({"a": text, "b[": text + "\\"}))
    parsed = read(token)
    assert parsed is not None
    assert parsed.claims["a"] == text


def test_quotes_do_not_hide_depth() -> None:
    """Text that ends before the brackets begin, in each way that JSON can end it."""
    for text in ("", '\\"', "\\\\", "\\\\\\\\", "\\u0022"):
        body = f'{{"{text}":' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}"
        assert read(with_claims(body)) is None


@pytest.mark.parametrize("unit", ["[", '{"a":', '["', '\\"', '"\\', '[{"a":"', "9", '"'])
def test_a_million_characters_are_refused_without_recursion(unit: str) -> None:
    """Even where a caller allows such a length, no RecursionError leaves and no step is quadratic."""
    body = '{"a":' + "[" * (MAX_DEPTH + 1) + unit * (1_000_000 // len(unit))
    assert read(with_claims(body), max_length=10_000_000) is None


def test_the_depth_of_the_caller_does_not_matter() -> None:
    """The bound is ours, not what Python's stack happens to have left."""

    def below(frames: int) -> Parsed | None:
        return read(with_claims(nested(MAX_DEPTH))) if frames == 0 else below(frames - 1)

    frames, frame = 0, sys._getframe()
    while frame.f_back:
        frames, frame = frames + 1, frame.f_back
    assert below(sys.getrecursionlimit() - frames - 200) is not None


def test_length_is_bounded() -> None:
    """A token is read up to the caller's length and not beyond it."""
    assert read(OURS, max_length=len(OURS)) is not None
    assert read(OURS, max_length=len(OURS) - 1) is None
    assert read("A" * 1_000_000) is None


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_what_plain_lets_through_is_read_back_equal(claims: dict[str, Any]) -> None:
    """Issuing never makes a token that redeeming would refuse."""
    try:
        data = plain(claims, "claims")
    except ValueError as error:
        assert "nested too deep" in str(error)  # noqa: PT017 (the one reason that such values have)
        return
    parsed = read(signed(HEADER, {"data": data}, KEY), max_length=10_000_000)
    assert parsed is not None
    assert repr(parsed.claims) == repr({"data": claims})


@given(st.text() | st.text("AZaz09-_.=", max_size=60) | st.binary())
def test_nothing_raises(token: str | bytes) -> None:
    """Anything the network sends is data."""
    assert read(token) is None


@given(st.sampled_from([HEAD, part({"alg": "HS256", "typ": TYPE})]), st.binary(max_size=80))
def test_no_claims_raise(head: str, claims: bytes) -> None:
    """Whatever bytes stand in the claims, the answer is a dict or None."""
    parsed = read(signed(head, claims, KEY))
    assert parsed is None or isinstance(parsed.claims, dict)


json_texts = st.recursive(
    st.sampled_from(['"a"', '"\\u0061"', "1", "1e2", "1e400", "NaN", "-0", "true", "null", '"\\ud800"', "1.0"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(st.sampled_from(['"a"', '"b"', '"\\u0061"']), inner), max_size=3).map(
            lambda pairs: "{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}"
        )
    ),
    max_leaves=12,
)


@given(json_texts)
def test_what_is_accepted_means_the_same_to_pyjwt(text: str) -> None:
    """No text that we accept is understood differently by the library that verifies it."""
    token = with_claims(text)
    parsed = read(token)
    if parsed is not None:
        theirs = jwt.PyJWS(algorithms=["HS256"]).decode_complete(token, KEY, ["HS256"])
        assert repr(json.loads(theirs["payload"])) == repr(parsed.claims)
        assert theirs["header"] == parsed.header


@given(st.integers(0, len(OURS) - 1), st.characters(codec="utf-8"), st.sampled_from(["replace", "insert", "delete"]))
def test_a_changed_character_never_keeps_the_meaning(place: int, char: str, how: str) -> None:
    """Another text is refused, or says other bytes, which the signature then covers."""
    tail = place if how == "insert" else place + 1
    changed = OURS[:place] + ("" if how == "delete" else char) + OURS[tail:]
    parsed = read(changed)
    if parsed is not None and changed != OURS:
        assert list(map(data_of, changed.split("."))) != list(map(data_of, OURS.split(".")))


def test_plain_and_parse_agree_on_depth() -> None:
    """The deepest claims that can be issued are the deepest that can be redeemed, one level inside the token's."""
    deepest = json.loads(nested(MAX_DEPTH - 1))
    parsed = read(signed(HEADER, {"data": plain(deepest, "claims")}, KEY))
    assert parsed is not None
    assert parsed.claims == {"data": deepest}
    with pytest.raises(ValueError, match="nested too deep"):
        plain(json.loads(nested(MAX_DEPTH)), "claims")


class Level(IntEnum):
    HIGH = 3


def test_plain_copies_subclasses_as_their_base() -> None:
    """What comes back from a token is what `plain` showed."""
    given_value = OrderedDict(level=Level.HIGH, items=[True, None, 1.5, "é"])
    copied = plain(given_value, "claims")
    assert copied == {"level": 3, "items": [True, None, 1.5, "é"]}
    assert (type(copied), type(copied["level"])) == (dict, int)
    assert copied["items"] is not given_value["items"]


def itself() -> dict[str, Any]:
    """A dict that contains itself."""
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    return loop


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "datetime": (lambda: {"at": [datetime.now(UTC)]}, TypeError, "claims.at[0] is of type datetime"),
    "bytes": (lambda: {"a": {"b": b"x"}}, TypeError, "claims.a.b is of type bytes"),
    "tuple": (lambda: {"a": (1, 2)}, TypeError, "claims.a is of type tuple"),
    "set": (lambda: {"a": {1}}, TypeError, "claims.a is of type set"),
    "object": (lambda: {"a": object()}, TypeError, "claims.a is of type object"),
    "NaN": (lambda: {"a": [0.0, float("nan")]}, ValueError, "claims.a[1] is nan"),
    "infinity": (lambda: {"a": float("inf")}, ValueError, "claims.a is inf"),
    "number as a key": (lambda: {"a": {1: 2}}, TypeError, "claims.a has a key of type int"),
    "surrogate": (lambda: {"a": "\ud800"}, ValueError, "claims.a has lone surrogates"),
    "surrogate in a key": (lambda: {"\ud800": 1}, ValueError, "a key of claims has lone surrogates"),
    "huge integer": (lambda: {"a": -(10**700)}, ValueError, "claims.a is an integer of more than 600 digits"),
    "loop": (itself, ValueError, "nested too deep, or contains itself"),
}


@pytest.mark.parametrize(("value", "error", "text"), REFUSED.values(), ids=REFUSED)
def test_plain_names_what_json_cannot_hold(value: Callable[[], Any], error: type[Exception], text: str) -> None:
    """The error names the place, so that the mistake is found."""
    with pytest.raises(error) as caught:
        plain(value(), "claims")
    assert text in str(caught.value)
