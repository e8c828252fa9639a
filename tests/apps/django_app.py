"""The kit's application in Django, under WSGI: settings and views in one file."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from coatcheck.testing.latch import wait
from tests.apps.ticking import TYPE, ticks

settings.configure(
    SECRET_KEY="for-tests-alone",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["coatcheck.integrations.django"],
    SESSION_ENGINE="coatcheck.integrations.django",
    MIDDLEWARE=["coatcheck.integrations.django.SessionMiddleware"],
)
django.setup()

from coatcheck.integrations.django import manager_from, session_from, ticket_from, ticket_required  # noqa: E402

USER = "_auth_user_id"


def me(request: HttpRequest) -> HttpResponse:
    fields = dict(request.session.items())
    return JsonResponse({"user": session_from(request).user_id, "fields": fields})


def page(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("the same for everybody")


def login(request: HttpRequest, user: str) -> HttpResponse:
    if latch := request.GET.get("latch"):
        wait(int(latch))
    request.session.cycle_key()
    request.session[USER] = user
    return HttpResponse("ok")


def logout(request: HttpRequest) -> HttpResponse:
    request.session.flush()
    if request.path == "/fail-out":
        raise ZeroDivisionError
    return HttpResponse("ok")


def rotate(request: HttpRequest) -> HttpResponse:
    request.session.cycle_key()
    return HttpResponse("ok")


def write(request: HttpRequest, verb: str, name: str, value: str) -> HttpResponse:
    request.session.get(name)
    if latch := request.GET.get("latch"):
        wait(int(latch))
    request.session[name] = value
    if verb == "fail":
        raise ZeroDivisionError
    return HttpResponse("done", status=403 if verb == "refuse" else 200)


def stream(request: HttpRequest, name: str, value: str) -> StreamingHttpResponse:
    def body() -> Iterator[str]:
        yield "started "
        request.session[name] = value
        yield "written"

    return StreamingHttpResponse(body())


def events(_request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(ticks(), content_type=TYPE)


def ticket(request: HttpRequest) -> HttpResponse:
    jwt = manager_from(request).tickets.issue("download", {"file": "a.txt"}, session=session_from(request))
    return HttpResponse(jwt)


@ticket_required()
def download(request: HttpRequest) -> HttpResponse:
    return HttpResponse(ticket_from(request).claims["file"])


def routes(views: dict[str, Any]) -> list[Any]:
    """The kit's addresses, for the views of those names."""
    return [
        path("me", views["me"]),
        path("page", views["page"]),
        path("login/<user>", views["login"]),
        path("login-slowly/<user>", views["login"]),
        path("logout", views["logout"]),
        path("fail-out", views["logout"]),
        path("rotate", views["rotate"]),
        path("stream/<name>/<value>", views["stream"]),
        path("<verb>/<name>/<value>", views["write"]),
        path("events", views["events"]),
        path("ticket", views["ticket"]),
        path("download", views["download"]),
    ]


urlpatterns = routes(globals())
application = get_wsgi_application()
