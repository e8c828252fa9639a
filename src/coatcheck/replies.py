"""The answers that Coatcheck gives in place of the application's: plain words, for people and for programs."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from .errors import CoatcheckError, CSRFError, ReauthenticationRequired, StoreUnavailable, TicketError, TicketInvalid


class Reply(NamedTuple):
    """A whole response. Header names are lower-case."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def text_headers(self) -> list[tuple[str, str]]:
        """The headers, for a framework that has them as text."""
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers]


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<h1>{title}</h1>
<p>{text}</p>
"""


def reply(
    status: int, title: str, text: str, *, html: bool = False, headers: tuple[tuple[str, str], ...] = ()
) -> Reply:
    """A page for a browser (`html`), one line of text for anything else. Never cached, never a cookie."""
    if html:
        body, kind = _PAGE.format(title=escape(title), text=escape(text)), "text/html"
    else:
        body, kind = f"{title}. {text}\n", "text/plain"
    data = body.encode()
    return Reply(
        status,
        [
            (b"content-type", f"{kind}; charset=utf-8".encode()),
            (b"content-length", str(len(data)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            *((name.encode(), value.encode("latin-1", "replace")) for name, value in headers),
        ],
        data,
    )


def refusal(error: CoatcheckError, *, html: bool = False) -> Reply:
    """The answer to a fault or a refusal that the application does not answer itself, with the status that
    `errors` says."""
    if isinstance(error, ReauthenticationRequired):
        return reply(401, "Please sign in again", _sentence(error), html=html)
    if isinstance(error, (CSRFError, TicketError)):
        status = 403 if isinstance(error, (CSRFError, TicketInvalid)) else 410
        return reply(status, "This request was refused", _sentence(error), html=html)
    wait = str(error.retry_after if isinstance(error, StoreUnavailable) else 30)
    return reply(
        503,
        "Please try again in a moment",
        "Your session could not be read or saved just now. Nothing was changed, and you are not signed out.",
        html=html,
        headers=(("retry-after", wait),),
    )


def forbidden(text: str, *, html: bool = False) -> Reply:
    """The answer to a request from another site, or without its token."""
    return reply(403, "This request was refused", text, html=html, headers=(("vary", "Sec-Fetch-Site, Origin"),))


def too_late(html: bool = False) -> Reply:
    """The answer where a value could not be stored: a mistake in the application, raised after it."""
    return reply(500, "Something went wrong", "Your last change was not saved. It is not your fault.", html=html)


def _sentence(error: CoatcheckError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]
