"""Flask-Session on Redis, as its documentation sets it up."""

# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

from typing import Any

from flask import Flask, request, session
from flask_session import Session
from redis import Redis

from . import gate

app = Flask(__name__)
app.config.update(SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(gate.REDIS))
Session(app)


def login() -> dict[str, Any]:
    session["user"] = "ada"
    interface: Any = app.session_interface
    interface.regenerate(session)
    return {}


def logout() -> dict[str, Any]:
    session.clear()
    return {}


def write() -> dict[str, Any]:
    saw = session.get("user")
    if "gate" in request.args:
        gate.wait()
    session[request.args["field"]] = 1
    return {"saw": saw}


def show() -> dict[str, Any]:
    return gate.shown(session)


def versions() -> dict[str, str]:
    return gate.versions("flask-session", "flask", "redis", "gunicorn")


for post in (login, logout, write):
    app.add_url_rule(f"/{post.__name__}", view_func=post, methods=["POST"])
app.add_url_rule("/session", view_func=show)
app.add_url_rule("/versions", view_func=versions)
