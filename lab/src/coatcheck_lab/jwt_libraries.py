"""How each JWT library verifies a token, by the one call that does, with nothing asked for beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import NamedTuple


class Advisory(NamedTuple):
    """A published hole."""

    number: str
    what: str
    fixed_in: tuple[int, ...] | None
    """The first release without it; None: there was none when this list was last looked at, in November 2026."""


class Library(NamedTuple):
    """A JWT library for Python."""

    distribution: str
    module: str
    verify: Callable[[str, bytes], object]
    """Verifies a token with a secret, and raises if it does not like it."""
    advisories: tuple[Advisory, ...]


def _pyjwt(token: str, secret: bytes) -> object:
    return import_module("jwt").decode(token, secret, algorithms=["HS256"])


def _python_jose(token: str, secret: bytes) -> object:
    return import_module("jose.jwt").decode(token, secret, algorithms=["HS256"])


def _joserfc(token: str, secret: bytes) -> object:
    return import_module("joserfc.jwt").decode(token, import_module("joserfc.jwk").OctKey.import_key(secret))


def _jwcrypto(token: str, secret: bytes) -> object:
    key = import_module("jwcrypto.jwk").JWK.from_password(secret.decode())
    return import_module("jwcrypto.jwt").JWT(jwt=token, key=key)


# Some of what is published, not all: a list in a file is old the day after. The report says so.
LIBRARIES: Mapping[str, Library] = {
    "PyJWT": Library(
        "pyjwt",
        "jwt",
        _pyjwt,
        (
            Advisory("CVE-2017-11424", "a public key taken for an HMAC secret", (1, 5, 1)),
            Advisory("CVE-2022-29217", "the same, by another format of key", (2, 4, 0)),
            Advisory("CVE-2024-53861", "an issuer accepted that is a part of the right one", (2, 10, 1)),
            Advisory("CVE-2026-32597", "unknown critical headers accepted", (2, 12, 0)),
            Advisory("CVE-2026-48523", "an algorithm that was not allowed accepted", (2, 13, 0)),
            Advisory("CVE-2026-48526", "a public key in JSON taken for an HMAC secret", (2, 13, 0)),
            Advisory("CVE-2026-102267", "redirects followed to whoever's keys", (2, 14, 0)),
            Advisory("CVE-2026-102269", "a revoked token accepted in another spelling", (2, 14, 0)),
        ),
    ),
    "python-jose": Library(
        "python-jose",
        "jose.jwt",
        _python_jose,
        (
            Advisory("CVE-2016-7036", "signatures compared in a time that tells", (1, 3, 2)),
            Advisory("CVE-2024-33663", "a public key taken for an HMAC secret", (3, 4, 0)),
            Advisory("CVE-2024-33664", "memory without bounds", (3, 4, 0)),
            Advisory("CVE-2026-85394", "a public key taken for an HMAC secret, in another format", None),
            Advisory("CVE-2026-120459", "an empty secret accepted", None),
        ),
    ),
    "joserfc": Library(
        "joserfc",
        "joserfc.jwt",
        _joserfc,
        (
            Advisory("CVE-2026-48990", "memory without bounds", (1, 6, 7)),
            Advisory("CVE-2026-75509", "an issuer accepted from a list that the token brings", (1, 7, 3)),
        ),
    ),
    "jwcrypto": Library(
        "jwcrypto",
        "jwcrypto.jwt",
        _jwcrypto,
        (
            Advisory("CVE-2022-3102", "a signed token taken for an encrypted one", (1, 4, 0)),
            Advisory("CVE-2023-6681", "a key that takes minutes to derive", (1, 5, 1)),
            Advisory("CVE-2024-28102", "memory without bounds", (1, 5, 6)),
            Advisory("CVE-2026-84185", "a rare use of a set of keys", (1, 6, 0)),
        ),
    ),
}
