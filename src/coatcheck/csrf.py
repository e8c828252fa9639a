"""Requests that another site made in the user's name: found by what the browser says, or by a missing token.

The order of the checks is Go 1.25's `CrossOriginProtection`, but for two: the scheme of Origin is compared
too, and an exempt path is compared as it came. "same-site" is refused: a sibling domain may be anybody's.
Without both headers a request passes this step, since no browser sent it.
"""

from __future__ import annotations

import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from hmac import compare_digest

from .errors import ConfigurationError

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, section 9.2.1); TRACE and unknown ones count as unsafe."""

FIELD = "_csrf"
"""Name of the form field that carries the token."""

HEADER = "X-Coatcheck-CSRF"
"""Name of the request header that carries the token, for scripts."""

SCAN_LIMIT = 64 * 1024
"""Bytes of a body in which the token's field has to come: put it before the file inputs."""

SECRET_BYTES = 32
TOKEN_LENGTH = 86
"""Characters of a masked token: 64 bytes in base64 without padding."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused. `public` and `log` are one line of printable ASCII, under 1,000 characters."""

    reason: str
    """A machine's word: cross-site, same-site, unknown-site, foreign-origin, token-missing or token-wrong."""
    public: str
    """The sentence for the page: nothing in it needs escaping in HTML."""
    log: str
    """The operator's line, with the remedy."""
    status: int = 403


# -- where a request comes from --------------------------------------------------------------------------

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PAGE_SCHEMES = {"ws": "http", "wss": "https"}
_ORIGIN = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]{0,31})://([A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?"
)
_RAW_PATH = re.compile(r"/[A-Za-z0-9\-._~!$&'()+,;=:@%/]*")


def _normal(text: str) -> str | None:
    """An origin in the spelling of browsers (lower case, no default port); None for anything else."""
    found = _ORIGIN.fullmatch(text)
    if found is None:
        return None
    scheme, host, port = found[1].lower(), found[2].lower(), found[3]
    if port is None or int(port) == _DEFAULT_PORTS.get(scheme):
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{int(port)}" if 0 < int(port) < 65_536 else None


def own_origin(scheme: str, host_header: str) -> str:
    """The origin under which a request was made, or "" (which equals no Origin) if Host is not a host.

    `scheme` is http, https, ws or wss; a websocket's page has the origin of http or https.
    """
    return _normal(f"{_PAGE_SCHEMES.get(scheme, scheme)}://{host_header}") or ""


def _clean(text: str) -> str:
    """What came from the network, fit for one line of a log: at most 200 characters of visible ASCII."""
    shown = "".join(char if "!" <= char <= "~" else "?" for char in text[:200])
    return shown + "..." if len(text) > 200 else shown


def _request(method: str, raw_path: str) -> str:
    # Without the query: it may carry a ticket.
    return f"{_clean(method)} {_clean(raw_path.partition('?')[0])}"


class OriginCheck:
    """Tells requests of other sites by Fetch Metadata, else by Origin. Immutable; made once.

    `trusted_origins` are other origins that may send requests, such as "https://app.example". `exempt` are
    paths that anybody may post to (a webhook that checks a signature itself), compared exactly with the
    path as it came, percent-encoded and without the query. Both are empty by default.
    Raises `ConfigurationError` for an entry that could match more, or never, than it seems to.
    """

    __slots__ = ("_exempt", "_trusted")

    def __init__(self, trusted_origins: Iterable[str] = (), exempt: Iterable[str] = ()) -> None:
        self._trusted = frozenset(map(_trusted, _listed("trusted_origins", trusted_origins)))
        self._exempt = frozenset(map(_exempt, _listed("csrf_exempt", exempt)))

    def check(
        self,
        method: str,
        raw_path: str,
        own_origin: str,
        origin: str | None,
        sec_fetch_site: str | None,
        websocket: bool = False,
    ) -> Refusal | None:
        """None if the request may go on, else why not. Never raises, whatever the network sent.

        `own_origin` is as the function of that name gives it. A header that came more than once is passed
        joined by commas, one that did not come as None; an empty one did come. A websocket's handshake is
        checked whatever its method (ASVS 4.4.2).
        """
        if method in SAFE and not websocket:
            return None
        if raw_path in self._exempt:
            return None
        sent = _normal(origin) if origin is not None else None
        if sent is not None and sent in self._trusted:
            return None
        if sec_fetch_site is None:
            if origin is None or (sent is not None and sent == own_origin):
                return None
            reason = "foreign-origin"
            evidence = f"Origin {_clean(origin)} is not {_clean(own_origin) or 'ours, as Host is missing or invalid'}"
        else:
            if sec_fetch_site in {"same-origin", "none"}:
                return None
            reason = sec_fetch_site if sec_fetch_site in {"cross-site", "same-site"} else "unknown-site"
            evidence = f"Sec-Fetch-Site is {_clean(sec_fetch_site)}"
            if origin is not None:
                evidence += f", Origin {_clean(origin)}"
        return Refusal(
            reason,
            f"This form came from another site{f' ({sent})' if sent else ''}; nothing was changed.",
            f"{_request('websocket' if websocket else method, raw_path)} refused: {evidence}."
            f"{_remedy(origin, sent, own_origin if sec_fetch_site is None else None)}",
        )


