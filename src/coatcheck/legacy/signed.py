"""Text that itsdangerous has signed together with the time."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from hashlib import sha1
from typing import Any, NamedTuple

from ..codec import MAX_BYTES
from ..errors import ConfigurationError

Key = str | bytes


class Signed(NamedTuple):
    """What a signature covers."""

    identity: bytes
    payload: bytes
    at: float
    """When it was signed, in seconds since the epoch."""
    proof: bytes


def needed(module: str, install: str) -> Any:
    """A module that the old library stood on. Raises `ConfigurationError` with the line that installs it."""
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigurationError(f"{module} is missing, and old sessions need it: pip install {install}") from error


def unsign(text: str, keys: Sequence[Key], salt: bytes, derivation: str) -> Signed | None:
    """The parts of a text that one of the keys, the oldest first, has signed; None for any other."""
    itsdangerous = needed("itsdangerous", "itsdangerous")
    signer = itsdangerous.Signer(list(keys), salt=salt, sep=b".", key_derivation=derivation, digest_method=sha1)
    try:
        identity: bytes = signer.unsign(text.encode("latin-1"))
    except itsdangerous.BadSignature:
        return None
    payload, _, stamp = identity.rpartition(b".")
    at = float(int.from_bytes(itsdangerous.base64_decode(stamp), "big"))
    return Signed(identity, payload, at, itsdangerous.base64_decode(text.encode("latin-1").rpartition(b".")[2]))


def unpacked(payload: bytes) -> bytes:
    """The bytes of a base64 payload, which is compressed behind a dot. Raises `ValueError` where they would not fit
    into a session: what an old application signed may unpack to a thousand times its size."""
    packed = payload.startswith(b".")
    data: bytes = needed("itsdangerous", "itsdangerous").base64_decode(payload[packed:])
    if packed:
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(data, MAX_BYTES)
        if unpacking.unconsumed_tail:
            raise ValueError("too large")
    return data
