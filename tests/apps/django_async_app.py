"""The kit's application in Django, under ASGI: the same settings and addresses, with coroutines behind them."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import AsyncIterator

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse

from coatcheck.integrations.django import async_manager_from, session_from, ticket_from, ticket_required
from coatcheck.testing.latch import passed
from tests.apps.django_app import USER, routes
from tests.apps.ticking import TYPE, quiet

settings.ROOT_URLCONF = __name__


async def me(request: HttpRequest) -> HttpResponse:
    fields = dict(await request.session.aitems())
    return JsonResponse({"user": session_from(request).user_id, "fields": fields})


async def login(request: HttpRequest, user: str) -> HttpResponse:
    if latch := request.GET.get("latch"):
        await passed(int(latch))
    await request.session.acycle_key()
    await request.session.aset(USER, user)
    return HttpResponse("ok")


async def logout(request: HttpRequest) -> HttpResponse:
    await request.session.aflush()
    if request.path == "/fail-out":
        raise ZeroDivisionError
    return HttpResponse("ok")


async def rotate(request: HttpRequest) -> HttpResponse:
    await request.session.acycle_key()
    return HttpResponse("ok")


async def write(request: HttpRequest, verb: str, name: str, value: str) -> HttpResponse:
    await request.session.aget(name)
    if latch := request.GET.get("latch"):
        await passed(int(latch))
    await request.session.aset(name, value)
    if verb == "fail":
        raise ZeroDivisionError
    return HttpResponse("done", status=403 if verb == "refuse" else 200)


async def stream(request: HttpRequest, name: str, value: str) -> StreamingHttpResponse:
    async def body() -> AsyncIterator[str]:
        yield "started "
        await request.session.aset(name, value)
        yield "written"

    return StreamingHttpResponse(body())


async def events(_request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(quiet(), content_type=TYPE)


async def ticket(request: HttpRequest) -> HttpResponse:
    tickets = async_manager_from(request).tickets
    return HttpResponse(await tickets.issue("download", {"file": "a.txt"}, session=session_from(request)))


@ticket_required()
async def download(request: HttpRequest) -> HttpResponse:
    return HttpResponse(ticket_from(request).claims["file"])


async def page(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("the same for everybody")


urlpatterns = routes(globals())
application = get_asgi_application()
