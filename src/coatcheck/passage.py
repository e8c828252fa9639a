"""A download by ticket, one request of it: which ticket it shows, and what follows. Without a framework or I/O.

A ticket is taken when the application's response starts, and only if that is a success: an error before it leaves
the ticket whole. HEAD, OPTIONS and prefetches never spend one. The session that used it may go on with the same
path by Range for a while.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal
from urllib.parse import parse_qs, unquote_plus

from .errors import StoreUnavailable, TicketError, TicketExpired, TicketInvalid, TicketRevoked, TicketSpent
from .replies import Reply, refusal, reply
from .tickets import Spent, Ticket

MAX_FORM = 16_384
"""Bytes of a posted form that are read for its ticket."""

MAX_PAIRS = 100

SAFE_HEADERS = {
    "referrer-policy": "no-referrer",  # the ticket is in the address of the page that links on
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}
"""What every answer has, in place of whatever the application says."""

_TITLES: dict[type[TicketError], tuple[int, str]] = {
    TicketInvalid: (403, "This link is not for you"),
    TicketExpired: (410, "This link has expired"),
    TicketSpent: (410, "This link was used before"),
    TicketRevoked: (410, "This link is no longer good"),
}


def in_query(query: str, parameter: str) -> tuple[str, str] | None:
    """The ticket in an address ("" where several are), and the query without it; None where there is none."""
    parts, found = query.split("&"), []
    for place, part in enumerate(parts):
        name, _, value = part.partition("=")
        if unquote_plus(name) == parameter:
            found.append(unquote_plus(value))
            # All else stays as it was sent.
            parts[place] = f"{name}=-"
    if not found:
        return None
    return (found[0] if len(found) == 1 else ""), "&".join(parts)


def in_form(body: bytes, parameter: str) -> str:
    """The ticket in a posted form, "" for none, several, or a form that is too long."""
    if len(body) > MAX_FORM or body.count(b"&") >= MAX_PAIRS:
        return ""
    values = parse_qs(body.decode("latin-1"), max_num_fields=MAX_PAIRS).get(parameter, [])
    return values[0] if len(values) == 1 else ""


def early(method: str, headers: Mapping[bytes, bytes]) -> Reply | None:
    """The answer to what never has to do with a ticket: OPTIONS, and prefetches."""
    if method == "OPTIONS":
        return Reply(204, [(b"allow", b"GET, HEAD, POST, OPTIONS")], b"")
    purposes = headers.get(b"sec-purpose", b"") + headers.get(b"purpose", b"") + headers.get(b"x-moz", b"")
    if b"prefetch" in purposes.lower():
        # A success would be kept for the click that follows, which then never reaches us.
        return reply(503, "Not before it is asked for", "Prefetching would use this link up.")
    return None


class Passage:
    """One request that shows a ticket."""

    def __init__(self, path: bytes, headers: Mapping[bytes, bytes], resume: timedelta) -> None:
        self._headers = headers
        self._resume = resume
        self.html = b"text/html" in headers.get(b"accept", b"")
        """Whether a person reads the answer."""
        self.note = sha256(path).hexdigest()[:32]
        """Kept with the first use: what was fetched."""
        self.ticket: Ticket | None = None
        self.resuming: Spent | None = None

    def seen(self, error: Spent, now: datetime) -> bool:
        """Enter that the ticket was used before: whether its session goes on with the same path, soon after."""
        resumes = (
            error.ticket is not None
            and error.note == self.note
            and b"range" in self._headers
            and error.used_at is not None
            and now - error.used_at <= self._resume
        )
        if resumes:
            self.ticket, self.resuming = error.ticket, error
        return resumes

    def step(self, status: int) -> Literal["send", "redeem"]:
        """What a response of that status asks for. Raises `TicketSpent` where it would be a second download."""
        if self.resuming is not None:
            # If-Range failed, or the application ignores Range.
            if status not in (206, 416) and status < 500:
                raise self.resuming
            return "send"
        return "send" if status >= 400 or status == 304 else "redeem"

    @staticmethod
    def attaches(status: int, names: set[str]) -> bool:
        """Whether a response with these headers (in lower case) is to be sent as a download (ASVS 3.2.1)."""
        return status in (200, 206) and "content-disposition" not in names

    def answer(self, error: TicketError | StoreUnavailable) -> Reply:
        """The page, or the line of text, of a refusal."""
        if isinstance(error, StoreUnavailable):
            return refusal(error, html=self.html)
        status, title = _TITLES[next(kind for kind in _TITLES if isinstance(error, kind))]
        text = str(error)
        return reply(status, title, text[:1].upper() + text[1:], html=self.html)


def with_page(answer: Reply, page: str) -> Reply:
    """A refusal with the application's own page in it."""
    body = page.encode()
    kept = [(name, value) for name, value in answer.headers if name != b"content-length"]
    return Reply(answer.status, [*kept, (b"content-length", str(len(body)).encode())], body)
