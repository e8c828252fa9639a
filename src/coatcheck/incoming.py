"""A request's headers and raw path, as its server tells them: ASGI's scope, WSGI's environ, Django's META."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import quote


def joined(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The headers of an ASGI scope."""
    pairs = pairs if type(pairs) is list else list(pairs)
    headers = dict(pairs)
    if len(headers) != len(pairs):
        # HTTP/2 splits Cookie; a header that must be single and is not joins to a value nobody trusts.
        # In one go: to join them one by one takes a time that grows with the square of their number.
        several: dict[bytes, list[bytes]] = {}
        for name, value in pairs:
            several.setdefault(name, []).append(value)
        headers = {name: (b"; " if name == b"cookie" else b", ").join(all_) for name, all_ in several.items()}
    return headers


_CONTENT = {"CONTENT_TYPE": b"content-type", "CONTENT_LENGTH": b"content-length"}


@lru_cache(512)  # the usual ones come with every request
def _header(name: str) -> bytes | None:
    """The name of a header as it was sent, in lower case: `HTTP_USER_AGENT`, `user-agent`. None: it is no header."""
    return name[5:].replace("_", "-").lower().encode("latin-1") if name.startswith("HTTP_") else None


def environ_headers(environ: Mapping[str, object]) -> dict[bytes, bytes]:
    """The headers in a WSGI environ, or in Django's META."""
    headers = {
        header: str(value).encode("latin-1", "replace")
        for name, value in environ.items()
        if (header := _header(name)) is not None
    }
    for name, header in _CONTENT.items():
        if value := environ.get(name):
            headers[header] = str(value).encode("latin-1", "replace")
    return headers


def environ_path(environ: Mapping[str, object]) -> str:
    """The raw path, where the server tells it; else the path that the application routes by, encoded anew."""
    raw = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "")
    if raw.startswith("/"):
        return raw.partition("?")[0]
    path = f"{environ.get('SCRIPT_NAME') or ''}{environ.get('PATH_INFO') or '/'}"
    return quote(path.encode("latin-1", "replace"), safe="/!$&'()*+,;=:@~")


def is_handshake(environ: Mapping[str, object]) -> bool:
    """Whether a WSGI request opens a websocket, as some servers and Flask's extensions let it."""
    upgrade = str(environ.get("HTTP_UPGRADE", "")).strip().lower()
    return upgrade == "websocket" and environ.get("REQUEST_METHOD") == "GET"
