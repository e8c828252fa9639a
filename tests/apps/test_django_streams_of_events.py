"""Django's streams of events under ASGI: the view's own body runs, and is closed, in one task."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import AsyncRequestFactory

from coatcheck.integrations.django import SessionMiddleware
from tests.apps import django_site  # noqa: F401  (it sets Django up)


async def served(view: Any, cookie: str = "") -> Any:
    """The response to a request, by our middleware around a view."""
    return await SessionMiddleware(view)(AsyncRequestFactory().get("/", headers={"cookie": cookie}))


@pytest.mark.parametrize("how", ["is over", "hangs up"])
async def test_a_views_body_is_closed_in_the_task_that_ran_it(how: str) -> None:
    """Django's own generator around it would leave it to the collector, in any task. Text becomes bytes as ever."""
    tasks: list[Any] = []

    async def signs_in(request: Any) -> HttpResponse:
        await request.session.aset("cart", 1)
        return HttpResponse()

    async def view(request: Any) -> StreamingHttpResponse:
        async def body() -> AsyncIterator[str]:
            tasks.append(asyncio.current_task())
            try:
                yield "data: 1\n\n"
                yield "data: 2\n\n"
            finally:
                tasks.append(asyncio.current_task())

        return StreamingHttpResponse(body(), content_type="text/event-stream")

    (name, morsel), *_ = (await served(signs_in)).cookies.items()
    response = await served(view, f"{name}={morsel.value}")
    pieces: list[bytes] = []
    content = aiter(response)
    async for piece in content:
        pieces.append(piece)
        if how == "hangs up":
            break
    del content, response
    async with asyncio.timeout(20):
        while len(tasks) < 2:  # noqa: ASYNC110 (Django leaves its own generators to the collector)
            await asyncio.sleep(0.001)
    assert pieces == [b"data: 1\n\n", b"data: 2\n\n"][: 1 if how == "hangs up" else 2]
    assert tasks[0] is tasks[1] is not asyncio.current_task()
