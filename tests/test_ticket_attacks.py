"""Forged, altered and oddly spelt tickets: each is refused, spends nothing, and is told to nobody.

The attacks are those of jwt_tool, of PortSwigger's laboratories and of the CVEs of JWT libraries; in front of
each stands the one that it is named after.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck import jwt_token, token
from coatcheck.errors import TicketError, TicketInvalid
from coatcheck.keyring import Keyring
from tests.desk import SECRET, Desk
from tests.forge import Part, contents, part, signed

PUBLIC_KEY = b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"
OWN_KEY = b"the-attacker's-own-key-of-32-bytes"


class Genuine:
    """A whole ticket, and what can be made of it, with our key or without."""

    def __init__(self, desk: Desk) -> None:
        self.text = desk.issue(desk.session(user="7"))
        self.head, self.body, self.signature = self.text.split(".")
        self.header, self.claims = contents(self.text)
        self.key = desk.key

    def claiming(self, **claims: Any) -> str:
        """Other claims under the old signature."""
        return f"{self.head}.{part({**self.claims, **claims})}.{self.signature}"

    def headed(self, key: bytes = OWN_KEY, **header: Any) -> str:
        """Another header, signed with a key that is not ours."""
        return signed({**self.header, **header}, self.claims, key)

    def sealed(self, header: Part | None = None, claims: Part | None = None, **changes: Any) -> str:
        """Signed with our own key, as somebody could who has it, or a bug: other claims or parts."""
        body = {**self.claims, **changes} if claims is None else claims
        return signed(self.header if header is None else header, body, self.key)

    def without(self, name: str) -> str:
        """Signed with our own key, one claim missing."""
        return self.sealed(claims={key: value for key, value in self.claims.items() if key != name})


Attack = Callable[[Genuine], str]


def each(label: str, values: Iterable[Any], attack: Callable[[Any, Genuine], str]) -> dict[str, Attack]:
    """One attack with each of several values, by names short enough to read."""
    return {f"{label} {value!r}"[:50]: partial(attack, value) for value in values}


def saying(name: str, value: Any, genuine: Genuine) -> str:
    """One claim of another value, under our own key."""
    return genuine.sealed(**{name: value})


WITHOUT_OUR_KEY: dict[str, Attack] = {
    "CVE-2020-28042 signature stripped": lambda g: f"{g.head}.{g.body}.",
    "signature and its dot stripped": lambda g: f"{g.head}.{g.body}",
    "null signature": lambda g: f"{g.head}.{g.body}.{part(bytes(32))}",
    "signature cut": lambda g: g.text[:-2],
    "signature grown": lambda g: f"{g.text}AA",
    "signature of another key": lambda g: f"{g.head}.{g.body}.{signed(g.header, g.claims, OWN_KEY).split('.')[2]}",
    **each(
        "CVE-2015-2951 alg",
        ["none", "None", "NONE", "nOnE"],
        lambda alg, g: f"{part({**g.header, 'alg': alg})}.{g.body}.",
    ),
    "alg none, our signature": lambda g: f"{part({**g.header, 'alg': 'none'})}.{g.body}.{g.signature}",
    "CVE-2016-10555 a public key as the secret": lambda g: g.headed(PUBLIC_KEY),
    "CVE-2016-10555 alg RS256": lambda g: g.headed(PUBLIC_KEY, alg="RS256"),
    "CVE-2022-21449 zeros as ES256": lambda g: f"{part({**g.header, 'alg': 'ES256'})}.{g.body}.{part(bytes(64))}",
    "CVE-2018-0114 embedded key": lambda g: g.headed(jwk={"kty": "oct", "k": part(OWN_KEY)}),
    "jku": lambda g: g.headed(jku="http://127.0.0.1:9/jwks.json"),
    "x5u": lambda g: g.headed(x5u="http://127.0.0.1:9/cert.pem"),
    "x5c": lambda g: g.headed(x5c=["MIIB"]),
    "CVE-2019-20933 blank key": lambda g: g.headed(b""),
    **each("weak key", [b"secret", b"changeme", bytes(32), SECRET.encode()], lambda key, g: g.headed(key)),
    **each(
        "kid",
        ["", "../../../dev/null", "x' UNION SELECT 'key';--", "|sleep 9", "0", "__class__", "k" * 1_000_000],
        lambda kid, g: g.headed(b"", kid=kid),
    ),
    **each("kid", [None, True, 0, ["x"], {"x": "y"}], lambda kid, g: g.headed(b"", kid=kid)),
    "kid missing": lambda g: signed({"alg": "HS256", "typ": "ticket+jwt"}, g.claims, OWN_KEY),
    "CVE-2026-32597 crit": lambda g: g.headed(crit=["x"], x=True),
    "another session": lambda g: g.claiming(sid=token.new_handle("8")),
    "another user": lambda g: g.claiming(sub="8"),
    "another file": lambda g: g.claiming(data={"file": "/etc/passwd"}),
    "another name": lambda g: g.claiming(jti="A" * 22),
    "longer life": lambda g: g.claiming(exp=g.claims["exp"] + 60),
    "anybody's": lambda g: g.claiming(bearer=True),
    "expired and altered": lambda g: g.claiming(exp=1),
}

WRONG: dict[str, list[Any]] = {
    "iss": [None, True, 7, "", "coatcheck", ["desk"], {"desk": 1}],
    "aud": [None, True, 7, "", ["download"], [["download"]], {"download": 1}, "down load"],
    "jti": [None, True, 7, "", "A" * 21, "A" * 23, "A" * 21 + "/", ["A"] * 22],
    "iat": [None, True, False, "1000000", 1_000_000.0, 1e300, -1, 2**70, 10**100, [1_000_000], 1_000_120],
    "exp": [None, True, False, "1000120", 1_000_120.5, 1e300, -1, 0, 2**70, 10**100, [1_000_120], 1_003_602],
    "sid": [None, True, 7, "", "A" * 21, "é" * 22, "A" * 21 + "/", ["A"] * 22, {"A": 1}],
    "sub": [None, True, 7, "", "x" * 256, ["7"], {"7": 7}],
    "data": [None, True, 7, "", "{}", [], [["file", "a.pdf"]]],
    "bearer": [None, False, 0, 1, "true", [], [True]],
    "nbf": [0, 1_000_000, 9_999_999],
    "unknown": [1],
}
"""Values that no claim of ours has."""

ODDITIES: dict[str, Attack] = {
    "duplicate claim": lambda g: g.sealed(claims=json.dumps(g.claims)[:-1].encode() + b',"sub":"8"}'),
    "duplicate alg": lambda g: g.sealed(json.dumps(g.header)[:-1].encode() + b',"alg":"HS256"}'),
    "duplicate in the caller's data": lambda g: g.sealed(
        claims=json.dumps(g.claims).encode().replace(b'"a.pdf"', b'"a.pdf","file":"b.pdf"')
    ),
    "UTF-16": lambda g: g.sealed(claims=json.dumps(g.claims).encode("utf-16")),
    "byte order mark": lambda g: g.sealed(claims=b"\xef\xbb\xbf" + json.dumps(g.claims).encode()),
    **each(
        "typ",
        [None, "", "JWT", "session+jwt", "dbsc+jwt", "at+jwt", "TICKET+JWT", ["ticket+jwt"]],
        lambda typ, g: g.sealed({**g.header, "typ": typ}),
    ),
    "typ missing": lambda g: g.sealed({key: value for key, value in g.header.items() if key != "typ"}),
    "kid missing, our key": lambda g: g.sealed({"alg": "HS256", "typ": "ticket+jwt"}),
    **each(
        "alg",
        ["none", "hs256", "HS384", "HS512", "RS256", None, ["HS256"]],
        lambda alg, g: g.sealed({**g.header, "alg": alg}),
    ),
    **each(
        "really alg",
        ["HS384", "HS512"],
        lambda alg, g: signed({**g.header, "alg": alg}, g.claims, g.key, f"sha{alg[2:]}"),
    ),
    **each("crit", [[], ["b64"], ["x"]], lambda crit, g: g.sealed({**g.header, "crit": crit})),
    "CVE-2026-48525 b64 false": lambda g: g.sealed({**g.header, "b64": False, "crit": ["b64"]}),
    "zip": lambda g: g.sealed({**g.header, "zip": "DEF"}),
    "padding": lambda g: f"{g.text}=",
    "padded parts": lambda g: g.sealed(part(g.header) + "==", part(g.claims) + "="),
    "second spelling": lambda g: g.text[:-1] + chr(ord(g.text[-1]) + 1),
    "space before": lambda g: f" {g.text}",
    "line break after": lambda g: f"{g.text}\n",
    "Bearer": lambda g: f"Bearer {g.text}",
    "JSON serialisation": lambda g: json.dumps({"protected": g.head, "payload": g.body, "signature": g.signature}),
    "five parts": lambda g: f"{g.head}..{g.body}.{g.signature}.AAAA",
    "twice": lambda g: f"{g.text}.{g.text}",
    "an array": lambda g: g.sealed(claims=b"[]"),
    "null": lambda g: g.sealed(claims=b"null"),
    **each(
        "exp written",
        ["NaN", "Infinity", "1e400", "1000120.0", "1.00012e6", "9" * 1000],
        lambda number, g: g.sealed(
            claims=json.dumps({**g.claims, "exp": "?"}).encode().replace(b'"?"', number.encode())
        ),
    ),
    "5000 levels": lambda g: g.sealed(claims=b'{"data":' + b"[" * 5000),
    "700 levels": lambda g: g.sealed(claims=b'{"data":' + b"[" * 700 + b"]" * 700 + b"}"),
    "longer than a ticket": lambda g: g.sealed(data={"x": "a" * 3000}),
    "a million characters": lambda g: g.sealed(data={"x": "a" * 1_000_000}),
    "lone surrogate": lambda g: g.sealed(sub="\ud800"),
    "all life long": lambda g: g.sealed(exp=g.claims["iat"] + 10**8),
    "part of the issuer": lambda g: g.sealed(iss=g.claims["iss"][:-1]),
    "more than the issuer": lambda g: g.sealed(iss=g.claims["iss"] + "-2"),
    **each("without", ["iss", "aud", "jti", "iat", "exp", "sid", "data"], lambda name, g: g.without(name)),
    **{
        label: attack
        for name, values in WRONG.items()
        for label, attack in each(f"{name} as", values, partial(saying, name)).items()
    },
}
"""Each has a good signature under our own key, where it has one, and is still not what we issue."""


@pytest.mark.parametrize("attack", [*WITHOUT_OUR_KEY.values(), *ODDITIES.values()], ids=[*WITHOUT_OUR_KEY, *ODDITIES])
def test_an_attack_is_refused_and_spends_nothing(attack: Attack, caplog: pytest.LogCaptureFixture) -> None:
    """`TicketInvalid`, before the store is asked; the genuine ticket stays whole; nothing of the token is told."""
    caplog.set_level(logging.DEBUG)
    desk = Desk()
    genuine = Genuine(desk)
    forged = attack(genuine)
    assert forged != genuine.text
    with pytest.raises(TicketInvalid):
        desk.peek(forged)
    with pytest.raises(TicketInvalid) as caught:
        # Not driven: the plan ends before it asks the store for anything.
        next(desk.manager.ticket_engine.redeem(forged, "download", None, "", None))
    assert caught.value.jti is None
    refusals = desk.told("ticket_refused")
    assert [(one.handle, one.user_id, one.detail) for one in refusals] == [(None, None, {})] * 2
    told = f"{caught.value!r} {vars(caught.value)} {caplog.text} {refusals}"
    assert "passwd" not in told
    assert all(piece not in told for piece in forged.split(".") if len(piece) > 20)
    assert desk.manager.stats().tickets == 0
    assert desk.redeem(genuine.text).claims == {"file": "a.pdf"}


@pytest.mark.parametrize("thing", [None, 7, b"", b"a.b.c", [], {}, pytest.param(object(), id="object")], ids=repr)
def test_what_is_not_text_is_not_a_ticket(thing: Any) -> None:
    """A form's missing field is None: a refusal, not a TypeError."""
    with pytest.raises(TicketInvalid):
        Desk().redeem(thing)


