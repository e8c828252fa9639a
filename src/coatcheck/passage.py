"""A download by ticket, one request of it: which ticket it shows, and what follows. Without a framework or I/O.

A ticket is taken when the application's response starts, and only if that is a success: an error before it leaves
the ticket whole. HEAD, OPTIONS and prefetches never spend one. The session that used it may go on with the same
path by Range for a while.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, TypedDict
from urllib.parse import parse_qs, unquote_plus

from .clock import as_datetime
from .engine import Plan
from .errors import StoreUnavailable, TicketError, TicketExpired, TicketInvalid, TicketRevoked, TicketSpent
from .exchange import CACHE_RULES
from .manager import AsyncSessionManager, SessionManager
from .replies import Reply, refusal, reply
from .session import Session
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

_REPLACED = (*SAFE_HEADERS, *CACHE_RULES)

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


def in_environ(environ: dict[str, Any], parameter: str) -> str | None:
    """The ticket in a WSGI request's address; None for none. The address loses it: servers log that when the response
    is over."""
    found = in_query(environ.get("QUERY_STRING", ""), parameter)
    for name in ("RAW_URI", "REQUEST_URI"):
        path, mark, query = str(environ.get(name, "")).partition("?")
        if mark and (hidden := in_query(query, parameter)):
            environ[name] = f"{path}?{hidden[1]}"
    if found is None:
        return None
    environ["QUERY_STRING"] = found[1]
    return found[0]


def is_short_form(method: str, length: int | None) -> bool:
    """Whether a body of that length may be read for its ticket at all, where a framework reads bodies whole."""
    return method == "POST" and length is not None and length <= MAX_FORM


def in_form(body: bytes, parameter: str) -> str:
    """The ticket in a posted form, "" for none, several, or a form that is too long."""
    if len(body) > MAX_FORM or body.count(b"&") >= MAX_PAIRS:
        return ""
    values = parse_qs(body.decode("latin-1"), max_num_fields=MAX_PAIRS).get(parameter, [])
    return values[0] if len(values) == 1 else ""


@dataclass(frozen=True)
class GateSettings:
    """What a gate asks for. It lets one answer out for each ticket of `purpose`, to the session that asked for it.

    It is for answers, such as files: of requests that come at once each may run the application, and one gets its
    answer. An action that must happen once (a payment, a confirmation) calls `manager.tickets.redeem` before it acts.
    """

    purpose: str = "download"
    parameter: str = "ticket"
    """The ticket's name in the query, or in a posted form."""
    resume: timedelta = timedelta(minutes=5)
    """For so long after the first use that session may fetch the same path by Range, in parallel too, also when the
    ticket has expired meanwhile."""
    page: Callable[..., str] | None = None
    """Makes your own page of a refusal, from the request, the error and the status; None, a plain one that says what
    happened and what to do."""
    attachment: bool = True
    """Send it as a download, also where a framework would say "inline" (ASVS 3.2.1)."""


class GateOptions(TypedDict, total=False):
    """The same beside `purpose`, as the keyword arguments of every framework's gate."""

    parameter: str
    resume: timedelta
    page: Callable[..., str] | None
    attachment: bool


