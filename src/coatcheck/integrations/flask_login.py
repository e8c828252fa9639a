"""Beside Flask-Login: its remember cookie is neither honoured nor set, `remember=True` makes the session permanent.

That cookie is an HMAC of the user's id and nothing else: for 365 days it signs in whoever holds it, whatever was
revoked or which password was changed. So it is taken out of each request before Flask-Login sees it, and out of
each response after Flask-Login wrote it; a browser that still has one is told to delete it.

What the cookie said stays true all the same. `_remembered` in the session says since when it is one that lives longer
than the browser because of `remember=True`: such a session shows Flask-Login a cookie made for that one request, is no
longer fresh after a day, and `SESSION_PROTECTION = "strong"` ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Flask, Request, Response, session
from werkzeug.datastructures import ImmutableMultiDict

from ..session import Session
from .flask_session import FlaskSession

theirs: Any
try:
    import flask_login as theirs  # type: ignore[import-untyped,no-redef]  # it has no types
except ModuleNotFoundError:  # an application without it
    theirs = None

Now = Callable[[], float]

KEYS = ("_user_id", "_remember", "_remember_seconds", "_id", "_fresh")
"""What Flask-Login keeps in a session."""

SINCE = "_remembered"
"""The field: the seconds since the epoch of the last login or `confirm_login`; 0 where the session was permanent
anyway, as the application wants all of them to be."""

FRESH = timedelta(days=1)
"""How long a remembered login is a fresh one. Flask-Login's ends with the browser, which a server does not see; a day
is what NIST SP 800-63B-4, 2.2.3, gives a sign-in at most."""


def is_used(app: Flask) -> bool:
    """Whether the application has a LoginManager, which may come after our extension."""
    return theirs is not None and hasattr(app, "login_manager")


def take_out(app: Flask, request: Request, session: Session | None, now: Now) -> None:
    """Take the remember cookie out of a request. A session that is remembered has one made for it in its place, which
    never leaves this process: code asks for it (`login_remembered`, Flask-Security when a password changes)."""
    name = _name(app)
    others = [pair for pair in request.cookies.items(multi=True) if pair[0] != name]
    changed = name in request.cookies
    if changed:
        request.environ["coatcheck.remember_cookie"] = True
    since = None if session is None else dict.get(session, SINCE)
    if session is not None and since is not None:
        if since and now() - since > FRESH.total_seconds() and dict.get(session, "_fresh"):
            session["_fresh"] = False
        user_id, key = dict.get(session, "_user_id"), app.config.get("SECRET_KEY")
        if user_id is not None and key:
            others.append((name, theirs.encode_cookie(str(user_id), key=key)))
            changed = True
    if changed:
        vars(request)["cookies"] = ImmutableMultiDict(others)  # where a cached property lies


def leave_out(app: Flask, request: Request, response: Response) -> None:
    """Take the remember cookie out of a response, or have the browser delete the one that it sent."""
    name, headers = _name(app), response.headers
    others = [line for line in headers.getlist("Set-Cookie") if not line.startswith(f"{name}=")]
    headers.setlist("Set-Cookie", others)
    if request.environ.get("coatcheck.remember_cookie"):
        path, domain = app.config.get("REMEMBER_COOKIE_PATH", "/"), app.config.get("REMEMBER_COOKIE_DOMAIN")
        response.delete_cookie(name, path=path, domain=domain)


def watch(app: Flask, remember_for: timedelta | None, now: Now) -> Any:
    """Make sessions permanent that `login_user(remember=True)` asks to be remembered: for `duration`, else
    `REMEMBER_COOKIE_DURATION`, else `remember_for`, else as the policy says. Returns what has to be kept alive."""
    if theirs is None:
        return None

    def logged_in(app: Flask, **_: Any) -> None:
        if not isinstance(session, FlaskSession):
            return
        since = session.get(SINCE)
        if session.get("_remember") != "set":
            if since and session.user_id == str(session["_user_id"]):
                session[SINCE] = int(now())
            return
        del session["_remember"]
        session[SINCE] = 0 if session.permanent and not since else int(now())
        session.permanent = True
        asked = session.pop("_remember_seconds", None)
        lasts = app.config.get("REMEMBER_COOKIE_DURATION", remember_for) if asked is None else asked
        if lasts is not None:
            lasts = lasts if isinstance(lasts, timedelta) else timedelta(seconds=lasts)
            session.set_lifetime(idle=lasts, absolute=lasts)

    def confirmed(_: Flask, **__: Any) -> None:
        if isinstance(session, FlaskSession) and session.get(SINCE):
            session[SINCE] = int(now())

    def protected(app: Flask, **_: Any) -> None:
        # Flask-Login spares a permanent session: it takes that for the application's wish.
        mode = app.config.get("SESSION_PROTECTION", app.login_manager.session_protection)  # type: ignore[attr-defined]
        if mode == "strong" and isinstance(session, FlaskSession) and session.get(SINCE):
            for name in (SINCE, *KEYS):
                session.pop(name, None)
            session["_remember"] = "clear"

    theirs.user_logged_in.connect(logged_in, app)
    theirs.user_login_confirmed.connect(confirmed, app)
    theirs.session_protected.connect(protected, app)
    return logged_in, confirmed, protected


def _name(app: Flask) -> str:
    return str(app.config.get("REMEMBER_COOKIE_NAME", theirs.COOKIE_NAME))
