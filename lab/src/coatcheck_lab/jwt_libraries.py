"""How each JWT library verifies a token, by the one call that does, with nothing asked for beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import NamedTuple


class Advisory(NamedTuple):
    """A published hole."""

    number: str
    what: str
    fixed_in: tuple[int, ...]
    """The first release without it."""


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
        ),
    ),
    "joserfc": Library("joserfc", "joserfc.jwt", _joserfc, ()),
    "jwcrypto": Library(
        "jwcrypto",
        "jwcrypto.jwt",
        _jwcrypto,
        (
            Advisory("CVE-2022-3102", "a signed token taken for an encrypted one", (1, 4, 0)),
            Advisory("CVE-2023-6681", "a key that takes minutes to derive", (1, 5, 1)),
            Advisory("CVE-2024-28102", "memory without bounds", (1, 5, 6)),
        ),
    ),
}
