"""The kit's application in Bottle: what `coatcheck.testing.AppContract` asks for. The environment says the store."""

# mypy: disable-error-code="import-untyped, untyped-decorator"
# Bottle has no types.

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bottle import Bottle, request, response

from coatcheck.integrations.wsgi import SessionMiddleware, manager_from, session_from
from coatcheck.integrations.wsgi_gate import TicketGate, ticket_from
from coatcheck.testing.latch import wait

bottle, files = Bottle(), Bottle()


def hold() -> None:
    if latch := request.query.get("latch"):
        wait(int(latch))


@bottle.get("/me")
def me() -> dict[str, Any]:
    session = session_from(request)
    return {"user": session.user_id, "fields": dict(session)}


@bottle.get("/page")
def page() -> str:
    return "the same for everybody"


@bottle.post("/login/<user>")
@bottle.post("/login-slowly/<user>")
def login(user: str) -> str:
    hold()
    session_from(request).login(user)
    return "ok"


@bottle.post("/logout")
@bottle.post("/fail-out")
def logout() -> str:
    session_from(request).logout()
    if request.path == "/fail-out":
        raise ZeroDivisionError
    return "ok"


@bottle.post("/rotate")
def rotate() -> str:
    session_from(request).rotate()
    return "ok"


@bottle.post("/stream/<name>/<value>")
def stream(name: str, value: str) -> Iterator[str]:
    yield "started "
    session_from(request)[name] = value
    yield "written"


@bottle.post("/<verb:re:write|fail|refuse>/<name>/<value>")
def write(verb: str, name: str, value: str) -> str:
    session = session_from(request)
    session.get(name)
    hold()
    session[name] = value
    if verb == "fail":
        raise ZeroDivisionError
    response.status = 403 if verb == "refuse" else 200
    return "done"


@bottle.get("/ticket")
def ticket() -> str:
    return manager_from(request).tickets.issue("download", {"file": "a.txt"}, session=session_from(request))


@files.route("/", method=["GET", "POST"])
def download() -> str:
    file: str = ticket_from(request).claims["file"]
    return file


bottle.mount("/download", TicketGate(files))
app = SessionMiddleware(bottle)
