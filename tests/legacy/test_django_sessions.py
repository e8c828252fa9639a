"""Django's own engines: what a login by `django.contrib.auth` left there is exchanged for a session."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import signing
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client, override_settings

from coatcheck.errors import ConfigurationError
from coatcheck.integrations.django import manager_from
from coatcheck.integrations.django.checks import check_settings
from coatcheck.legacy import DjangoSessions
from tests.apps import django_site as site
from tests.legacy.tools import OURS, New, deletes, given, lines, soon

OURS_HERE = "__Host-django-site"
PASSWORD = "correct horse battery staple"
ENGINES = ["db", "cache", "cached_db", "file", "signed_cookies"]
DJANGOS = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]


class Pickles:
    """What Django 4 called PickleSerializer."""

    def dumps(self, value: Any) -> bytes:
        raise AssertionError

    def loads(self, data: bytes) -> Any:
        raise AssertionError


@pytest.fixture(scope="module", autouse=True)
def _tables() -> Iterator[None]:
    with site.tested():
        yield


@pytest.fixture(autouse=True)
def _files(tmp_path: Path) -> Iterator[None]:
    with override_settings(SESSION_FILE_PATH=str(tmp_path)):
        yield


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def user() -> Any:
    return get_user_model().objects.create_user(f"u{uuid4().hex[:12]}", password=PASSWORD)


@contextmanager
def before(engine: str) -> Iterator[Client]:
    """A browser of the old site."""
    dotted = f"django.contrib.sessions.backends.{engine}"
    with override_settings(SESSION_ENGINE=dotted, MIDDLEWARE=DJANGOS, COATCHECK={}):
        yield Client()


def login(engine: str, user: Any, *paths: str) -> str:
    """The old cookie after a login by the form of `django.contrib.auth` there."""
    with before(engine) as client:
        answer = client.post("/accounts/login/", {"username": user.get_username(), "password": PASSWORD})
        assert answer.status_code == 302
        for path in ("/count", *paths):
            client.get(path)
        return str(client.cookies["sessionid"].value)


@contextmanager
def after(engine: str, **more: Any) -> Iterator[None]:
    """The new site."""
    source = DjangoSessions(engine, until=soon())
    with override_settings(COATCHECK={**settings.COATCHECK, "legacy": [source], **more}):
        yield


def browser(cookie: str) -> Client:
    """The old browser, before the new site."""
    client = Client()
    client.cookies["sessionid"] = cookie
    return client


def who(client: Client) -> str | None:
    found: str | None = client.get("/me").json()["user"]
    return found


def test_who_was_signed_in_stays_so(engine: str, user: Any) -> None:
    """`request.user` and the data are there, the session is listed; a logout is one."""
    cookie = login(engine, user)
    with after(engine):
        client = browser(cookie)
        shown = client.get("/me").json()
        [info] = manager_from().sessions(user.pk)
        assert shown == {"user": user.get_username(), "key": info.handle}
        assert info.authenticated_at is None
        assert client.get("/count").content == b"2"
        assert client.get("/key").content == b"2"
        assert who(client) == user.get_username()
        assert len(manager_from().sessions(user.pk)) == 1
        client.post("/accounts/logout/")
        assert who(client) is None
        assert who(browser(cookie)) is None
        assert manager_from().sessions(user.pk) == []


def test_a_new_password_ends_what_was_not_exchanged_yet(engine: str, user: Any) -> None:
    """`_auth_user_hash` is asked, whatever framework reads the session; and after the exchange Django asks it."""
    cookies = [login(engine, user, *["/count"] * number) for number in range(3)]
    new = New(DjangoSessions(engine, until=soon()))
    with after(engine):
        client = browser(cookies[0])
        assert who(client) == user.get_username()
        assert new.ask(cookie=f"sessionid={cookies[1]}").json()["user"] == str(user.pk)
        user.set_password("another")
        user.save()
        assert who(client) is None
        assert who(browser(cookies[2])) is None
        assert new.ask(cookie=f"sessionid={cookies[2]}").json()["user"] is None
        assert manager_from().sessions(user.pk) == []


def test_a_user_who_is_gone_or_barred_is_nobody(user: Any) -> None:
    """Inactive, or deleted."""
    cookie, new = login("db", user), New(DjangoSessions("db", until=soon()))
    user.is_active = False
    user.save()
    assert new.ask(cookie=f"sessionid={cookie}").json()["user"] is None
    user.delete()
    assert new.ask(cookie=f"sessionid={cookie}").json()["user"] is None
    assert "create" not in new.calls


def test_revoke_user_bars_who_has_not_come_yet(engine: str, user: Any) -> None:
    """Where nobody knows when an old session was written, as in a cache, it counts as older than the revocation."""
    cookie = login(engine, user)
    with after(engine):
        manager_from().revoke_user(user.pk)
        assert who(browser(cookie)) is None
        assert manager_from().sessions(user.pk) == []


@pytest.mark.parametrize("asynchronous", [False, True])
def test_over_a_real_handler_ours_replaces_the_old_cookie(engine: str, user: Any, asynchronous: bool) -> None:
    """WSGI and ASGI: the cookie's name is ours, and `sessionid` is deleted."""
    cookie = f"sessionid={login(engine, user)}"

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(ASGIHandler())
        async with httpx.AsyncClient(transport=transport, base_url="https://app.example") as client:
            first = await client.get("/ame", headers={"cookie": cookie})
            return [first, await client.get("/ame", headers={"cookie": f"{OURS_HERE}={given(first, OURS_HERE)}"})]

    with ExitStack() as stack:
        stack.enter_context(after(engine))
        if asynchronous:
            first, again = asyncio.run(ask())
        else:
            transport = httpx.WSGITransport(WSGIHandler())
            client = stack.enter_context(httpx.Client(transport=transport, base_url="https://app.example"))
            first = client.get("/me", headers={"cookie": cookie})
            again = client.get("/me")
        assert first.json()["user"] == again.json()["user"] == user.get_username()
        assert deletes(first, "sessionid")
        assert lines(again) == []
        assert len(manager_from().sessions(user.pk)) == 1


