"""The kit's application in Flask: what `coatcheck.testing.AppContract` asks for. The environment says the store."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask, Response, jsonify, request, session, stream_with_context

from coatcheck.integrations.flask import Coatcheck, manager_from, session_from, ticket_from, ticket_gate
from coatcheck.testing.latch import wait
from tests.apps.ticking import TYPE, ticks

app = Flask(__name__)
Coatcheck(app)


@app.get("/me")
def me() -> Response:
    """Who is signed in, and what was written."""
    return jsonify(user=session_from().user_id, fields=dict(session))


@app.get("/page")
def page() -> str:
    """The handler does not look at the session."""
    return "the same for everybody"


@app.post("/login/<user>")
@app.post("/login-slowly/<user>")
def login(user: str) -> str:
    """Signs in."""
    if latch := request.args.get("latch"):
        wait(int(latch))
    session_from().login(user)
    return "ok"


@app.post("/logout")
@app.post("/fail-out")
def logout() -> str:
    """Signs out."""
    session_from().logout()
    if request.path == "/fail-out":
        raise ZeroDivisionError
    return "ok"


@app.post("/rotate")
def rotate() -> str:
    """Replaces handle and secret."""
    session_from().rotate()
    return "ok"


@app.post("/<any(write, fail, refuse):verb>/<name>/<value>")
def write(verb: str, name: str, value: str) -> tuple[str, int]:
    """Looks at the session, waits, writes."""
    session.get(name)
    if latch := request.args.get("latch"):
        wait(int(latch))
    session[name] = value
    if verb == "fail":
        raise ZeroDivisionError
    return "done", 403 if verb == "refuse" else 200


@app.post("/stream/<name>/<value>")
def stream(name: str, value: str) -> Iterator[str]:
    """Writes while the body goes out."""

    def body() -> Iterator[str]:
        yield "started "
        session[name] = value
        yield "written"

    return stream_with_context(body())


@app.get("/events")
def events() -> Response:
    """Never ends by itself."""
    return Response(ticks(), mimetype=TYPE)


@app.get("/ticket")
def ticket() -> str:
    """A ticket for the download."""
    return manager_from().tickets.issue("download", {"file": "a.txt"}, session=session_from())


@app.get("/download")
@ticket_gate()
def download() -> str:
    """Behind the gate."""
    return str(ticket_from().claims["file"])