def test_the_media_type_prefix_is_the_same_type() -> None:
    """RFC 7515, section 4.1.9; and still the same ticket, since replay is keyed by the jti."""
    desk = Desk()
    genuine = Genuine(desk)
    same = genuine.sealed({**genuine.header, "typ": "application/ticket+jwt"})
    assert desk.redeem(same).jti == genuine.claims["jti"]
    with pytest.raises(TicketError, match="used before"):
        desk.redeem(genuine.text)


@pytest.mark.parametrize("purpose", ["upload", "Download", "downloa", "downloads", "download ", "", "*", None])
def test_a_ticket_for_another_purpose_is_refused_whole(purpose: Any) -> None:
    """CVE-2024-53861: compared as a whole, neither as a part nor by pattern; the signature being good, jti is told."""
    desk = Desk()
    jwt = desk.issue(desk.session())
    with pytest.raises(TicketInvalid) as caught:
        desk.redeem(jwt, purpose)
    assert caught.value.jti == contents(jwt)[1]["jti"]
    assert desk.redeem(jwt).purpose == "download"


def test_a_session_is_not_a_ticket() -> None:
    """RFC 8725, section 3.12: the kinds of token exclude each other, by key, by type and by claims."""
    desk = Desk(token_format="jwt")
    session = desk.session()
    ring = Keyring(SECRET, namespace=desk.namespace)
    assert session.handle is not None
    reference = jwt_token.sign(ring, session.handle, token.new_secret(0))
    header, claims = contents(reference)
    genuine = Genuine(desk)
    for text in (
        reference,
        token.sign(ring, session.handle, token.new_secret(0)),
        signed(header, claims, desk.key),
        genuine.sealed(claims=claims),
        genuine.sealed(header),
        signed(genuine.header, genuine.claims, ring.keys("session+jwt")[0]),
    ):
        with pytest.raises(TicketInvalid):
            desk.redeem(text)
    for text in (genuine.text, genuine.sealed(header), signed(header, genuine.claims, ring.keys("session+jwt")[0])):
        assert desk.manager.engine.verify(text) is None


