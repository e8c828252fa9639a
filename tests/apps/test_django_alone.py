"""The engine without our middleware: behind Django's own, and as the store of a token that an app keeps."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import SESSION_KEY, alogin, get_user_model, login
from django.contrib.sessions.middleware import SessionMiddleware as DjangoMiddleware
from django.http import HttpResponse
from django.test import RequestFactory

from coatcheck.integrations.django import SessionStore, manager_from
from tests.apps import django_site as site


@pytest.fixture(scope="module", autouse=True)
def _tables() -> Iterator[None]:
    with site.tested():
        yield


def test_the_key_after_a_login_is_that_logins() -> None:
    """5: an app gets it as its token before anything is saved; the key of the visitor before has ended."""
    user = get_user_model().objects.create_user(f"u{uuid4().hex[:12]}")
    request = RequestFactory().get("/")
    request.session = SessionStore()
    request.session["cart"] = 1
    request.session.save()
    before = request.session.session_key
    login(request, user)
    key = request.session.session_key
    request.session.save()
    assert request.session.session_key == key != before
    assert SessionStore(key)[SESSION_KEY] == str(user.pk)
    assert SessionStore(before).load() == {}
    assert len(manager_from().sessions(user.pk)) == 1


async def test_the_key_after_a_coroutines_login_is_that_logins() -> None:
    """The same by `alogin`."""
    user = await get_user_model().objects.acreate(username=f"u{uuid4().hex[:12]}")
    request = RequestFactory().get("/")
    request.session = SessionStore()
    await alogin(request, user)
    key = request.session.session_key
    await request.session.asave()
    assert request.session.session_key == key
    assert await SessionStore(key).aget(SESSION_KEY) == str(user.pk)


def cookie(view: Callable[[Any], None], key: str | None = None) -> str | None:
    """What Django's own middleware makes the browser keep."""
    request = RequestFactory().get("/")
    if key is not None:
        request.COOKIES["sessionid"] = key

    def served(request: Any) -> HttpResponse:
        view(request)
        return HttpResponse("ok")

    found = DjangoMiddleware(served)(request).cookies.get("sessionid")
    return None if found is None else str(found.value)


def test_a_new_key_reaches_the_browser() -> None:
    """5: `cycle_key()` without anything else ended the old key, and nobody was told the new one."""
    store = SessionStore()
    store["a"] = 1
    store.save()
    key = cookie(lambda request: request.session.cycle_key(), store.session_key)
    assert key
    assert key != store.session_key
    assert SessionStore(key)["a"] == 1


def test_a_look_sets_no_cookie() -> None:
    """8: nothing was changed."""
    store = SessionStore()
    store["a"] = 1
    store.save()
    assert cookie(lambda request: request.session.get("a"), store.session_key) is None
