"""Flask applications with the real Flask-Login: the old one, with the old sessions, and the new one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import flask
from flask import Flask, flash, get_flashed_messages, jsonify, session
from flask_login import (  # type: ignore[import-untyped]  # it has no types
    LoginManager,
    UserMixin,
    current_user,
    login_user,
    logout_user,
)
from markupsafe import Markup

from tests.apps.flask_tools import KEY, application

PLAIN: dict[str, Any] = {"cart": [1, {"a": None}], "n": 1.5}
RICH = {
    "at": datetime(2026, 1, 2, tzinfo=UTC),
    "pair": (1, "b"),
    "html": Markup("<b>"),
    "id": UUID(int=7),
    "raw": b"\x00\xff",
}


class User(UserMixin):  # type: ignore[misc]  # Flask-Login has no types
    """Whoever it is."""

    def __init__(self, name: str) -> None:
        self.id = name


def views(app: Flask) -> Flask:
    """The same views in both."""
    LoginManager(app).user_loader(User)

    @app.get("/login/<name>")
    def login(name: str) -> str:
        login_user(User(name))
        session.permanent = "permanent" in flask.request.args
        session.update(RICH if "rich" in flask.request.args else PLAIN)
        flash("Welcome")
        return ""

    @app.get("/visit")
    def visit() -> str:
        session["cart"] = [1]
        return ""

    @app.get("/logout")
    def logout() -> str:
        logout_user()
        return ""

    @app.get("/me")
    def me() -> str:
        return current_user.id if current_user.is_authenticated else "nobody"

    @app.get("/fields")
    def fields() -> str:
        return repr(sorted((name, value) for name, value in session.items() if not name.startswith("_")))

    @app.get("/flashed")
    def flashed() -> Any:
        return jsonify(get_flashed_messages())

    return app


def old_site(**config: Any) -> Flask:
    """Flask's own sessions."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY=KEY, TESTING=True, **config)
    return views(app)


def new_site(*sources: Any, settings: dict[str, Any] | None = None, **config: Any) -> Flask:
    """Ours, that read the old ones."""
    return views(application(settings={"legacy": list(sources), **(settings or {})}, **config))


def until() -> datetime:
    """The end of a period that begins now."""
    return datetime.now(UTC) + timedelta(days=7)
