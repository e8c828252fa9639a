"""The kit's application in Quart: what `coatcheck.testing.AppContract` asks for. The environment says the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from quart import Quart, Response, jsonify, request, session, stream_with_context, websocket

from coatcheck.integrations.quart import Coatcheck, manager_from, session_from, ticket_from, ticket_gate
from coatcheck.testing.latch import passed
from tests.apps.ticking import TYPE, quiet

app = Quart(__name__)
Coatcheck(app)


@app.get("/me")
async def me() -> Response:
    """Who is signed in, and what was written."""
    return jsonify(user=session_from().user_id, fields=dict(session))


@app.get("/page")
async def page() -> str:
    """The handler does not look at the session."""
    return "the same for everybody"


@app.post("/login/<user>")
@app.post("/login-slowly/<user>")
async def login(user: str) -> str:
    """Signs in."""
    if latch := request.args.get("latch"):
        await passed(int(latch))
    session_from().login(user)
    return "ok"


@app.post("/logout")
@app.post("/fail-out")
async def logout() -> str:
    """Signs out."""
    session_from().logout()
    if request.path == "/fail-out":
        raise ZeroDivisionError
    return "ok"


@app.post("/rotate")
async def rotate() -> str:
    """Replaces handle and secret."""
    session_from().rotate()
    return "ok"


@app.post("/<any(write, fail, refuse):verb>/<name>/<value>")
async def write(verb: str, name: str, value: str) -> tuple[str, int]:
    """Looks at the session, waits, writes."""
    session.get(name)
    if latch := request.args.get("latch"):
        await passed(int(latch))
    session[name] = value
    if verb == "fail":
        raise ZeroDivisionError
    return "done", 403 if verb == "refuse" else 200


@app.post("/stream/<name>/<value>")
async def stream(name: str, value: str) -> Any:
    """Writes while the body goes out."""

    @stream_with_context
    async def body() -> AsyncIterator[str]:
        yield "started "
        session[name] = value
        yield "written"

    return body()


@app.get("/events")
async def events() -> Response:
    """Never ends by itself."""
    response = Response(quiet(), mimetype=TYPE)
    response.timeout = None
    return response


@app.websocket("/socket")
async def socket() -> None:
    """Says back what it hears."""
    await websocket.accept()
    while True:
        await websocket.send(await websocket.receive())


@app.get("/ticket")
async def ticket() -> str:
    """A ticket for the download."""
    return await manager_from().tickets.issue("download", {"file": "a.txt"}, session=session_from())


@app.get("/download")
@ticket_gate()
async def download() -> str:
    """Behind the gate."""
    return str(ticket_from().claims["file"])
