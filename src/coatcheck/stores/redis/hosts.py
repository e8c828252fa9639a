"""The hosts of a URL that names several. No I/O."""

from __future__ import annotations

import re
from typing import NamedTuple

_HOST = re.compile(r"(?:\[(?P<bare>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:@/]+))(?::(?P<port>\d{1,5}))?")


class Node(NamedTuple):
    """A server among several."""

    host: str
    port: int

    @property
    def netloc(self) -> str:
        """As a URL has it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read(text: str, port: int) -> tuple[Node, ...]:
    """The hosts of `h1,h2:6380`; `port` where none is said. Raises `ValueError`."""
    return tuple(_host(one, port) for one in text.split(","))


def _host(text: str, default: int) -> Node:
    found = _HOST.fullmatch(text)
    port = int(found["port"] or default) if found else 0
    if not (found and 0 < port < 65_536):
        raise ValueError
    return Node(found["bare"] or found["name"], port)
