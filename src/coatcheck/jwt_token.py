"""`token_format="jwt"`: the same reference, handle and secret, wrapped in a signed JWT.

The article's stateful JWT, for gateways that insist on one. It is three times as long and nothing more: the
session stays in the store, so it is revoked as ever. It carries no claim that anybody should act on.
"""

from __future__ import annotations

import re
from typing import Any

from .keyring import Keyring
from .strict_jwt import parse
from .token import SECRET_LENGTH, Shown, looks_like_handle, shown

_TYPE = "session+jwt"
_PURPOSE = "session+jwt"
MAX_LENGTH = 512
"""Characters; ours has about 250."""

_SECRET = re.compile(rf"[A-Za-z0-9_-]{{{SECRET_LENGTH}}}")


def sign(keyring: Keyring, handle: str, secret: str) -> str:
    """The JWT (HS256, RFC 7519) of a handle and a secret, under the newest key."""
    import jwt

    claims = {"sid": handle, "ses": secret}
    return jwt.encode(claims, keyring.keys(_PURPOSE)[0], algorithm="HS256", headers={"typ": _TYPE})


def verify(keyring: Keyring, token: str) -> Shown | None:
    """What the JWT says, or None for anything that we did not sign. Never raises."""
    import jwt

    if parse(token, _TYPE, "HS256", MAX_LENGTH) is None:
        return None
    for position, key in enumerate(keyring.keys(_PURPOSE)):
        try:
            claims: dict[str, Any] = jwt.decode(token, key, algorithms=["HS256"], options={"require": ["sid", "ses"]})
        except (jwt.InvalidTokenError, TypeError):  # the latter of older PyJWTs, for an `exp` that is null
            continue
        handle, secret = claims["sid"], claims["ses"]
        # Signed is not enough: a holder of the key may have signed claims of any type.
        if not (isinstance(handle, str) and isinstance(secret, str)):
            return None
        if looks_like_handle(handle) and _SECRET.fullmatch(secret):
            return shown(handle, secret, position > 0)
    return None


def resign(keyring: Keyring, token: str) -> str:
    """A JWT that was verified, under the newest key."""
    import jwt

    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return sign(keyring, claims["sid"], claims["ses"])
