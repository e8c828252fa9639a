"""Which hosts are served over plain http on purpose: this machine, and the names that test clients use."""

from __future__ import annotations

import re

_LOCAL = re.compile(
    rb"(?:localhost|[a-z0-9-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\]|test|testserver|testserver\.local)(?::\d{1,5})?",
    re.IGNORECASE,
)


def serves_plain_http(host: bytes) -> bool:
    """Whether a Host header names this machine, or a host that only tests use."""
    return _LOCAL.fullmatch(host) is not None
