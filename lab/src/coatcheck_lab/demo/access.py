"""Who may see a page: nobody's refusal is a traceback, everybody's is a page that says how to go on."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from coatcheck import Session
from coatcheck.errors import ReauthenticationRequired
from coatcheck.integrations.starlette import session_from

from .state import state_of

PAGES = frozenset({"/", "/notes", "/devices", "/token", "/password", "/people", "/console"})
"""Where a sign-in may lead back to: a list, so that no address can be smuggled in."""


def signed_in(request: Request) -> Session:
    """The session, if somebody is signed in; else the sign-in page follows."""
    session = session_from(request)
    if not session.is_authenticated:
        raise ReauthenticationRequired("sign in to see this page")
    return session


def fresh(request: Request) -> Session:
    """The session, if its sign-in is recent (ASVS 7.5.1); else the password is asked for."""
    session = signed_in(request)
    if not session.is_fresh(state_of(request).settings.confirm_after):
        raise ReauthenticationRequired("confirm that it is you")
    return session


def is_administrator(session: Session) -> bool:
    """Whether the session is an administrator's."""
    return bool(session.get("role") == "administrator")


def administrator(request: Request) -> Session:
    """The session, if it is an administrator's; else 403."""
    session = signed_in(request)
    if not is_administrator(session):
        raise HTTPException(403, "This page is for administrators.")
    return session


def back(value: str | None) -> str:
    """The page that a form names to go on to, or the first page."""
    return value if value in PAGES else "/"


def see(path: str) -> Response:
    """Go on to a page of ours, by GET."""
    return RedirectResponse(path, 303)


async def ask_to_sign_in(request: Request, _: Exception) -> Response:
    """The answer to `ReauthenticationRequired`: the sign-in page, or the password alone."""
    page = "/confirm" if session_from(request).is_authenticated else "/sign-in"
    target = back("/" + request.url.path.split("/")[1])
    return see(f"{page}?{urlencode({'next': target})}" if target != "/" else page)
