"""The published lists of attacks on JWTs, item by item: where each is tried against a ticket, and those not yet tried.

jwt_tool 2.2.7, PortSwigger's eight laboratories, and the CVEs of PyJWT, joserfc, Authlib, python-jose and Starlette.
"""

from __future__ import annotations

import ast
import json
import socket
import zlib
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

from coatcheck.errors import TicketInvalid
from tests.attack.requests import Fetch, Ranges
from tests.desk import Desk
from tests.forge import part, signed
from tests.test_ticket_attacks import (
    ODDITIES,
    WITHOUT_OUR_KEY,
    Attack,
    Genuine,
    each,
)
from tests.test_ticket_attacks import test_an_attack_is_refused_and_spends_nothing as refused_whole

ROOT = Path(__file__).parents[2]

RSA = b"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7on"
PUBLIC_KEYS = {
    "SubjectPublicKeyInfo": b"-----BEGIN PUBLIC KEY-----\n" + RSA + b"\n-----END PUBLIC KEY-----",
    "PKCS 1": b"-----BEGIN RSA PUBLIC KEY-----\n" + RSA + b"\n-----END RSA PUBLIC KEY-----\n",
    "certificate": b"-----BEGIN CERTIFICATE-----\n" + RSA + b"\n-----END CERTIFICATE-----\n",
    "OpenSSH rsa": b"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ== me@host",
    "OpenSSH ed25519": b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPL1I9oiq+B8crkmuV4YViiUnhdLjCp3hvy1bNGuGfNL",
    "OpenSSH ecdsa": b"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY=",
}
BOMB = zlib.compress(b" " * 5_000_000)

MORE: dict[str, Attack] = {
    "JWE with a billion rounds": lambda g: (
        f"{part({'alg': 'PBES2-HS256+A128KW', 'enc': 'A128GCM', 'p2c': 10**9, 'p2s': 'AA'})}.AA.AA.AA.AA"
    ),
    "JWE that inflates": lambda g: f"{part({'alg': 'dir', 'enc': 'A128GCM', 'zip': 'DEF'})}..AA.{part(BOMB)}.AA",
    "rounds in a header of ours": lambda g: g.sealed({**g.header, "p2c": 10**9}),
    "inflating claims under our key": lambda g: g.sealed({**g.header, "zip": "DEF"}, BOMB[:2000]),
    "a million parts": lambda g: g.text + "." * 1_000_000,
    "no parts": lambda g: "." * 1_000,
    "flattened JSON": lambda g: json.dumps(
        {"payload": g.body, "signatures": [{"protected": g.head, "signature": g.signature}]}
    ),
    "compact in JSON": lambda g: json.dumps(g.text),
    "jku in our header, under our key": lambda g: g.sealed({**g.header, "jku": "http://127.0.0.1:9/"}),
    "jwk in our header, under our key": lambda g: g.sealed({**g.header, "jwk": {"kty": "oct", "k": "AA"}}),
    **each("header", ["alg", "typ", "kid"], lambda name, g: g.sealed({**g.header, name: {"x": g.header[name]}})),
    **each("header as a list", ["alg", "typ", "kid"], lambda name, g: g.sealed({**g.header, name: [g.header[name]]})),
    **each("header as a flag", ["alg", "typ", "kid"], lambda name, g: g.sealed({**g.header, name: True})),
    **each("header as null", ["alg", "typ", "kid"], lambda name, g: g.sealed({**g.header, name: None})),
    "another purpose and altered": lambda g: g.claiming(aud="upload"),
    "from the future and altered": lambda g: g.claiming(iat=g.claims["iat"] + 10**6, exp=g.claims["exp"] + 10**6),
}
MORE |= {f"public key as the secret: {name}": partial(Genuine.headed, key=key) for name, key in PUBLIC_KEYS.items()}

