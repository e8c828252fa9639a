"""One GET of a site, bounded in time and bytes: status and headers. Its body is not read, and nothing is kept."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from typing import Any, NamedTuple
from urllib.parse import SplitResult, quote

from coatcheck.errors import CoatcheckError

TIMEOUT = 5.0
"""Seconds for each address's connection, for TLS, and for all of the answer's headers."""
MAX_BYTES = 65_536
"""Bytes that are read of an answer."""
_SAFE = "%/?:@-._~!$&'()*+,;=[]"
"""What may stand in a request's target (RFC 3986), and what was encoded already."""
_HEADERS = {"User-Agent": "coatcheck-doctor", "Accept": "text/html,*/*;q=0.5", "Connection": "close"}


class Unreachable(CoatcheckError):
    """No answer, and why: in words of our own, none of them the site's."""

    def __init__(self, text: str, *, certificate: bool = False) -> None:
        super().__init__(text)
        self.certificate = certificate
        """Whether its certificate was the reason."""


class Answer(NamedTuple):
    """What a site said. Its headers are a stranger's text, and hold credentials."""

    status: int
    headers: tuple[tuple[str, str], ...]
    before: float
    after: float
    """Seconds since the epoch when it was asked, and when it had answered."""
    tls: str | None
    """The version of TLS; None for plain http."""
    lasts: float | None
    """Seconds for which its certificate is still valid."""

    def __repr__(self) -> str:
        return f"<Answer {self.status}>"

    def all(self, name: str) -> list[str]:
        """The values of a header, as often as it came; the name in lower case."""
        return [value for key, value in self.headers if key.lower() == name]

    def first(self, name: str) -> str:
        """The first of them, or ""."""
        return next(iter(self.all(name)), "")


def get(url: SplitResult) -> Answer:
    """Ask once, as a visitor without cookies does. Raises `Unreachable`."""
    host = url.hostname or ""
    try:
        port = url.port or (443 if url.scheme == "https" else 80)
        if url.scheme == "https":
            context = ssl.create_default_context()
            context.set_alpn_protocols(["http/1.1"])
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=TIMEOUT, context=context
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        try:
            return _ask(connection, url)
        finally:
            connection.close()
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(f"its certificate is refused: {error.verify_message}", certificate=True) from None
    except ssl.SSLError as error:
        raise Unreachable(f"TLS fails ({error.reason or 'closed'})", certificate=True) from None
    except TimeoutError:
        raise Unreachable(f"no answer within {TIMEOUT:.0f} s") from None
    except OSError as error:
        raise Unreachable(error.strerror or type(error).__name__) from None
    except (http.client.HTTPException, ValueError) as error:
        # Their texts repeat what came.
        raise Unreachable(f"what it answers is no HTTP ({type(error).__name__})") from None


def _ask(connection: http.client.HTTPConnection, url: SplitResult) -> Answer:
    connection.connect()
    stream = connection.sock
    before = time.time()
    # No Sec-Fetch-Site: by it an application knows of https behind a proxy that hides it, and not every browser has it.
    target = url._replace(scheme="", netloc="", fragment="").geturl() or "/"
    connection.request("GET", quote(target, safe=_SAFE), headers=_HEADERS)
    response = http.client.HTTPResponse(_Bounded(stream), method="GET")  # type: ignore[arg-type]
    response.begin()
    after = time.time()
    version = lasts = None
    if isinstance(stream, ssl.SSLSocket):
        version = stream.version()
        until = (stream.getpeercert() or {}).get("notAfter")
        lasts = ssl.cert_time_to_seconds(until) - after if isinstance(until, str) else None
    return Answer(response.status, tuple(response.getheaders()), before, after, version, lasts)


class _Bounded:
    """What `HTTPResponse` takes for a socket."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream

    def makefile(self, *_: Any) -> io.BufferedReader:
        return io.BufferedReader(_Source(self._stream), 8192)


class _Source(io.RawIOBase):
    """A socket's bytes until a deadline: one that sends a byte now and then, or headers without end, holds nobody."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream, self._until, self._left = stream, time.monotonic() + TIMEOUT, MAX_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self._left <= 0:
            raise http.client.HTTPException
        self._stream.settimeout(left)
        size = self._stream.recv_into(memoryview(buffer)[: self._left])
        self._left -= size
        return size
