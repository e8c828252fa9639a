"""The token, all that a client ever holds: `handle.secret.tag`, 86 characters.

* handle: 16 bytes, two that place the session in its user's hash slot and 14 random ones.
* secret: a two-byte step counter and 160 random bits (ASVS 7.2.3 asks for 128).
* tag: HMAC-SHA-256 over the text of both, 128 bits of it in hexadecimal, so a forged token never reaches the
  store.

The tag covers the text, not the bytes, so that one token has one spelling.
"""

from __future__ import annotations

import hmac
import re
import secrets
import string
from base64 import urlsafe_b64decode
from binascii import b2a_base64
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol

from .keyring import Keyring

HANDLE_LENGTH = 22
SECRET_LENGTH = 30
TAG_LENGTH = 32
TOKEN_LENGTH = HANDLE_LENGTH + 1 + SECRET_LENGTH + 1 + TAG_LENGTH
LAST_STEP = 0xFFFF

_SIGNED = HANDLE_LENGTH + 1 + SECRET_LENGTH
_HANDLE = re.compile(rf"[A-Za-z0-9_-]{{{HANDLE_LENGTH}}}")
_PURPOSE = "token"
_ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
_VALUE = {char: value for value, char in enumerate(_ALPHABET)}
_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")


def _b64(data: bytes) -> str:
    return b2a_base64(data, newline=False).translate(_TO_URLSAFE, b"=").decode("ascii")


@dataclass(slots=True)
class Shown:
    """What a token with a valid tag says: which session, which step, the hash of its secret."""

    handle: str
    step: int
    hash: str
    resign: bool
    """Signed with an old key: the next token that goes out anyway is signed with the new one."""
    calm: Any = field(default=None, compare=False, repr=False)
    """Where `calm.Calm` waits for the next request with this token."""


def new_handle(user_id: str | None, *, bucket: str | None = None) -> str:
    """A fresh handle in the user's bucket; for None in `bucket` (of another handle), else in a random one."""
    if user_id is not None:
        prefix = sha256(user_id.encode("utf-8", "surrogatepass")).digest()[:2]
    elif bucket is not None:
        prefix = bytes.fromhex(bucket)
    else:
        prefix = secrets.token_bytes(2)
    return _b64(prefix + secrets.token_bytes(14))


def bucket_of(handle: str) -> str:
    """The first two bytes of a handle in hexadecimal: the hash tag that all keys of its user share."""
    return urlsafe_b64decode(handle[:4])[:2].hex()


def new_secret(step: int) -> str:
    """A fresh secret for a step of 0 to 65535."""
    return _b64(step.to_bytes(2, "big") + secrets.token_bytes(20))


def made_handle(material: bytes) -> str:
    """The handle that these bytes stand for, 16 of them at least: the same each time."""
    return _b64(material[:16])


def made_secret(material: bytes) -> str:
    """The secret of step 0 that these bytes stand for, 20 of them at least: the same each time."""
    return _b64(bytes(2) + material[:20])


def hash_secret(secret: str) -> str:
    """SHA-256 of the secret's text, in base64: what the store keeps. 160 random bits need no salt."""
    return b2a_base64(sha256(secret.encode("ascii")).digest(), newline=False).decode("ascii")


def looks_like_handle(text: str) -> bool:
    """Whether `text` has the form of a handle; says nothing about its existence."""
    return _HANDLE.fullmatch(text) is not None


class Format(Protocol):
    """How a handle and a secret are spelt for the client."""

    def sign(self, keyring: Keyring, handle: str, secret: str) -> str:
        """The token of a handle and a secret, under the newest key."""
        ...

    def verify(self, keyring: Keyring, token: str) -> Shown | None:
        """What the token says, or None for anything that we did not sign. Never raises."""
        ...

    def resign(self, keyring: Keyring, token: str) -> str:
        """A token that was verified, under the newest key."""
        ...


def sign(keyring: Keyring, handle: str, secret: str) -> str:
    """The token of a handle and a secret, under the newest key."""
    signed = f"{handle}.{secret}"
    return f"{signed}.{keyring.macs(_PURPOSE)[0].hexdigest(signed.encode('ascii'))[:TAG_LENGTH]}"


def verify(keyring: Keyring, token: str) -> Shown | None:
    """What the token says, or None for anything that we did not sign. Never raises, in constant memory."""
    if len(token) != TOKEN_LENGTH or not token.isascii() or token[_SIGNED] != ".":
        return None
    signed, given = token[:_SIGNED].encode("ascii"), token[_SIGNED + 1 :]
    for position, mac in enumerate(keyring.macs(_PURPOSE)):
        if hmac.compare_digest(mac.hexdigest(signed)[:TAG_LENGTH], given):
            return shown(token[:HANDLE_LENGTH], token[HANDLE_LENGTH + 1 : _SIGNED], position > 0)
    return None


def resign(keyring: Keyring, token: str) -> str:
    """A token that was verified, under the newest key."""
    return sign(keyring, token[:HANDLE_LENGTH], token[HANDLE_LENGTH + 1 : _SIGNED])


def step_of(secret: str) -> int:
    """The step counter in a secret's first 16 bits, which are its first characters'."""
    return _VALUE[secret[0]] << 10 | _VALUE[secret[1]] << 4 | _VALUE[secret[2]] >> 2


def shown(handle: str, secret: str, old_key: bool) -> Shown:
    """What a handle and a secret say, once their signature has been checked."""
    return Shown(handle, step_of(secret), hash_secret(secret), old_key)
