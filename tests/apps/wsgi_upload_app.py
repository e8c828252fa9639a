"""What the kit does not ask of a plain WSGI application: uploads in token mode, files, and the server's own log."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from coatcheck.integrations.wsgi import SessionMiddleware, manager_from, session_from
from coatcheck.integrations.wsgi_gate import TicketGate
from coatcheck.integrations.wsgi_response import Environ, StartResponse

FILE = Path(__file__)
TEXT = [("Content-Type", "text/plain; charset=utf-8")]


def file(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """A file, by the server's own wrapper."""
    session_from(environ).get("seen")
    start_response("200 OK", [*TEXT, ("Content-Length", str(FILE.stat().st_size))])
    wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](FILE.open("rb"))
    return wrapped


gate = TicketGate(file)


def pages(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """By their path."""
    session, body = session_from(environ), "ok"
    match environ["PATH_INFO"]:
        case "/file":
            return file(environ, start_response)
        case "/download":
            return gate(environ, start_response)
        case "/login":
            session.login("ada")
        case "/form":
            body = session.csrf_token
        case "/ticket":
            body = manager_from(environ).tickets.issue("download", {}, session=session)
        case "/log":
            body = Path(os.environ["APP_FOLDER"], "log").read_text()
        case "/upload":
            digest, left = hashlib.sha256(), int(environ["CONTENT_LENGTH"])
            while left and (chunk := environ["wsgi.input"].read(min(left, 60_000))):
                digest.update(chunk)
                left -= len(chunk)
            body = digest.hexdigest()
            session["upload"] = body
    start_response("200 OK", list(TEXT))
    return [body.encode()]


def main() -> SessionMiddleware:
    """For gunicorn; the environment says the store."""
    return SessionMiddleware(pages, csrf="token")