def test_set_expiry_comes_along(user: Any) -> None:
    """0 ends with the browser, a number is an idle timeout, as here."""
    for seconds, lasts in ((0, None), (300, 300)):
        cookie = login("db", user, f"/expire/{seconds}")
        with after("db"):
            client = browser(cookie)
            line = client.get("/me").cookies["sessionid"]
            [info] = manager_from().sessions(user.pk)
            assert (line["max-age"] == "") is (seconds == 0)
            if lasts:
                assert info.expires_at - info.last_seen_at == timedelta(seconds=lasts)
            manager_from().revoke(info.handle)


def test_hostile_keys_are_nobody(engine: str, user: Any) -> None:
    """Not a key of Django's, cut, signed by another: a visitor, and no row."""
    good = login(engine, user)
    new = New(DjangoSessions(engine, until=soon()))
    with override_settings(SECRET_KEY="another key that guards nothing"):
        other = signing.dumps({"_auth_user_id": "1"}, salt="django.contrib.sessions.backends.signed_cookies")
    for value in (
        "",
        "x",
        "../../etc",
        "%00",
        "a" * 41,
        "é" * 8,
        good[:-1],
        good + ":",
        other,
        "a:b:c",
        ":::",
        good * 400,
    ):
        assert new.ask(cookie=f"sessionid={value}").json() == {"user": None, "fields": {}}
    assert new.calls == []


def test_a_serializer_that_unpickles_does_not_start() -> None:
    """CWE-502. `manage.py check` says it, too."""
    with override_settings(SESSION_SERIALIZER=f"{__name__}.Pickles"), after("db"):
        with pytest.raises(ConfigurationError, match="JSON alone"):
            New(DjangoSessions("db", until=soon())).ask()
        assert "coatcheck.E005" in {message.id for message in check_settings()}
    for wrong in ("coatcheck.integrations.django", "no.such.engine"):
        with pytest.raises(ConfigurationError):
            New(DjangoSessions(wrong, until=soon())).ask()


def test_an_old_store_that_is_down_is_503(user: Any, tmp_path: Path) -> None:
    """The cache that is not there, and a database without the table: nobody is logged out."""
    cookie = login("cache", user)
    away = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": f"unix://{tmp_path}/no"}}
    with after("cache"), override_settings(CACHES=away):
        answer = browser(cookie).get("/me")
        assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    with after("cache"):
        assert who(browser(cookie)) == user.get_username()
    old = login("db", user)
    session = import_module("django.contrib.sessions.models").Session
    table, session._meta.db_table = session._meta.db_table, "no_such_table"
    try:
        with after("db"):
            assert browser(old).get("/me").status_code == 503
    finally:
        session._meta.db_table = table


def test_a_new_framework_reads_it_on_djangos_thread(engine: str, user: Any) -> None:
    """From Django to Starlette, with Django's settings there."""
    cookie, new = login(engine, user), New(DjangoSessions(engine, until=soon()))
    first = new.ask(cookie=f"sessionid={cookie}")
    assert first.json()["user"] == str(user.pk)
    assert deletes(first, "sessionid")
    assert new.ask(cookie=f"{OURS}={given(first)}").json()["fields"]["visits"] == 1
