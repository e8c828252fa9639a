"""A running site, as a visitor without cookies sees it: where its paths lead, TLS, HSTS, plain http, its clock."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

from coatcheck.health import OFF, Check, skew
from coatcheck.hosts import serves_plain_http

from . import fetch, said
from .fetch import Answer, Unreachable

REDIRECTS = 5
"""How many are followed of each path, on the same host alone."""
_MOVED = (301, 302, 303, 307, 308)
_DAY = 86_400.0
_YEAR = 31_536_000
_SOON = 14.0
"""Days before a certificate's end from which on it is time to act."""


class Seen(NamedTuple):
    """An answer, and of what."""

    path: str
    """As it was asked for, without its query: that may hold a ticket."""
    https: bool
    answer: Answer


class Visit:
    """What one site says to the paths that it is asked for."""

    def __init__(self, url: str) -> None:
        """Raises `ValueError`, whose text says what is wrong with the URL and does not repeat it."""
        start = urlsplit(url)
        if start.scheme not in ("http", "https") or not start.hostname:
            raise ValueError("no address of a site: write https://example.com")
        if start.username is not None:
            raise ValueError("the site's URL holds a password, which ps shows to others: leave it out")
        _ = start.port  # raises for what is none
        self.start = start
        self.host: str = start.hostname
        self.local: bool = serves_plain_http(start.netloc.encode("ascii", "replace"))
        """Whether it is this machine, where plain http is on purpose."""
        self.seen: list[Seen] = []

    def go(self, path: str) -> Iterator[Check]:
        """Ask for a path, and follow where it leads on this host."""
        url = urlsplit(urljoin(self.start.geturl(), path))._replace(fragment="")
        label = said.shown(url.path or "/", 60)
        for count in range(REDIRECTS + 1):
            try:
                answer = fetch.get(url)
            except Unreachable as error:
                remedy = (
                    "Look at the server, and at the certificate"
                    if error.certificate
                    else "Is it running, and are host and port right?"
                )
                yield Check("fail", "tls" if error.certificate else "site", f"{label}: {error}", remedy)
                return
            self.seen.append(Seen(label, url.scheme == "https", answer))
            if answer.status not in _MOVED or not answer.first("location"):
                yield _status(label, answer.status)
                yield Check("ok", "redirect", f"{label}: {count or 'no'} redirect{'s' * (count != 1)}, on this host")
                return
            leads = self._leads(url, answer)
            if isinstance(leads, Check):
                yield leads._replace(text=f"{label}: {leads.text}")
                return
            url = leads
        text = f"{label}: more than {REDIRECTS} redirects, the rest of which were not followed"
        yield Check("warn", "redirect", text, "Look for a loop, as of a proxy and an application that both redirect")

    def _leads(self, url: SplitResult, answer: Answer) -> SplitResult | Check:
        try:
            target = urlsplit(urljoin(url.geturl(), answer.first("location")))._replace(fragment="")
            host, _ = target.hostname, target.port
        except ValueError:
            target, host = urlsplit(""), None
        if target.scheme not in ("http", "https") or not host:
            return Check("warn", "redirect", "it leads to no address of the web", "Correct its Location")
        if url.scheme == "https" and target.scheme == "http":
            text = "it leads from https back to plain http, as of an application that a proxy hides https from"
            return Check(
                "fail", "redirect", text, "Let the proxy say Host and X-Forwarded-Proto, and the server trust it"
            )
        if host != self.host:
            return Check("ok", "redirect", f"it leads to {said.shown(host, 60)}, another host, and was not followed")
        return target


def examine(visit: Visit, paths: Sequence[str]) -> Iterator[Check]:
    """Go to the URL's own path and to the others, and look at what carries the answers. `visit.seen` grows."""
    own = visit.start._replace(scheme="", netloc="", fragment="").geturl() or "/"
    for path in dict.fromkeys([own, *paths]):
        if not path.startswith("/") or path.startswith("//"):
            yield Check("warn", "site", "a --path that does not begin with one /", "Write --path /login")
            continue
        yield from visit.go(path)
        if not visit.seen:
            return  # what does not answer once is not asked again
    if visit.seen:
        yield from _plain_http(visit)
        secure = next((one.answer for one in visit.seen if one.https), None)
        if secure is not None:
            yield _tls(secure)
            yield _hsts(visit, secure)
        yield _date(visit.seen[0].answer)


