"""The kit's application in Pyramid: what `coatcheck.testing.AppContract` asks for. The environment says the store."""

# mypy: disable-error-code="import-untyped"
# Pyramid has no types.

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyramid.config import Configurator
from pyramid.response import Response
from pyramid.wsgi import wsgiapp

from coatcheck.integrations.pyramid import manager_from, session_factory, session_from
from coatcheck.integrations.wsgi_gate import TicketGate, ticket_from
from coatcheck.testing.latch import wait


def hold(request: Any) -> None:
    if latch := request.GET.get("latch"):
        wait(int(latch))


def me(request: Any) -> Response:
    session = session_from(request)
    return Response(json_body={"user": session.user_id, "fields": dict(session)})


def page(_: Any) -> Response:
    return Response("the same for everybody")


def login(request: Any) -> Response:
    hold(request)
    request.session.login(request.matchdict["user"])
    return Response("ok")


def logout(request: Any) -> Response:
    request.session.invalidate()
    if request.path == "/fail-out":
        raise ZeroDivisionError
    return Response("ok")


def rotate(request: Any) -> Response:
    request.session.rotate()
    return Response("ok")


def write(request: Any) -> Response:
    session, names = request.session, request.matchdict
    session.get(names["name"])
    hold(request)
    session[names["name"]] = names["value"]
    if names["verb"] == "fail":
        raise ZeroDivisionError
    return Response("done", status=403 if names["verb"] == "refuse" else 200)


def stream(request: Any) -> Response:
    session, names = request.session, request.matchdict

    def body() -> Iterator[bytes]:
        yield b"started "
        session[names["name"]] = names["value"]
        yield b"written"

    return Response(app_iter=body())


def ticket(request: Any) -> Response:
    return Response(manager_from(request).tickets.issue("download", {"file": "a.txt"}, session=session_from(request)))


def download(environ: Any, start_response: Any) -> Any:
    response = Response(ticket_from(environ).claims["file"], content_type="text/plain")
    return response(environ, start_response)


VIEWS = {
    "GET /me": me,
    "GET /page": page,
    "POST /login/{user}": login,
    "POST /login-slowly/{user}": login,
    "POST /logout": logout,
    "POST /fail-out": logout,
    "POST /rotate": rotate,
    "POST /stream/{name}/{value}": stream,
    "GET /ticket": ticket,
    "POST /{verb}/{name}/{value}": write,
}


def main() -> Any:
    with Configurator() as config:
        config.include("coatcheck.integrations.pyramid")
        config.set_session_factory(session_factory())
        for place, view in VIEWS.items():
            method, _, pattern = place.partition(" ")
            config.add_route(pattern, pattern)
            config.add_view(view, route_name=pattern, request_method=method)
        config.add_route("download", "/download")
        config.add_view(wsgiapp(TicketGate(download)), route_name="download")
        return config.make_wsgi_app()


app = main()
