"""Tokens that no library would write."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any


def encoded(value: dict[str, Any]) -> str:
    """JSON in base64, as the parts of a JWT are."""
    return _base64(json.dumps(value).encode())


def signed(header: dict[str, Any], claims: dict[str, Any], key: bytes) -> str:
    """A JWT with that header, signed with HMAC-SHA-256 whatever the header says."""
    text = f"{encoded(header)}.{encoded(claims)}"
    return f"{text}.{_base64(hmac.digest(key, text.encode(), 'sha256'))}"


def decoded(token: str) -> bytes:
    """Each part of a token, read as base64, in a line of its own."""
    return b"\n".join(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split("."))


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
