"""Plain WSGI: Coatcheck without a framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from coatcheck import SessionManager
from coatcheck.integrations.wsgi import SessionMiddleware, session_from

from .asking import Wsgi
from .ours import READS, kept
from .world import UNTOUCHED, Place, World, changed, crowd, shown


def app(page: Callable[[Any], str]) -> Callable[[Any, Any], Iterable[bytes]]:
    def serve(environ: Any, start_response: Any) -> Iterable[bytes]:
        body = page(environ).encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    return serve


def untouched(_: Any) -> str:
    return UNTOUCHED


def show(environ: Any) -> str:
    session = session_from(environ)
    return shown(session.user_id, session.get("role"), session.get("n"))


def change(environ: Any) -> str:
    session = session_from(environ)
    user = str(session.user_id)
    session["n"] = crowd.write(user)
    return changed(user)


def sign_in(environ: Any) -> str:
    session, fields = session_from(environ), crowd.arrive()
    session.login(fields.pop("sub"))
    session.update(fields)
    return crowd.arrived(str(session.user_id), session.handle)


def coatcheck(reads: SessionManager, changes: SessionManager) -> dict[str, SessionMiddleware]:
    """The applications of one store."""

    def list_(environ: Any) -> str:
        session = session_from(environ)
        return str(len(reads.sessions(str(session.user_id), current=session)))

    def revoke(environ: Any) -> str:
        user = str(session_from(environ).user_id)
        return str(changes.revoke(crowd.victim(user), user_id=user))

    pages = {"read": show, "untouched": untouched, "write": change, "login": sign_in, "list": list_, "revoke": revoke}
    return {kind: SessionMiddleware(app(page), reads if kind in READS else changes) for kind, page in pages.items()}


def world(place: Place) -> World:
    stores = kept("wsgi", place, "SQLite", "Redis")
    subjects = [store.subject(place, SessionManager, coatcheck) for store in stores]
    return World(Wsgi(), app(untouched), subjects, loop=False)
