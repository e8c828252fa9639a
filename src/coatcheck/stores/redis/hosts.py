"""The hosts of a URL that names several. No I/O."""

from __future__ import annotations

from typing import NamedTuple


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
    host, _, port = text.rpartition(":") if ":" in text.rpartition("]")[2] else (text, "", "")
    if not host.strip("[]"):
        raise ValueError
    return Node(host.strip("[]"), int(port or default))
