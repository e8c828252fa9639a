"""Another store in the place of the request's: `request.session = SessionStore(...)`, as django-allauth has it."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import alogin, get_user_model, login
from django.http import HttpResponse
from django.test import RequestFactory

from coatcheck.integrations.django import SessionMiddleware, SessionStore, async_manager_from, manager_from
from coatcheck.session import Session
from tests.apps import django_site as site

COOKIE = "__Host-django-site"


@pytest.fixture(scope="module", autouse=True)
def _tables() -> Iterator[None]:
    with site.tested():
        yield


@pytest.fixture
def user() -> Any:
    return get_user_model().objects.create_user(f"u{uuid4().hex[:12]}")


def stored(**fields: Any) -> str:
    """The token of a session in the store."""
    manager = manager_from()
    session = manager.load(None)
    session.update(fields)
    token = manager.commit(session).token
    assert token is not None
    return token


def answer(view: Callable[[Any], Any], token: str | None = None, status: int = 200) -> str | None:
    """The token in the response's cookie: "" deletes it, None says nothing."""
    request = RequestFactory().get("/", secure=True)
    if token is not None:
        request.META["HTTP_COOKIE"] = f"{COOKIE}={token}"

    def served(request: Any) -> HttpResponse:
        view(request)
        return HttpResponse("ok", status=status)

    return told(SessionMiddleware(served)(request))


def told(response: HttpResponse) -> str | None:
    found = response.cookies.get(COOKIE)
    return None if found is None else str(found.value)


def of(token: str | None) -> Session:
    return manager_from().load(token)


def again(request: Any) -> None:
    """Save it and load it once more, as django-allauth does around each login by another site."""
    request.session["state"] = 1
    request.session.save()
    request.session = request.session.__class__(request.session.session_key)
    request.session.modified = True


@pytest.mark.parametrize("known", [False, True])
def test_a_session_that_a_view_loads_again_signs_its_user_in(user: Any, known: bool) -> None:
    """5: what the callback of OAuth does with it is committed, and its cookie goes out."""

    def callback(request: Any) -> None:
        again(request)
        login(request, user)

    before = stored(cart=1) if known else None
    token = answer(callback, before)
    assert token
    assert of(token).user_id == str(user.pk)
    assert of(token)["state"] == 1
    assert before is None or (token != before and of(token)["cart"] == 1 and of(before).is_new)


async def test_the_same_under_asgi() -> None:
    """The store is loaded by a coroutine where nothing has looked at it; what a coroutine wrote is not lost."""
    user = await get_user_model().objects.acreate(username=f"u{uuid4().hex[:12]}")
    later: list[Any] = []

    async def view(request: Any) -> HttpResponse:
        request.session["state"] = 1
        await request.session.asave()
        request.session = SessionStore(request.session.session_key)
        request.session.modified = True
        for one in later:
            await one(request, user)
        return HttpResponse("ok")

    async def ask() -> Session:
        token = told(await SessionMiddleware(view)(RequestFactory().get("/", secure=True)))
        assert token
        return await async_manager_from().load(token)

    assert (await ask())["state"] == 1
    later.append(alogin)
    assert (await ask()).user_id == str(user.pk)


def test_a_new_session_in_its_place_is_the_clients() -> None:
    """The promise of `request.session`: what is written to it is there at the next request."""

    def view(request: Any) -> None:
        request.session = SessionStore()
        request.session["a"] = 1

    before = stored(cart=1)
    token = answer(view, before)
    assert token
    assert dict(of(token)) == {"a": 1}
    assert dict(of(before)) == {"cart": 1}


def test_a_logout_before_it_still_counts() -> None:
    """2: the old session ends and so does its cookie, whatever stands in its place."""

    def view(request: Any) -> None:
        request.session.flush()
        request.session = SessionStore()

    before = stored(cart=1)
    assert answer(view, before) == ""
    assert of(before).is_new


def test_only_a_write_gives_the_client_another_session() -> None:
    """5: as in Django. A look at another session hands out no token for it, and a handle opens none."""
    other = stored(a=1)
    seen: list[Any] = []

    def look(request: Any) -> None:
        request.session = SessionStore(other)
        seen.append(request.session.get("a"))

    def write(request: Any) -> None:
        request.session = SessionStore(other)
        request.session["b"] = 2

    def by_handle(request: Any) -> None:
        request.session = SessionStore(of(other).handle)
        seen.append(request.session.get("a"))

    assert answer(look, stored(cart=1)) is None
    assert answer(by_handle, stored(cart=1)) is None
    assert seen == [1, None]
    assert answer(write, stored(cart=1), status=500) is None
    assert dict(of(other)) == {"a": 1}
    assert answer(write, stored(cart=1)) == other
    assert dict(of(other)) == {"a": 1, "b": 2}


def test_one_that_is_put_back_is_the_requests_again() -> None:
    """What another store did meanwhile (a token in a header, as for an app) sets no cookie."""

    def view(request: Any) -> None:
        mine, request.session = request.session, SessionStore()
        request.session["a"] = 1
        request.session.save()
        request.session = mine

    before = stored(cart=1)
    assert answer(view, before) is None
    assert dict(of(before)) == {"cart": 1}