def _status(label: str, status: int) -> Check:
    if status >= 500:
        return Check("fail", "site", f"{label}: {status}", "Look at its log: 503 is also the answer without a store")
    if status >= 400 and status not in (401, 403):
        return Check("warn", "site", f"{label}: {status}", "Name a page that there is")
    return Check("ok", "site", f"{label}: {status}")


def _tls(answer: Answer) -> Check:
    if answer.lasts is not None and answer.lasts < _SOON * _DAY:
        text = f"the certificate ends in {said.span(max(answer.lasts, 0))}"
        return Check("warn", "tls", text, "Renew it, and see why that did not happen by itself")
    return Check("ok", "tls", f"{answer.tls}, a certificate that is trusted, for {said.span(answer.lasts or 0)} more")


def _hsts(visit: Visit, answer: Answer) -> Check:
    if visit.local or _is_address(visit.host):
        return Check("ok", "hsts", "not looked for: browsers keep it for names that others reach")
    found = re.search(
        r'(?:^|;)\s*max-age\s*=\s*"?(\d{1,12})"?\s*(?:;|$)', answer.first("strict-transport-security"), re.IGNORECASE
    )
    remedy = f"Strict-Transport-Security: max-age={_YEAR}, from the proxy, on every answer"
    if found is None:
        text = "no Strict-Transport-Security: who is on the network keeps a visitor on plain http"
        return Check("warn", "hsts", text, remedy)
    if int(found[1]) < _YEAR:
        return Check("warn", "hsts", f"for {said.span(int(found[1]))}, less than a year", remedy)
    return Check("ok", "hsts", f"for {said.span(int(found[1]))}")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _plain_http(visit: Visit) -> Iterator[Check]:
    """A site of https on another port than its own has no plain http that could be known."""
    if visit.start.scheme == "http":
        answer = visit.seen[0].answer
        if visit.local and not _to_https(visit, answer):
            yield Check("ok", "plain-http", "served, to this machine")
            return
    elif visit.start.port in (None, 443):
        try:
            answer = fetch.get(visit.start._replace(scheme="http", netloc=_name(visit.host), path="/", query=""))
        except Unreachable:
            yield Check("ok", "plain-http", "nobody answers there")
            return
        visit.seen.append(Seen("/", False, answer))
    else:
        return
    if target := _to_https(visit, answer):
        yield Check("ok", "plain-http", f"it leads to https of {target}")
    elif answer.status >= 400:
        yield Check("ok", "plain-http", f"it serves nothing: {answer.status}")
    else:
        text = "it is served, and what a visitor sends there can be read and altered"
        yield Check("fail", "plain-http", text, "Redirect http:// to https:// of the same host, and send HSTS there")


def _name(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _to_https(visit: Visit, answer: Answer) -> str:
    """Where an answer of plain http leads by https, as it may be printed; "" for nowhere."""
    if answer.status not in _MOVED:
        return ""
    try:
        target = urlsplit(answer.first("location"))
        host = target.hostname
    except ValueError:
        return ""
    if target.scheme != "https" or not host:
        return ""
    return "the same host" if host == visit.host else said.shown(host, 60)


def _date(answer: Answer) -> Check:
    try:
        there = parsedate_to_datetime(answer.first("date")[:64]).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return Check(
            "warn", "date", "it sends no Date: its clock is unknown", "Have the server send it (RFC 9110, 6.6.1)"
        )
    age = answer.first("age")
    kept = int(age) if re.fullmatch(r"\d{1,9}", age) else 0
    off = skew(there + kept, answer.before, answer.after, grain=1.0)
    if abs(off) > OFF:
        return Check("warn", "date", f"{off:+.0f} s from ours", "See to NTP on both machines")
    return Check("ok", "date", "as ours, to the second")
