"""Beside Flask-Login: its remember cookie is neither honoured nor set, `remember=True` makes the session permanent.

That cookie is an HMAC of the user's id and nothing else: for 365 days it signs in whoever holds it, whatever was
revoked or which password was changed. So it is taken out of each request before Flask-Login sees it, and out of
each response after Flask-Login wrote it; a browser that still has one is told to delete it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Flask, Request, Response, session
from werkzeug.datastructures import ImmutableMultiDict

from .flask_session import FlaskSession

try:
    from flask_login import COOKIE_NAME, user_logged_in  # type: ignore[import-untyped]  # it has no types
except ImportError:  # an application without it
    COOKIE_NAME, user_logged_in = "remember_token", None


def is_used(app: Flask) -> bool:
    """Whether the application has a LoginManager, which may come after our extension."""
    return user_logged_in is not None and hasattr(app, "login_manager")


def take_out(app: Flask, request: Request) -> None:
    """Take the remember cookie out of a request."""
    name = _name(app)
    if name in request.cookies:
        request.environ["coatcheck.remember_cookie"] = True
        others = [pair for pair in request.cookies.items(multi=True) if pair[0] != name]
        vars(request)["cookies"] = ImmutableMultiDict(others)  # where a cached property lies


def leave_out(app: Flask, request: Request, response: Response) -> None:
    """Take the remember cookie out of a response, or have the browser delete the one that it sent."""
    name, headers = _name(app), response.headers
    others = [line for line in headers.getlist("Set-Cookie") if not line.startswith(f"{name}=")]
    headers.setlist("Set-Cookie", others)
    if request.environ.get("coatcheck.remember_cookie"):
        path, domain = app.config.get("REMEMBER_COOKIE_PATH", "/"), app.config.get("REMEMBER_COOKIE_DOMAIN")
        response.delete_cookie(name, path=path, domain=domain)


def watch(app: Flask, remember_for: timedelta | None) -> Any:
    """Make sessions permanent that `login_user(remember=True)` asks to be remembered: for `duration`, else
    `REMEMBER_COOKIE_DURATION`, else `remember_for`, else as the policy says. Returns what has to be kept alive."""
    if user_logged_in is None:
        return None

    def remembered(app: Flask, **_: Any) -> None:
        if not isinstance(session, FlaskSession) or session.get("_remember") != "set":
            return
        del session["_remember"]
        session.permanent = True
        asked = session.pop("_remember_seconds", None)
        lasts = app.config.get("REMEMBER_COOKIE_DURATION", remember_for) if asked is None else asked
        if lasts is not None:
            lasts = lasts if isinstance(lasts, timedelta) else timedelta(seconds=lasts)
            session.set_lifetime(idle=lasts, absolute=lasts)

    user_logged_in.connect(remembered, app)
    return remembered


def _name(app: Flask) -> str:
    return str(app.config.get("REMEMBER_COOKIE_NAME", COOKIE_NAME))
