"""The kit's application in Falcon: what `coatcheck.testing.AppContract` asks for. The environment says the store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import falcon
from falcon import Request, Response

from coatcheck.integrations.wsgi import SessionMiddleware, manager_from, session_from
from coatcheck.integrations.wsgi_gate import TicketGate, ticket_from
from coatcheck.testing.latch import wait


def hold(req: Request) -> None:
    if latch := req.get_param_as_int("latch"):
        wait(latch)


class Me:
    def on_get(self, req: Request, resp: Response) -> None:
        session = session_from(req)
        resp.media = {"user": session.user_id, "fields": dict(session)}


class Page:
    def on_get(self, _: Request, resp: Response) -> None:
        resp.text = "the same for everybody"


class Login:
    def on_post(self, req: Request, resp: Response, user: str) -> None:
        hold(req)
        session_from(req).login(user)
        resp.text = "ok"


class Logout:
    def on_post(self, req: Request, resp: Response) -> None:
        session_from(req).logout()
        if req.path == "/fail-out":
            raise ZeroDivisionError
        resp.text = "ok"


class Rotate:
    def on_post(self, req: Request, resp: Response) -> None:
        session_from(req).rotate()
        resp.text = "ok"


class Write:
    def __init__(self, verb: str) -> None:
        self.verb = verb

    def on_post(self, req: Request, resp: Response, name: str, value: str) -> None:
        session = session_from(req)
        session.get(name)
        hold(req)
        session[name] = value
        if self.verb == "fail":
            raise ZeroDivisionError
        resp.status = falcon.HTTP_403 if self.verb == "refuse" else falcon.HTTP_200
        resp.text = "done"


class Stream:
    def on_post(self, req: Request, resp: Response, name: str, value: str) -> None:
        def body() -> Iterator[bytes]:
            yield b"started "
            session_from(req)[name] = value
            yield b"written"

        resp.stream = body()


class Issue:
    def on_get(self, req: Request, resp: Response) -> None:
        resp.text = manager_from(req).tickets.issue("download", {"file": "a.txt"}, session=session_from(req))


class Download:
    def on_get(self, req: Request, resp: Response) -> None:
        resp.text = ticket_from(req).claims["file"]


api, files = falcon.App(), falcon.App()
files.add_route("/download", Download())
gate = TicketGate(files)
RESOURCES: dict[str, Any] = {
    "/me": Me(),
    "/page": Page(),
    "/login/{user}": Login(),
    "/login-slowly/{user}": Login(),
    "/logout": Logout(),
    "/fail-out": Logout(),
    "/rotate": Rotate(),
    "/stream/{name}/{value}": Stream(),
    "/ticket": Issue(),
} | {f"/{verb}/{{name}}/{{value}}": Write(verb) for verb in ("write", "fail", "refuse")}
for path, resource in RESOURCES.items():
    api.add_route(path, resource)


def router(environ: Any, start_response: Any) -> Any:
    """Falcon mounts no WSGI application: what is beside it is chosen before it."""
    return (gate if environ["PATH_INFO"] == "/download" else api)(environ, start_response)


app = SessionMiddleware(router)
