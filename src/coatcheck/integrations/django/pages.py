"""A page of `coatcheck.pages` in Django.

urlpatterns = [path("account/devices/", include(pages(Devices(login_url="/login/")))), ...]
"""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt

from ...pages import MAX_BODY, Ask, Page, answer, base_of, too_large
from ...replies import Reply
from .middleware import manager_from, session_from


def pages(page: Page) -> list[Any]:
    """URL patterns to include. The page's forms have a token of their own, in place of Django's."""

    @csrf_exempt  # type: ignore[untyped-decorator]
    def view(request: Any, below: str, **_: object) -> Any:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or len(length) > 9 or int(length) > MAX_BODY:
            return _response(too_large())
        ask = Ask(
            method=request.method,
            path=f"/{below}",
            base=base_of(request.path, below),
            session=session_from(request),
            query=request.GET.dict(),
            form=request.POST.dict(),
        )
        return _response(answer(page, ask, manager_from()))

    return [re_path(r"^(?P<below>.*)$", view)]


def _response(found: Reply) -> Any:
    return HttpResponse(found.body, status=found.status, headers=dict(found.text_headers))
