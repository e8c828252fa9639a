"""The kit's application in plain WSGI: what `coatcheck.testing.AppContract` asks for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qs

from coatcheck.integrations.wsgi import SessionMiddleware, manager_from, session_from
from coatcheck.integrations.wsgi_gate import TicketGate, ticket_from
from coatcheck.integrations.wsgi_response import Environ, StartResponse
from coatcheck.testing.latch import wait
from tests.apps.ticking import TYPE, ticks

TEXT, JSON = "text/plain; charset=utf-8", "application/json"


def body_of(environ: Environ) -> str:
    session, manager = session_from(environ), manager_from(environ)
    latch = parse_qs(environ["QUERY_STRING"]).get("latch")
    match environ["PATH_INFO"].split("/")[1:]:
        case ["me"]:
            return json.dumps({"user": session.user_id, "fields": dict(session)})
        case ["login" | "login-slowly", user]:
            if latch:
                wait(int(latch[0]))
            session.login(user)
        case ["logout" | "fail-out" as verb]:
            session.logout()
            if verb == "fail-out":
                raise ZeroDivisionError
        case ["rotate"]:
            session.rotate()
        case ["write" | "fail" | "refuse" as verb, name, value]:
            session.get(name)
            if latch:
                wait(int(latch[0]))
            session[name] = value
            if verb == "fail":
                raise ZeroDivisionError
        case ["ticket"]:
            return manager.tickets.issue("download", {"file": "a.txt"}, session=session)
    return "the same for everybody"


def stream(environ: Environ) -> Iterator[bytes]:
    _, _, name, value = environ["PATH_INFO"].split("/")
    yield b"started "
    session_from(environ)[name] = value
    yield b"written"


def download(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", TEXT)])
    return [ticket_from(environ).claims["file"].encode()]


gate = TicketGate(download)


def router(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/download":
        return gate(environ, start_response)
    if path == "/events":
        start_response("200 OK", [("Content-Type", TYPE)])
        return ticks()
    if path.startswith("/stream/"):
        start_response("200 OK", [("Content-Type", TEXT)])
        return stream(environ)
    body = body_of(environ)
    status = "403 Forbidden" if path.startswith("/refuse/") else "200 OK"
    start_response(status, [("Content-Type", JSON if path == "/me" else TEXT)])
    return [body.encode()]


app = SessionMiddleware(router)