@pytest.mark.parametrize(
    ("issued", "expires"),
    [(False, 60), (0, True), (-1, 30), (2**70, 2**70 + 60), (253_402_300_790, 253_402_300_810)],
)
def test_times_at_the_edges_of_time_are_refused(issued: int, expires: int) -> None:
    """True is the number 1 near the epoch, and a datetime ends with the year 9999: neither passes nor raises."""
    desk = Desk()
    desk.now = 1.0
    genuine = Genuine(desk)
    assert desk.peek(genuine.sealed(iat=0, exp=30)).jti == genuine.claims["jti"]
    with pytest.raises(TicketInvalid) as caught:
        desk.redeem(genuine.sealed(iat=issued, exp=expires))
    assert caught.value.jti is None


# -- anything at all -----------------------------------------------------------------------------------------

DESK = Desk()
GENUINE = Genuine(DESK)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from([*GENUINE.claims, "bearer", "nbf", "x"])


def refused(jwt: str) -> bool:
    """Whether a token is refused as it should be; any other exception fails the test."""
    try:
        DESK.peek(jwt)
    except TicketError:
        return True
    return False


@given(st.text() | st.text("AZaz09-_.", max_size=400))
def test_no_text_raises_anything_else(text: str) -> None:
    """Only a `TicketError` leaves."""
    assert refused(text)


