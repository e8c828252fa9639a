"""The first bytes of a request's body, looked at before the application reads them all."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from .wsgi_response import Environ


class Ahead:
    """`wsgi.input`, in whose place it puts itself: what was looked at is read again, then the rest as it comes."""

    def __init__(self, environ: Environ) -> None:
        self._source: Any = environ["wsgi.input"]
        self._seen = BytesIO()
        self._left = _length(environ)
        environ["wsgi.input"] = self

    @property
    def at_end(self) -> bool:
        """Whether all of the body is known to have been looked at."""
        return self._left == 0

    def look(self, size: int) -> bytes:
        """At most `size` of the next bytes; none at the end of the body. Never waits for more than the body has."""
        if self._left is not None:
            size = min(size, self._left)
        chunk: bytes = self._source.read(size) if size else b""
        if not chunk:
            self._left = 0
        elif self._left is not None:
            self._left -= len(chunk)
        self._seen.seek(0, 2)
        self._seen.write(chunk)
        self._seen.seek(0)
        return chunk

    # -- for the application (PEP 3333) ------------------------------------------------------------------

    def read(self, size: int | None = -1, /) -> bytes:
        """As of a file."""
        if size is None or size < 0:
            return self._seen.read() + bytes(self._source.read(-1))
        data = self._seen.read(size)
        # Not for nothing: a server may wait for a byte where the body has no more.
        return data if len(data) == size else data + bytes(self._source.read(size - len(data)))

    def readline(self, size: int | None = -1, /) -> bytes:
        """As of a file."""
        line = self._seen.readline(-1 if size is None else size)
        if line.endswith(b"\n") or len(line) == size:
            return line
        rest: bytes = self._source.readline() if size is None or size < 0 else self._source.readline(size - len(line))
        return line + rest

    def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        """As of a file."""
        lines, total = [], 0
        for line in self:
            lines.append(line)
            total += len(line)
            if hint is not None and 0 < hint <= total:
                break
        return lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")


def _length(environ: Environ) -> int | None:
    """How long the body is; None: the server tells its end."""
    text = environ.get("CONTENT_LENGTH") or ""
    # Not int(): it takes "+5" and "1_0", which the server may have read as something else.
    if text.isascii() and text.isdigit():
        return int(text[:20])
    return None if environ.get("wsgi.input_terminated") else 0
