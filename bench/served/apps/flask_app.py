"""Flask: bare, with a token, with its own signed cookie, with Flask-Session on Redis, and with ours."""

# mypy: disable-error-code="import-not-found, import-untyped, misc, no-redef, possibly-undefined"

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request, session
from redis import Redis

from .shared import BARE, KIND, LIFETIME, REDIS, ROLE, SECRET, checked, coatcheck, data, shown, signed

app = Flask(__name__)
app.config.update(SECRET_KEY=SECRET, PERMANENT_SESSION_LIFETIME=LIFETIME)
ours: Any = session
"""What our extension makes of it."""


def text(body: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status, headers, content_type="text/plain; charset=utf-8")


if KIND == "bare":

    def login() -> Response:
        return text(BARE)

    def read() -> Response:
        return text(BARE)

    write = written = read

elif KIND == "jwt":

    def login() -> Response:
        user = request.args["user"]
        return text(f"{user} {ROLE}", headers=signed(user))

    def read() -> Response:
        claims = checked(request.headers.get("Authorization"))
        return text("who are you?", 401) if claims is None else text(shown(claims))

elif KIND in {"cookie", "flask-session"}:
    if KIND == "flask-session":
        from flask_session import Session

        app.config.update(SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(REDIS))
        Session(app)

    def login() -> Response:
        session.update(data(request.args["user"]))
        if KIND == "flask-session":
            interface: Any = app.session_interface
            interface.regenerate(session)
        return text(shown(session))

    def read() -> Response:
        return text(shown(session))

    def write() -> Response:
        session["n"] = request.args["n"]
        return text(shown(session, "n"))

    def written() -> Response:
        return text(shown(session, "n"))

else:
    from coatcheck import SessionManager
    from coatcheck.integrations.flask import Coatcheck

    Coatcheck(app, SessionManager(**coatcheck()))

    def login() -> Response:
        ours.login(request.args["user"])
        ours.update(role=ROLE, n=3)
        return text(f"{ours.user_id} {ours['role']}")

    def read() -> Response:
        return text(f"{ours.user_id} {ours.get('role')}")

    def write() -> Response:
        ours["n"] = request.args["n"]
        return text(f"{ours.user_id} {ours['n']}")

    def written() -> Response:
        return text(f"{ours.user_id} {ours.get('n')}")


app.add_url_rule("/login", view_func=login, methods=["POST"])
app.add_url_rule("/read", view_func=read)
if KIND != "jwt":
    app.add_url_rule("/write", view_func=write, methods=["POST"])
    app.add_url_rule("/n", view_func=written)
