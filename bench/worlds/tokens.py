"""Signed tokens, as their libraries' documentation makes and checks them."""

# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import joserfc.jwt
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc.jwk import ECKey, OctKey


class Scheme(NamedTuple):
    """A library and an algorithm."""

    name: str
    sign: Callable[[dict[str, Any]], str]
    check: Callable[[str], dict[str, Any]]
    """Raises for a token that is not good, or too old."""


def pyjwt(algorithm: str) -> Scheme:
    key: Any = secrets.token_bytes(32)
    public = key
    if algorithm != "HS256":
        makers: dict[str, Callable[[], Any]] = {
            "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
        }
        key = makers[algorithm]()
        public = key.public_key()
    return Scheme(
        f"PyJWT {algorithm}",
        lambda claims: jwt.encode(claims, key, algorithm),
        lambda token: jwt.decode(token, public, algorithms=[algorithm]),
    )


def joserfc_(algorithm: str) -> Scheme:
    key = OctKey.import_key(secrets.token_bytes(32)) if algorithm == "HS256" else ECKey.generate_key("P-256")
    # As its guide has it: the signature, then the claims.
    wanted = joserfc.jwt.JWTClaimsRegistry(exp={"essential": True})

    def check(text: str) -> dict[str, Any]:
        token = joserfc.jwt.decode(text, key, algorithms=[algorithm])
        wanted.validate(token.claims)
        claims: dict[str, Any] = token.claims
        return claims

    return Scheme(
        f"joserfc {algorithm}", lambda claims: str(joserfc.jwt.encode({"alg": algorithm}, claims, key)), check
    )


def schemes() -> Iterator[Scheme]:
    """All of them."""
    for algorithm in ("HS256", "RS256", "ES256", "EdDSA"):
        yield pyjwt(algorithm)
    for algorithm in ("HS256", "ES256"):
        yield joserfc_(algorithm)
