"""Making tokens by hand, as an attacker does: nothing here refuses anything."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

Part = dict[str, Any] | bytes | str
"""A dict is written as JSON, bytes are taken as they are, text is a part that is encoded already."""


def part(content: Part) -> str:
    """One part of a JWT."""
    if isinstance(content, str):
        return content
    data = content if isinstance(content, bytes) else json.dumps(content, separators=(",", ":")).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def data_of(text: str) -> bytes:
    """The bytes of one part."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def contents(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a JWT."""
    header, claims, _ = token.split(".")
    return json.loads(data_of(header)), json.loads(data_of(claims))


def signed(header: Part, claims: Part, key: bytes, digest: str = "sha256") -> str:
    """A JWT with an HMAC, whatever its header says."""
    text = f"{part(header)}.{part(claims)}"
    return f"{text}.{part(hmac.digest(key, text.encode(), digest))}"