HERE = "tests/attack/test_ticket_list.py"
ATTACKS = "tests/test_ticket_attacks.py"
LIST: dict[str, list[str]] = {
    "hand: duplicate claims": ["duplicate claim", "duplicate in the caller's data"],
    "hand: duplicate alg": ["duplicate alg"],
    "hand: UTF-16 payload": ["UTF-16"],
    "hand: byte order mark": ["byte order mark"],
    "hand: any typ": ["typ 'JWT'", "typ 'at+jwt'", "typ missing"],
    "hand: ES256 (r, n-s) twin": [f"{ATTACKS}::test_the_media_type_prefix_is_the_same_type", "alg 'RS256'"],
    "hand: trailing =": ["padding", "padded parts"],
    "hand: exp as a string": ["exp as '1000120'"],
    "hand: crit []": ["crit []"],
    "hand: 5000 levels": ["5000 levels", "700 levels"],
    "jwt_tool: signature stripped, CVE-2020-28042": ["CVE-2020-28042 signature stripped", "null signature"],
    "jwt_tool: alg none in four cases, CVE-2015-2951": [
        *(f"CVE-2015-2951 alg {alg!r}" for alg in ("none", "None", "NONE", "nOnE")),
        "alg none, our signature",
    ],
    "jwt_tool: RS256 to HS256, CVE-2016-10555": [
        "CVE-2016-10555 a public key as the secret",
        "CVE-2016-10555 alg RS256",
    ],
    "jwt_tool: embedded jwk, CVE-2018-0114": ["CVE-2018-0114 embedded key", "jwk in our header, under our key"],
    "jwt_tool: jku": ["jku", "x5u", f"{HERE}::test_no_ticket_makes_us_open_a_connection"],
    "jwt_tool: blank password, CVE-2019-20933": ["CVE-2019-20933 blank key"],
    "jwt_tool: weak secrets": [
        "weak key b'secret'",
        "weak key b'changeme'",
        "tests/test_keyring.py::test_a_weak_or_missing_secret_does_not_start",
    ],
    "jwt_tool: kid blank": ["kid ''", "kid missing"],
    "jwt_tool: kid path": ["kid '../../../dev/null'"],
    "jwt_tool: kid SQL": ["kid \"x' UNION SELECT 'key';--\""],
    "jwt_tool: kid command": ["kid '|sleep 9'"],
    "jwt_tool: type juggling of headers": [
        "header 'alg'",
        "header as a flag 'typ'",
        "header as null 'kid'",
        "kid True",
    ],
    "jwt_tool: type juggling of claims": [f"{name} as None" for name in ("iss", "aud", "jti", "iat", "exp", "sid")],
    "jwt_tool: expired": ["tests/test_ticket_issue.py::test_expiry_is_exact"],
    "jwt_tool: claims processed before the signature": ["expired and altered", "another purpose and altered"],
    "PortSwigger: signature not verified": ["another user", "another file"],
    "PortSwigger: flawed verification": ["CVE-2015-2951 alg 'none'"],
    "PortSwigger: weak key": ["weak key b'secret'"],
    "PortSwigger: jwk": ["CVE-2018-0114 embedded key"],
    "PortSwigger: jku": ["jku"],
    "PortSwigger: kid traversal": ["kid '../../../dev/null'"],
    "PortSwigger: algorithm confusion": ["CVE-2016-10555 a public key as the secret"],
    "PortSwigger: the same without the exposed key": [f"public key as the secret: {name}" for name in PUBLIC_KEYS],
    "PyJWT CVE-2017-11424": ["public key as the secret: PKCS 1"],
    "PyJWT CVE-2022-29217": ["public key as the secret: OpenSSH ed25519", "public key as the secret: OpenSSH ecdsa"],
    "PyJWT CVE-2024-53861": ["part of the issuer", "more than the issuer", "aud as ['download']"],
    "PyJWT CVE-2025-45768": ["tests/test_keyring.py::test_a_weak_or_missing_secret_does_not_start"],
    "PyJWT CVE-2026-32597": ["CVE-2026-32597 crit", "crit ['x']"],
    "PyJWT CVE-2026-48523": ["really alg 'HS384'", "really alg 'HS512'"],
    "PyJWT CVE-2026-48524": [f"{HERE}::test_no_ticket_makes_us_open_a_connection"],
    "PyJWT CVE-2026-48525": ["CVE-2026-48525 b64 false", "crit ['b64']"],
    "joserfc CVE-2025-65015": ["a million characters", "longer than a ticket"],
    "joserfc CVE-2026-27932": ["JWE with a billion rounds", "rounds in a header of ours"],
    "Authlib CVE-2022-39174, -39175": ["JSON serialisation", "flattened JSON", "compact in JSON"],
    "Authlib CVE-2024-37568": ["public key as the secret: OpenSSH rsa"],
    "Authlib CVE-2025-59420": ["CVE-2026-32597 crit"],
    "Authlib CVE-2025-61920": ["a million parts", "a million characters"],
    "Authlib CVE-2025-62706": ["JWE that inflates", "inflating claims under our key", "zip"],
    "Authlib CVE-2026-27962": ["CVE-2018-0114 embedded key", "kid missing"],
    "Authlib CVE-2026-28490, -28498": ["another user", "signature of another key"],
    "python-jose CVE-2024-33663": ["public key as the secret: OpenSSH rsa"],
    "python-jose CVE-2024-33664": ["JWE that inflates"],
    "python-jose CVE-2025-61152": ["CVE-2015-2951 alg 'none'"],
    "python-jose: crit not enforced": ["crit ['x']"],
    "python-jose: malleable": ["second spelling"],
    "Starlette CVE-2026-48710": [
        "tests/test_csrf.py::test_only_the_exempt_path_itself_is_exempt",
        f"{HERE}::test_a_host_cannot_choose_the_resource",
    ],
}
"""Item -> the attacks of this file and of test_ticket_attacks.py, or whole tests, that try it."""


