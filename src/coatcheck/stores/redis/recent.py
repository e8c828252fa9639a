"""What this process has read of sessions a moment ago: a request's write begins with it, and reads nothing again.

It is often the newest, and never believed: the script that saves compares its version with what is there. It holds
what Redis holds, so no secret but its hash, and is bounded: `PLACES` times `LARGEST` bytes at the most.
"""

from __future__ import annotations

PLACES = 2048
"""Sessions that it can hold. Two that share a place take it from each other."""
LARGEST = 4096
"""Bytes of a value that is kept."""


class Recent:
    """The values, shared by threads: taking a place and leaving it are one step each, so there is no lock."""

    def __init__(self) -> None:
        self._places: list[tuple[str, bytes] | None] = [None] * PLACES

    def keep(self, handle: str, raw: bytes) -> None:
        """What a session's key holds, as far as anybody here knows."""
        if len(raw) <= LARGEST:
            self._places[hash(handle) % PLACES] = handle, raw

    def take(self, handle: str) -> bytes | None:
        """It, once: whoever has written keeps what was written."""
        place = hash(handle) % PLACES
        kept = self._places[place]
        if kept is None or kept[0] != handle:
            return None
        self._places[place] = None
        return kept[1]
