"""Whether a contender does what it is said to do, asked from outside, before and after what is measured."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import NamedTuple

import httpx

from .apps.shared import BARE, ROLE
from .stage import Application

# Each visitor carries a credential by hand, so the client keeps none; nor does it hold a connection while wrk asks.
_client = httpx.Client(
    cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    limits=httpx.Limits(max_keepalive_connections=0),
    timeout=20,
)
VISITORS = 50
"""As many as there are connections: each has a session of its own."""


class Wrong(Exception):
    """An answer that is not the right one: then what it took says nothing."""


class Visitor(NamedTuple):
    """Who is signed in, and by which header."""

    user: str
    name: str
    value: str


def signed_in(application: Application) -> list[Visitor]:
    """The visitors of an application, after it has shown that it works. Raises `Wrong`."""
    if application.contender.kind == "bare":
        if ask(application, None, "GET", "/read") != BARE:
            raise Wrong(f"{application.contender.key}: not the bare page")
        return [Visitor(BARE.split()[0], "Cookie", "session=" + "x" * 86)] * VISITORS
    users = [f"user-{number}" for number in range(100, 100 + VISITORS)]
    visitors = [_sign_in(application, user) for user in users]
    ada, bob = visitors[:2]
    reads(application, ada)
    reads(application, bob)
    if ask(application, None, "GET", "/read").startswith("user-"):
        raise Wrong(f"{application.contender.key}: knows who shows nothing")
    forged = ada._replace(value=ada.value[:12] + ("A" if ada.value[12] != "A" else "B") + ada.value[13:])
    if ask(application, forged, "GET", "/read").startswith("user-"):
        raise Wrong(f"{application.contender.key}: knows who shows a changed credential")
    if "write" in application.contender.classes:
        response = _send(application, ada, "POST", "/write?n=before")
        moved = _credential(ada.user, response)
        holds(application, moved or ada, "before")
        if moved is None and ask(application, bob, "GET", "/n") != f"{bob.user} 3":
            raise Wrong(f"{application.contender.key}: one visitor's write is another's")
    return visitors


def reads(application: Application, visitor: Visitor) -> None:
    """The visitor is known. Raises `Wrong`."""
    _same(application, ask(application, visitor, "GET", "/read"), f"{visitor.user} {ROLE}")


def holds(application: Application, visitor: Visitor, *written: str) -> None:
    """What the visitor wrote last is there: one of these, if it is not known which. Raises `Wrong`."""
    shown = ask(application, visitor, "GET", "/n")
    if shown not in {f"{visitor.user} {one}" for one in written}:
        raise Wrong(f"{application.contender.key}: {shown!r}, but {' or '.join(written)} was written")


def _same(application: Application, shown: str, due: str) -> None:
    if shown != due:
        raise Wrong(f"{application.contender.key}: {shown!r} in place of {due!r}")


def ask(application: Application, visitor: Visitor | None, method: str, path: str) -> str:
    """The page that is answered, whatever the status."""
    return _send(application, visitor, method, path).text


def _send(application: Application, visitor: Visitor | None, method: str, path: str) -> httpx.Response:
    headers = {"Sec-Fetch-Site": "same-origin"}
    if visitor:
        headers[visitor.name] = visitor.value
    try:
        return _client.request(method, application.url + path, headers=headers)
    except httpx.HTTPError as error:
        raise Wrong(f"{application.contender.key}: {method} {path}: {error!r}") from error


def _sign_in(application: Application, user: str) -> Visitor:
    response = _send(application, None, "POST", f"/login?user={user}")
    visitor = _credential(user, response)
    if not response.is_success or response.text != f"{user} {ROLE}" or visitor is None:
        raise Wrong(f"{application.contender.key}: no login: {response.status_code} {response.text[:200]}")
    return visitor


def _credential(user: str, response: httpx.Response) -> Visitor | None:
    """What the answer gives the visitor to carry."""
    if "authorization" in response.headers:
        return Visitor(user, "Authorization", response.headers["authorization"])
    if "set-cookie" in response.headers:
        return Visitor(user, "Cookie", response.headers["set-cookie"].partition(";")[0])
    return None