def _remedy(origin: str | None, sent: str | None, own: str | None) -> str:
    """What the operator may do about it; `own` is given where it was compared."""
    if origin == "null":
        return " A sandboxed frame, a local file, or a page with Referrer-Policy: no-referrer sends null."
    remedy = f' Your own front end? trusted_origins=["{sent}"].' if sent else ""
    if own is None:
        return remedy
    if sent and sent.partition("://")[2] == own.partition("://")[2]:
        return remedy + " A proxy? Pass the scheme on."
    return remedy + " A proxy? Pass Host on."


def _listed(setting: str, given: Iterable[str]) -> list[str]:
    if isinstance(given, str):
        raise ConfigurationError(f"{setting}={given!r} is one string. Give a list: [{given!r}].")
    return list(given)


def _trusted(given: str) -> str:
    normal = _normal(given)
    if normal is None or normal.partition(":")[0] in _PAGE_SCHEMES:
        raise ConfigurationError(
            f"trusted_origins: {given!r} is not an origin. Give the page's scheme://host or scheme://host:port and "
            "nothing else: no path, no final slash, no wildcard, no null, no ws; other letters than a to z as xn--."
        )
    return normal


def _exempt(given: str) -> str:
    if not _RAW_PATH.fullmatch(given):
        raise ConfigurationError(
            f"csrf_exempt: {given!r} is not a path. Give each path in full, from its first slash and without "
            "the query, percent-encoded as browsers send it: no wildcard, no pattern, no host."
        )
    return given


# -- the synchroniser token ------------------------------------------------------------------------------


def _b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(SECRET_BYTES)


def mint(secret: bytes) -> str:
    """A token for a session's 32-byte secret, masked anew by each call: compressed pages leak nothing (BREACH).

    Raises ValueError for a secret of another length.
    """
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a CSRF secret has {SECRET_BYTES} bytes")
    pad = secrets.token_bytes(SECRET_BYTES)
    return _b64(pad + _xor(pad, secret))


def matches(secret: bytes, token: str) -> bool:
    """Whether `token` was minted for that secret. Constant time, bounded; False for anything that is no token."""
    if len(token) != TOKEN_LENGTH:
        return False
    try:
        data = urlsafe_b64decode(token + "==")
    except ValueError:
        return False
    # The decoder skips what is not base64 and ignores unused bits, but a token has one spelling.
    return _b64(data) == token and compare_digest(_xor(data[:SECRET_BYTES], data[SECRET_BYTES:]), secret)


def refuse_token(method: str, raw_path: str, *, shown: bool) -> Refusal:
    """The refusal of a request whose session asks for a token: none was shown, or one that is not its own."""
    request = _request(method, raw_path)
    if shown:
        return Refusal(
            "token-wrong",
            "This form is out of date; nothing was changed. Go back, reload that page, and send it again.",
            f"{request} refused: the CSRF token is not this session's. Login and logout bring a new one: a page "
            "from before has to be loaded again.",
        )
    return Refusal(
        "token-missing",
        "This form lacks its security token; nothing was changed. Go back, reload that page, and send it again.",
        f"{request} refused: no CSRF token. Send session.csrf_token in the form's field {FIELD}, before any file "
        f"and within {SCAN_LIMIT} bytes, or in the header {HEADER}. A webhook belongs in csrf_exempt.",
    )