class Passage:
    """One request that shows a ticket.

    Its plans are carried out by the manager, synchronous or not. `request` is what the settings' `page` gets.
    """

    ticket: Ticket | None = None
    opened: bool = False
    """Whether the application was let see the request."""
    _resuming: Spent | None = None
    _taken = False

    def __init__(
        self,
        settings: GateSettings,
        manager: SessionManager | AsyncSessionManager,
        session: Session,
        request: Any,
        *,
        jwt: str,
        method: str,
        path: str,
        headers: Mapping[bytes, bytes],
    ) -> None:
        self._settings, self._session, self._request = settings, session, request
        self._engine, self._tickets = manager.engine, manager.ticket_engine
        self._jwt, self._method, self._headers = jwt, method, headers
        self._note = sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        """Kept with the first use: what was fetched."""

    def opens(self) -> Plan[Reply | None]:
        """The answer to a request that the application does not see; None: it may answer."""
        if self._method == "OPTIONS":
            return _safe(Reply(204, [(b"allow", b"GET, HEAD, POST, OPTIONS")], b""))
        if self._is_prefetch():
            # A success would be kept for the click that follows, which then never reaches us.
            return _safe(reply(503, "Not before it is asked for", "Prefetching would use this link up."))
        settings = self._settings
        try:
            self.ticket = yield from self._tickets.peek(
                self._jwt, settings.purpose, self._session, resume=settings.resume
            )
        except (TicketError, StoreUnavailable) as error:
            if not self._resumes(error):
                return self._refusal(error)
        if self._method == "HEAD":
            return _safe(Reply(200, [], b""))
        self.opened = True
        return None

    def takes(self, status: int) -> Plan[Reply | None]:
        """Take the ticket for a response of that status. The refusal that goes out in its place; None: it may."""
        if self._taken or not self.opened:
            return None
        settings = self._settings
        try:
            if self._spends(status):
                yield from self._tickets.redeem(
                    self._jwt, settings.purpose, self._session, self._note, None, settings.resume
                )
                self._taken = True
        except (TicketError, StoreUnavailable) as error:
            if self._resuming is None and self._resumes(error):
                # Of parallel ranges one came first; the others resume.
                return (yield from self.takes(status))
            return self._refusal(error)
        return None

    def headers(self, status: int, own: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """The headers of a response, made safe."""
        kept = [pair for pair in own if not pair[0].lower().endswith(_REPLACED)]
        if self.opened and self._settings.attachment and status in (200, 206):
            said = [value for name, value in kept if name.lower() == "content-disposition"]
            kept = [pair for pair in kept if pair[0].lower() != "content-disposition"]
            # Frameworks say "inline" of a file that has a name: a page that somebody uploaded would be shown.
            kept.append(("content-disposition", re.sub(r"(?i)^\s*inline\b", "attachment", (said or ["attachment"])[0])))
        return [*kept, *SAFE_HEADERS.items()]

    def _spends(self, status: int) -> bool:
        """Whether a response of that status takes the ticket. Raises `TicketSpent` for a second download."""
        if self._resuming is None:
            return status < 400 and status != 304
        # If-Range failed, or the application ignores Range.
        if status not in (206, 416) and status < 500:
            raise self._resuming
        return False

    def _is_prefetch(self) -> bool:
        named = (self._headers.get(name, b"") for name in (b"sec-purpose", b"purpose", b"x-moz"))
        return b"prefetch" in b"".join(named).lower()

    def _resumes(self, error: TicketError | StoreUnavailable) -> bool:
        """Whether the ticket's session goes on with the same path, soon after its first use."""
        resumes = (
            isinstance(error, Spent)
            and error.ticket is not None
            and error.note == self._note
            and b"range" in self._headers
            and error.used_at is not None
            and as_datetime(self._engine.now()) - error.used_at <= self._settings.resume
        )
        if isinstance(error, Spent) and resumes:
            self.ticket, self._resuming = error.ticket, error
        return resumes

    def _refusal(self, error: TicketError | StoreUnavailable) -> Reply:
        """The page, or the line of text."""
        html, page = b"text/html" in self._headers.get(b"accept", b""), self._settings.page
        if isinstance(error, StoreUnavailable):
            return _safe(refusal(error, html=html))
        status, title = _TITLES[next(kind for kind in _TITLES if isinstance(error, kind))]
        if html and page is not None:
            body = page(self._request, error, status).encode()
            head = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode())]
            return _safe(Reply(status, head, body))
        text = str(error)
        return _safe(reply(status, title, text[:1].upper() + text[1:], html=html))


def _safe(answer: Reply) -> Reply:
    safe = {name.encode(): value.encode() for name, value in SAFE_HEADERS.items()}
    return answer._replace(headers=[*(pair for pair in answer.headers if pair[0] not in safe), *safe.items()])
