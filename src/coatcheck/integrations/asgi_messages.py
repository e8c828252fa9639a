"""What ASGI hands over: the types of its scope and messages, and how those of a body are held."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_PIECE = 1024
"""Bytes below which pieces of a body are held as one."""


def keep(held: list[Message], message: Message) -> None:
    """Add a message of a body that is read ahead. A client can send one byte in each frame, or none, for ever
    (CVE-2019-9518): what is held grows with the bytes, not with the frames."""
    last = held[-1] if held else None
    if last is not None and message["type"] == "http.request" and len(last["body"]) < _PIECE:
        held[-1] = {**message, "body": last["body"] + message.get("body", b"")}
    elif message["type"] == "http.request":
        held.append({**message, "body": message.get("body", b"")})
    else:
        held.append(message)