class TokenScanner:
    """Finds the token's field in the first bytes of a form's body, as they come, without parsing the form.

    It need not be a parser, since only a valid, unguessable token is ever accepted: who can make it find
    something else can only be refused. It finds the field as browsers and HTTP clients write it: the first
    of that name, in a form that is URL-encoded or multipart. JSON is not scanned; such clients send the header.

    Feed it while it is not `done`, then ask for the `token`. Time is linear in what it is fed, memory
    bounded by `SCAN_LIMIT`. It never raises for what the network sent.
    """

    __slots__ = ("_buffer", "_last", "_looked", "_room", "_scan", "done", "token")

    def __init__(self, content_type: str, field: str = FIELD) -> None:
        """`content_type` is the request's header ("" for none); `field` has letters, digits, _, . and - only, or
        ValueError is raised."""
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", field):
            raise ValueError("a token's field is named by letters, digits, _, . and -")
        self.token: str | None = None
        """The field's value; None while and if it has not been found."""
        self.done: bool = False
        """Whether the search is over: found, not in the form, not within the limit, or no form at all."""
        self._buffer = bytearray()
        self._looked = 0
        self._room = SCAN_LIMIT
        self._last = b""
        media_type = content_type.partition(";")[0].strip().lower()
        boundary = _BOUNDARY.search(content_type)
        if media_type == "application/x-www-form-urlencoded":
            self._scan = self._urlencoded(field.encode("ascii"))
            self._buffer += b"&"
            self._last = b"&"
        elif media_type == "multipart/form-data" and boundary:
            self._buffer += b"\r\n"
            self._scan = self._multipart(field.encode("ascii"), (boundary[1] or boundary[2]).encode("latin-1"))
        else:
            self.done = True

    def feed(self, chunk: bytes, *, last: bool = False) -> bool:
        """Take the body's next bytes; `last` says that no more will come. Returns `done`."""
        if self.done:
            return True
        self._buffer += chunk[: self._room]
        if last and len(chunk) <= self._room:
            self._buffer += self._last
        self._room -= len(chunk)
        try:
            next(self._scan)
        except StopIteration as found:
            self.token = found.value
            self.done = True
        if last or self._room <= 0:
            self.done = True
        if self.done:
            self._buffer.clear()
        return self.done

    def _until(self, mark: bytes) -> Generator[None, None, bytes]:
        """The bytes before the next `mark`; takes them and the mark away. A new chunk starts no new search."""
        while (at := self._buffer.find(mark, self._looked)) < 0:
            self._looked = max(0, len(self._buffer) - len(mark) + 1)
            yield
        taken = bytes(self._buffer[:at])
        del self._buffer[: at + len(mark)]
        self._looked = 0
        return taken

    def _urlencoded(self, field: bytes) -> Generator[None, None, str]:
        yield from self._until(b"&" + field + b"=")
        # Nothing in a token's alphabet, or a field's, is ever percent-encoded.
        return (yield from self._until(b"&")).decode("latin-1")

    def _multipart(self, field: bytes, boundary: bytes) -> Generator[None, None, str]:
        mark = b"\r\n--" + boundary
        yield from self._until(mark)
        while True:
            head = yield from self._until(b"\r\n\r\n")
            value = yield from self._until(mark)
            if _part_name(head) == field:
                return value.decode("latin-1")


_BOUNDARY = re.compile(r"""(?ai);[ \t]*boundary=(?:"([ -!#-~]{1,70})"|([!#-:<-~]{1,70})(?![^ \t;]))""")
"""RFC 2046, section 5.1.1: at most 70 characters."""


_PARAMETER = re.compile(rb""";[ \t]*([^\s;="]{1,40})[ \t]*=[ \t]*(?:"([^"]*)"|([^\s;"]*))""")
"""A file's name may hold a semicolon and whatever else, in quotes."""


def _part_name(head: bytes) -> bytes | None:
    for line in head.split(b"\r\n"):
        kind, _, rest = line.partition(b":")
        if kind.strip().lower() == b"content-disposition":
            for key, quoted, plain in _PARAMETER.findall(rest):
                if key.lower() == b"name":
                    return bytes(quoted or plain)
    return None
