"""The application's secrets, and the purpose-separated keys derived from them.

The first secret signs, all of them verify: put a new one in front, and take the old one out when the
absolute timeout has passed. A key for one purpose (tokens, tickets, CSRF) is useless for another, and so
is one namespace's for another's.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING

from .errors import ConfigurationError

if TYPE_CHECKING:
    from .strength import Weakness

MIN_SECRET_BYTES = 32
"""RFC 7518 section 3.2: an HMAC key has at least the size of the hash, here 32 bytes."""


def generate_secret() -> str:
    """A new secret: 256 random bits as 43 URL-safe characters, as `coatcheck keygen` prints it."""
    return secrets.token_urlsafe(32)


_BLOCK = 64
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


class Mac:
    """HMAC-SHA-256 (RFC 2104) under a key of at most 64 bytes, whose half of the work is done once: a token is checked
    at every request, in half the time that `hmac` takes."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = key.ljust(_BLOCK, b"\0")
        self._inner, self._outer = sha256(block.translate(_INNER)), sha256(block.translate(_OUTER))

    def hexdigest(self, data: bytes) -> str:
        """The tag of `data`, in hexadecimal."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        return outer.hexdigest()


class Keyring:
    """Derives keys by purpose. Raises `ConfigurationError` for no secret or one under 32 bytes."""

    __slots__ = ("_cache", "_macs", "_namespace", "_secrets")

    def __init__(self, secret: str | bytes | Iterable[str | bytes], *, namespace: str) -> None:
        given = [secret] if isinstance(secret, (str, bytes)) else list(secret)
        keys = [key.encode() if isinstance(key, str) else bytes(key) for key in given]
        if not keys:
            raise ConfigurationError("secret=[] has no key. Make one with `coatcheck keygen`.")
        for position, key in enumerate(keys):
            if len(key) < MIN_SECRET_BYTES:
                raise ConfigurationError(
                    f"secret number {position + 1} has {len(key)} bytes and needs at least {MIN_SECRET_BYTES}. "
                    "Make one with `coatcheck keygen`."
                )
            if key.lstrip().startswith((b"-----BEGIN", b"ssh-")):
                # A public key is known to everybody (CVE-2022-29217).
                raise ConfigurationError(
                    f"secret number {position + 1} is a key file of another kind. Make a random secret with "
                    "`coatcheck keygen`."
                )
            if len(set(key)) < 4:
                raise ConfigurationError(
                    f"secret number {position + 1} repeats a few characters. Make a random one with `coatcheck keygen`."
                )
        self._secrets = tuple(keys)
        self._namespace = namespace.encode()
        self._cache: dict[str, tuple[bytes, ...]] = {}
        self._macs: dict[str, tuple[Mac, ...]] = {}

    def __repr__(self) -> str:
        return f"<Keyring of {len(self._secrets)}>"

    def weaknesses(self) -> list[tuple[int, Weakness]]:
        """Which secrets somebody may guess, by their place, from 1 on. A retired key's count: it still verifies."""
        from .strength import weakness

        found = ((position, weakness(secret)) for position, secret in enumerate(self._secrets, 1))
        return [(position, weak) for position, weak in found if weak is not None]

    def keys(self, purpose: str) -> tuple[bytes, ...]:
        """The 32-byte keys for `purpose`, the signing key first."""
        found = self._cache.get(purpose)
        if found is None:
            # One HMAC is HKDF-Expand's first block (RFC 5869, section 2.3): ample for a uniform secret.
            info = b"coatcheck/1\0" + purpose.encode() + b"\0" + self._namespace + b"\x01"
            found = tuple(hmac.digest(secret, info, "sha256") for secret in self._secrets)
            self._cache[purpose] = found
        return found

    def macs(self, purpose: str) -> tuple[Mac, ...]:
        """HMAC-SHA-256 under each of `keys(purpose)`."""
        found = self._macs.get(purpose)
        if found is None:
            found = self._macs[purpose] = tuple(map(Mac, self.keys(purpose)))
        return found
