"""A ticket as a JWT: its form, its signature, and what its claims have to be.

    {"alg": "HS256", "typ": "ticket+jwt", "kid": "..."}
    {"iss": namespace, "aud": purpose, "jti": "...", "iat": ..., "exp": ..., "sid": handle, "sub": user,
     "bearer": true, "data": {the caller's claims}}                        sub, bearer: only where they apply

The strict parser checks the form, PyJWT the signature, this module the claims; whether the time is right and
whether it was used is for `tickets` and the store.
"""

from __future__ import annotations

import json
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from .clock import as_datetime
from .keyring import Keyring
from .session import MAX_USER_ID
from .strict_jwt import parse
from .token import looks_like_handle

if TYPE_CHECKING:
    from jwt import PyJWS

TYPE = "ticket+jwt"
MAX_LENGTH = 4096
"""Characters of a ticket."""
MAX_TTL = timedelta(hours=1)

_ALGORITHM = "HS256"
_PURPOSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_JTI = re.compile(r"[A-Za-z0-9_-]{22}")
_REQUIRED = frozenset({"iss", "aud", "jti", "iat", "exp", "sid", "data"})
_OPTIONAL = frozenset({"sub", "bearer"})
_LAST_TIME = 253_402_300_799
"""The end of the year 9999: a datetime holds nothing later."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket that was verified, for one `purpose`; `session_handle` names the session that asked for it."""

    claims: dict[str, Any] = field(repr=False)
    """What `issue` was given."""
    user_id: str | None
    """Who was logged in to the session, or None."""
    session_handle: str
    jti: str
    """Its public name: for logs, useless as a credential."""
    purpose: str
    expires_at: datetime
    """Aware UTC."""


class Read(NamedTuple):
    """A ticket whose signature was verified. Times are seconds since the epoch."""

    ticket: Ticket
    bearer: bool
    """Whoever holds it may use it, in whichever session."""
    issued: int
    expires: int


def is_purpose(text: object) -> bool:
    """Whether `text` can be a purpose: 1 to 64 letters, digits, `_`, `.`, `:` or `-`."""
    return _fits(_PURPOSE, text)


def write(
    keyring: Keyring,
    *,
    issuer: str,
    purpose: str,
    handle: str,
    user_id: str | None,
    bearer: bool,
    data: dict[str, Any],
    now: float,
    ttl: float,
) -> tuple[str, str]:
    """A new ticket under the newest key, and its `jti`. `ttl` is in seconds, and rounded up to a whole one."""
    jti = secrets.token_urlsafe(16)
    claims: dict[str, Any] = {"iss": issuer, "aud": purpose, "jti": jti, "iat": int(now), "exp": ceil(now + ttl)}
    claims["sid"] = handle
    if user_id is not None:
        claims["sub"] = user_id
    if bearer:
        claims["bearer"] = True
    claims["data"] = data
    text = json.dumps(claims, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    kid, key = next(iter(_keys(keyring).items()))
    return _jws().encode(text.encode(), key, _ALGORITHM, {"typ": TYPE, "kid": kid}), jti


def read(keyring: Keyring, issuer: str, jwt: str) -> Read | None:
    """What a ticket of ours says; None for anything else. Never raises. Its time is the caller's to judge."""
    parsed = parse(jwt, TYPE, _ALGORITHM, MAX_LENGTH)
    if parsed is None:
        return None
    # RFC 8725, section 3.10: a kid picks one of our keys and is nothing else, neither a path nor a query.
    key = _keys(keyring).get(parsed.header.get("kid", ""))
    if key is None:
        return None
    from jwt import PyJWTError

    try:
        _jws().decode(jwt, key, algorithms=[_ALGORITHM])
    except PyJWTError:
        return None
    # The claims as the strict parser read them: a second parser could understand the same text differently.
    return _shape(parsed.claims, issuer)


def _keys(keyring: Keyring) -> dict[str, bytes]:
    """The keys by their public ids, the signing one first. An id is derived as a key is, so it tells nothing."""
    ids = (urlsafe_b64encode(one[:9]).decode() for one in keyring.keys("ticket kid"))
    return dict(zip(ids, keyring.keys("ticket"), strict=True))


@cache
def _jws() -> PyJWS:
    """PyJWT's signatures, knowing one algorithm. Imported late: it loads cryptography where that is installed."""
    from jwt import PyJWS

    return PyJWS(algorithms=[_ALGORITHM])


def _shape(claims: dict[str, Any], issuer: str) -> Read | None:
    """Signed is not enough: every claim is there, of its type, and no other is."""
    if not _REQUIRED <= claims.keys() <= _REQUIRED | _OPTIONAL:
        return None
    issued, expires, user = claims["iat"], claims["exp"], claims.get("sub")
    # `type`, not isinstance: True is an int.
    if type(issued) is not int or type(expires) is not int:
        return None
    fits = (
        claims["iss"] == issuer
        and is_purpose(claims["aud"])
        and _fits(_JTI, claims["jti"])
        and 0 <= issued < expires <= min(issued + MAX_TTL.total_seconds() + 1, _LAST_TIME)
        and isinstance(claims["sid"], str)
        and looks_like_handle(claims["sid"])
        and ("sub" not in claims or (isinstance(user, str) and 1 <= len(user) <= MAX_USER_ID))
        and claims.get("bearer", True) is True
        and isinstance(claims["data"], dict)
    )
    if not fits:
        return None
    ticket = Ticket(
        claims=claims["data"],
        user_id=user,
        session_handle=claims["sid"],
        jti=claims["jti"],
        purpose=claims["aud"],
        expires_at=as_datetime(expires),
    )
    return Read(ticket, "bearer" in claims, issued, expires)


def _fits(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