@given(st.dictionaries(names, anything))
def test_no_signed_claims_raise_anything_else(changes: dict[str, Any]) -> None:
    """Also for a holder of our key; and what passes is a ticket of the types that it promises."""
    try:
        ticket = DESK.peek(GENUINE.sealed(**changes))
    except TicketError:
        return
    assert isinstance(ticket.claims, dict)
    assert ticket.user_id is None or isinstance(ticket.user_id, str)
    assert ticket.session_handle == GENUINE.claims["sid"]


@given(st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "jwk", "b64"]), anything, min_size=1))
def test_no_signed_header_raises_anything_else(changes: dict[str, Any]) -> None:
    """A header is ours or it is refused."""
    assert refused(GENUINE.sealed({**GENUINE.header, **changes})) or changes.items() <= GENUINE.header.items()


@given(st.integers(0, len(GENUINE.text) - 1), st.characters(), st.sampled_from(["replace", "insert", "delete"]))
def test_a_changed_character_is_refused(place: int, char: str, how: str) -> None:
    """A ticket has one spelling, and its signature covers all of it."""
    tail = place if how == "insert" else place + 1
    changed = GENUINE.text[:place] + ("" if how == "delete" else char) + GENUINE.text[tail:]
    assert changed == GENUINE.text or refused(changed)