@pytest.mark.parametrize("attack", MORE.values(), ids=MORE)
def test_an_attack_of_the_lists_is_refused_and_spends_nothing(attack: Attack, caplog: pytest.LogCaptureFixture) -> None:
    """As there: `TicketInvalid` before the store is asked, the genuine ticket whole, nothing told of the token."""
    refused_whole(attack, caplog)


@pytest.mark.parametrize("tried", LIST.values(), ids=LIST)
def test_every_item_of_the_lists_is_tried(tried: list[str]) -> None:
    """Each item names attacks or tests that exist."""
    assert tried
    for name in tried:
        file, colons, function = name.partition("::")
        if colons:
            tree = ast.parse((ROOT / file).read_text())
            assert function in {getattr(node, "name", None) for node in tree.body}, name
        else:
            assert name in WITHOUT_OUR_KEY.keys() | ODDITIES.keys() | MORE.keys(), name


def test_no_ticket_makes_us_open_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """CVE-2026-48524: keys are ours alone; a thousand unknown kids, and addresses of keys, fetch nothing."""

    def opened(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("a connection was opened")

    desk = Desk()
    genuine = Genuine(desk)
    desk.redeem(genuine.text)
    monkeypatch.setattr(socket.socket, "connect", opened)
    monkeypatch.setattr(socket, "getaddrinfo", opened)
    with pytest.raises(AssertionError, match="opened"):
        socket.create_connection(("127.0.0.1", 9))
    for number in range(1_000):
        for header in ({"kid": str(number)}, {"jku": f"http://127.0.0.1:9/{number}"}, {"x5u": "http://127.0.0.1:9/"}):
            with pytest.raises(TicketInvalid):
                desk.redeem(signed({**genuine.header, **header}, genuine.claims, desk.key))


async def test_a_host_cannot_choose_the_resource() -> None:
    """CVE-2026-48710: a Host with a path in it rewrites a rebuilt URL: what may be resumed is the raw path's."""

    class Hosted(Ranges):
        async def fetch(self, ticket: str, one: Fetch) -> int:
            app = self.app

            async def hosted(scope: Any, receive: Any, send: Any) -> None:
                scope["headers"].append((b"host", b"app.example/a?"))
                await app(scope, receive, send)

            self.app = hosted  # type: ignore[assignment]
            try:
                return await super().fetch(ticket, one)
            finally:
                self.app = app

    stand = await Hosted.open()
    first, other = Fetch(True, "GET", "/a", None, None), Fetch(True, "GET", "/b", "bytes=0-", None)
    assert await stand.story([first, other, first._replace(range="bytes=0-")]) == [200, 410, 206]
