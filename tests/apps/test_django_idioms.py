"""What is Django's own: auth, admin, messages, the test client, settings, checks."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import SyncToAsync
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, get_user_model
from django.contrib.auth.signals import user_logged_in
from django.core.checks import run_checks
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings

from coatcheck import SessionManager
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.integrations.django import SessionMiddleware, SessionStore, manager_from, session_from
from coatcheck.integrations.django.checks import check_settings
from coatcheck.testing import log_in
from coatcheck.testing.visitor import ELSEWHERE, NAVIGATION
from tests.apps import django_site as site

PASSWORD = "correct horse battery staple"
SITE = f"{site.OURS}.SessionMiddleware"
DJANGOS = "django.contrib.sessions.middleware.SessionMiddleware"


@pytest.fixture(scope="module", autouse=True)
def _tables() -> Iterator[None]:
    with site.tested():
        yield


@pytest.fixture
def user() -> Any:
    return get_user_model().objects.create_user(f"u{uuid4().hex[:12]}", password=PASSWORD)


@pytest.fixture
def client() -> Client:
    return Client()


def seen(client: Client) -> str | None:
    """Who the site says it is."""
    who: str | None = client.get("/me").json()["user"]
    return who


def sign_in(client: Client, user: Any) -> None:
    """By the form of `django.contrib.auth`."""
    answer = client.post("/accounts/login/", {"username": user.get_username(), "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/me")


# -- django.contrib.auth -------------------------------------------------------------------------------------


def test_login_and_logout_by_djangos_own_views(client: Client, user: Any) -> None:
    """The user is linked: the session can be listed, and its key is its handle."""
    client.get("/count")
    sign_in(client, user)
    shown = client.get("/me").json()
    [info] = manager_from().sessions(user.pk)
    assert shown == {"user": user.get_username(), "key": info.handle}
    assert client.get("/count").content == b"2"
    client.post("/accounts/logout/")
    assert seen(client) is None
    assert manager_from().sessions(user.pk) == []


def test_the_key_in_a_login_signal_is_the_new_handle(client: Client, user: Any) -> None:
    """Applications write it into their tables there; it has 22 characters, and is no credential."""
    keys: list[str] = []

    def note(request: Any, **_: Any) -> None:
        keys.append(request.session.session_key)

    user_logged_in.connect(note)
    try:
        sign_in(client, user)
    finally:
        user_logged_in.disconnect(note)
    assert keys == [info.handle for info in manager_from().sessions(user.pk)]
    assert SessionStore(str(keys[0])).get("_auth_user_id") is None
    assert SessionStore().exists(keys[0])


def test_another_login_of_the_same_user_is_a_new_session(client: Client, user: Any) -> None:
    """5: Django keeps the old one; `is_fresh` would never be true again."""
    sign_in(client, user)
    before = client.get("/me").json()["key"]
    sign_in(client, user)
    assert client.get("/me").json()["key"] != before
    assert len(manager_from().sessions(user.pk)) == 1


def test_a_login_over_another_user_starts_empty(client: Client, user: Any) -> None:
    """5: the cart of the one before stays theirs."""
    sign_in(client, user)
    client.get("/count")
    other = get_user_model().objects.create_user(f"o{uuid4().hex[:12]}", password=PASSWORD)
    sign_in(client, other)
    assert seen(client) == other.get_username()
    assert client.get("/count").content == b"1"
    assert manager_from().sessions(user.pk) == []


def test_a_password_change_ends_the_other_sessions(client: Client, user: Any) -> None:
    """By `_auth_user_hash`; the one that changed it goes on under a new key."""
    other = Client()
    sign_in(client, user)
    sign_in(other, user)
    before = client.get("/me").json()["key"]
    form = {"old_password": PASSWORD, "new_password1": "an other-one 77", "new_password2": "an other-one 77"}
    assert client.post("/accounts/password_change/", form).status_code == 302
    assert seen(client) == user.get_username()
    assert client.get("/me").json()["key"] != before
    assert seen(other) is None
    assert len(manager_from().sessions(user.pk)) == 1


def test_a_new_secret_key_with_its_fallback_signs_nobody_out(client: Client, user: Any) -> None:
    """SECRET_KEY_FALLBACKS: the token, and Django's own hash."""
    sign_in(client, user)
    old = settings.SECRET_KEY
    with override_settings(SECRET_KEY="another key of the tests' own, nothing", SECRET_KEY_FALLBACKS=[old]):
        client.handler.load_middleware()
        assert seen(client) == user.get_username()
        assert client.session[HASH_SESSION_KEY] == user.get_session_auth_hash()
    with override_settings(SECRET_KEY="a third key of the tests' own, nothing"):
        client.handler.load_middleware()
        assert seen(client) is None


def test_a_revocation_binds_at_once(client: Client, user: Any) -> None:
    """3: by user, with Django's primary key."""
    sign_in(client, user)
    assert manager_from().revoke_user(user.pk) == 1
    assert seen(client) is None


def test_a_login_of_another_framework_is_a_login_here(user: Any, client: Client) -> None:
    """SharedLoginMiddleware: the three fields, from a session with a user; kept, so it asks the database once."""
    manager = manager_from()
    session = manager.load(None)
    session.login(user.pk)
    client.cookies["sessionid"] = manager.commit(session).token or ""
    assert seen(client) == user.get_username()
    assert client.session[HASH_SESSION_KEY] == user.get_session_auth_hash()
    user.set_password("changed")
    user.save()
    assert seen(client) is None


async def test_a_login_of_another_framework_under_asgi(user: Any) -> None:
    """The same, by coroutines."""
    manager, client = manager_from(), AsyncClient()
    session = manager.load(None)
    session.login(user.pk)
    client.cookies["sessionid"] = manager.commit(session).token or ""
    assert (await client.get("/ame")).json()["user"] == user.get_username()
    assert await (await client.asession()).aget(HASH_SESSION_KEY) == user.get_session_auth_hash()


@pytest.mark.parametrize("stranger", ["nobody", "987654321"])
def test_a_login_whom_django_does_not_know_is_nobody(client: Client, stranger: str) -> None:
    """A user id of another shape, or of nobody; and a page that looks at nothing stays the same for all."""
    manager = manager_from()
    session = manager.load(None)
    session.login(stranger)
    client.cookies["sessionid"] = manager.commit(session).token or ""
    assert "Cookie" not in client.get("/plain").headers.get("Vary", "")
    assert seen(client) is None


# -- the test client -----------------------------------------------------------------------------------------


def test_the_test_client_signs_in_and_out(client: Client, user: Any) -> None:
    """`login`, `force_login`, `session`, `logout`, under the cookie's name in Django's settings."""
    assert client.login(username=user.get_username(), password=PASSWORD)
    assert seen(client) == user.get_username()
    session = client.session
    session["visits"] = 41
    session.save()
    assert client.get("/count").content == b"42"
    assert client.session["visits"] == 42
    client.logout()
    assert seen(client) is None
    assert manager_from().sessions(user.pk) == []
    client.force_login(user)
    assert seen(client) == user.get_username()


async def test_the_asynchronous_test_client(user: Any) -> None:
    """`aforce_login`, `asession`, coroutines as views, with the same session as synchronous ones."""
    client = AsyncClient()
    await client.aforce_login(user)
    assert (await client.get("/ame")).json() == {"user": user.get_username(), "visits": None}
    await client.get("/acount")
    await client.get("/count")
    assert (await client.get("/ame")).json()["visits"] == 2
    assert await (await client.asession()).aget("visits") == 2
    assert (await client.get("/me")).json()["user"] == user.get_username()
    await client.alogout()
    assert (await client.get("/ame")).json()["user"] is None


def test_log_in_of_coatcheck_testing(client: Client, user: Any) -> None:
    """One line: the user is Django's, as after a login. An id alone is enough with `SharedLoginMiddleware`."""
    handle = log_in(client, user, visits=41)
    assert client.get("/me").json() == {"user": user.get_username(), "key": handle}
    assert client.get("/count").content == b"42"
    [info] = manager_from().sessions(user.pk)
    assert info.handle == handle
    log_in(other := Client(), user.pk)
    assert seen(other) == user.get_username()


async def test_log_in_with_the_asynchronous_client(user: Any) -> None:
    """The same, in a running event loop: nothing is asked of the database."""
    client = AsyncClient()
    log_in(client, user, visits=7)
    assert (await client.get("/ame")).json() == {"user": user.get_username(), "visits": 7}


async def test_a_coroutine_costs_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under ASGI nothing of ours goes through `sync_to_async`."""
    client, threads = AsyncClient(), []
    real = SyncToAsync.__call__

    async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        threads.append(str(self.func))
        return await real(self, *args, **kwargs)

    with override_settings(MIDDLEWARE=[SITE]):
        await client.get("/acount")
        monkeypatch.setattr(SyncToAsync, "__call__", counted)
        answer = await client.get("/acount")
    assert answer.status_code == 200
    assert [one for one in threads if "coatcheck" in one or "Middleware" in one] == []


# -- the session in a request --------------------------------------------------------------------------------


def test_nested_changes_are_noticed(client: Client) -> None:
    """10: without `modified = True`."""
    client.get("/nested")
    assert client.get("/nested").content == b"2"


def test_messages_survive_a_redirect(client: Client) -> None:
    """The session storage of django.contrib.messages."""
    client.get("/say")
    assert client.get("/heard").content == b"Saved."
    assert client.get("/heard").content == b""


def test_a_key_loads_its_session_within_the_process(client: Client) -> None:
    """The `str` carries its token in memory: `SessionStore(request.session.session_key)` works as before."""
    client.get("/count")
    assert client.get("/key").content == b"1"


def test_create_in_a_view_gives_the_key_and_the_cookie(client: Client) -> None:
    """8: Django's `create()` makes a row, whose key can be kept at once."""
    handle = client.get("/create").content.decode()
    assert len(handle) == 22
    assert client.cookies["sessionid"].value.startswith(handle)


def test_what_a_body_writes_while_it_goes_out_is_kept(client: Client) -> None:
    """16: a late commit."""
    client.get("/count")
    assert b"".join(client.get("/stream").streaming_content) == b"started"
    assert client.session["late"] == 1


def test_a_late_write_is_the_page_without_a_cookie(client: Client) -> None:
    """2: never a 500, and nobody's new cookie is deleted; a `save()` that the view lets pass is Django's 400."""
    client.get("/count")
    other = Client()
    other.get("/count")
    key = client.cookies["sessionid"].value[:22]
    assert key != other.cookies["sessionid"].value[:22]
    answer = client.get(f"/late?key={other.cookies['sessionid'].value[:22]}")
    assert answer.status_code == 200
    assert other.get("/count").content == b"1"
    request = RequestFactory().get("/")
    middleware = SessionMiddleware(lambda _: HttpResponse("ok"))
    request.META["HTTP_COOKIE"] = f"django-site-insecure={client.cookies['sessionid'].value}"
    middleware.process_request(request)
    assert request.session["visits"] == 1
    manager_from().revoke(key)
    request.session["visits"] = 2
    response = middleware.process_response(request, HttpResponse("ok"))
    assert (response.status_code, len(response.cookies)) == (200, 0)


def test_a_save_after_the_end_is_400(client: Client) -> None:
    """As with Django's engines: `SessionInterrupted`."""
    client.get("/count")
    store = SessionStore(client.cookies["sessionid"].value)
    store.get("visits")
    manager_from().revoke(client.cookies["sessionid"].value[:22])
    store["late"] = 1
    with pytest.raises(Exception, match="had ended") as caught:
        store.save()
    assert {"UpdateError", "SessionInterrupted"} <= {kind.__name__ for kind in type(caught.value).__mro__}


def test_what_a_view_cannot_answer_is_answered(client: Client) -> None:
    """401 in plain words, where Django would make a 500 of it."""
    answer = client.get("/fresh")
    assert answer.status_code == 401
    assert b"too long ago" in answer.content.lower()


def test_a_store_that_is_down_is_503_before_the_view(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """11: with Retry-After; a public path is served to a visitor, without a cookie."""
    client.get("/count")

    def fails(_handle: str) -> Any:
        raise StoreUnavailable("down")

    with override_settings(COATCHECK=settings.COATCHECK | {"public_paths": ["/me"]}):
        client.handler.load_middleware()
        monkeypatch.setattr(manager_from().store, "load", fails)
        answer = client.get("/count")
        assert (answer.status_code, answer["Retry-After"]) == (503, "2")
        public = client.get("/me")
        assert (public.status_code, len(public.cookies)) == (200, 0)


def test_djangos_cache_keeps_no_cookie(client: Client) -> None:
    """8: its own middleware honours no-store, and gives no token out again."""
    cached = ["django.middleware.cache.UpdateCacheMiddleware", SITE, "django.middleware.cache.FetchFromCacheMiddleware"]
    with override_settings(MIDDLEWARE=cached, CACHE_MIDDLEWARE_SECONDS=60):
        client.get("/create")
        before = client.cookies["sessionid"].value
        second = client.get("/create").content
        client.cookies["sessionid"] = before
        assert client.get("/create").content != second


def test_an_excluded_path_has_no_session(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is loaded, stored or set; what is lost is said."""
    with override_settings(COATCHECK=settings.COATCHECK | {"exclude": ["/count"]}):
        assert len(client.get("/count").cookies) == 0
    assert "that is lost" in caplog.text


def test_another_site_cannot_post_but_to_a_hook(client: Client) -> None:
    """14: `csrf_exempt` says that anybody may; CSRF_TRUSTED_ORIGINS who else, with stars too."""
    assert client.post("/plain", headers=ELSEWHERE).status_code == 403
    assert client.post("/hook", headers=ELSEWHERE).status_code == 200
    sibling = ELSEWHERE | {"origin": "https://shop.friend.example"}
    with override_settings(CSRF_TRUSTED_ORIGINS=["https://*.friend.example"]):
        assert client.post("/plain", headers=sibling).status_code == 200
        for origin in (
            "https://evil.example",
            "https://friend.example.evil.example",
            "http://a.friend.example",
            "http://[",
        ):
            assert client.post("/plain", headers=ELSEWHERE | {"origin": origin}).status_code == 403


def test_djangos_own_form_token_is_still_asked_for() -> None:
    """14: ours stays at "origin", and beside it CsrfViewMiddleware does its part."""
    assert Client(enforce_csrf_checks=True).post("/plain").status_code == 403


# -- lifetimes and settings ----------------------------------------------------------------------------------


def test_set_expiry_shows_in_the_cookie(client: Client) -> None:
    """0: it ends with the browser; a number: not before the session may."""
    assert client.get("/expire/0").cookies["sessionid"]["max-age"] == ""
    assert int(client.get("/expire/60").cookies["sessionid"]["max-age"]) >= 60
    with override_settings(SESSION_EXPIRE_AT_BROWSER_CLOSE=True):
        fresh = Client()
        assert fresh.get("/count").cookies["sessionid"]["max-age"] == ""
        assert int(fresh.get("/expire/60").cookies["sessionid"]["max-age"]) >= 60


def through(**headers: Any) -> HttpResponse:
    """The response to a request that is not the test client's."""

    def view(request: Any) -> HttpResponse:
        request.session["a"] = 1
        return HttpResponse("ok")

    return SessionMiddleware(view)(RequestFactory().get("/", **headers))


def test_djangos_cookie_settings_are_honoured() -> None:
    """Name, domain, path, age and SameSite, with the prefix that makes a browser keep to them."""
    assert list(through(secure=True).cookies) == ["__Host-django-site"]
    assert list(through().cookies) == ["django-site-insecure"]
    assert list(through(headers=NAVIGATION).cookies) == ["__Host-django-site"]
    with override_settings(
        SESSION_COOKIE_NAME="shop",
        SESSION_COOKIE_DOMAIN="example.com",
        SESSION_COOKIE_PATH="/shop",
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_AGE=90 * 86_400,
    ):
        [morsel] = through().cookies.values()
        line = morsel.output(header="").strip()
        assert line.startswith("__Secure-shop=")
        assert {"Path=/shop", "Domain=example.com", "Secure", "HttpOnly", "SameSite=Strict"} <= set(line.split("; "))
        assert manager_from().policy.idle_timeout == timedelta(days=90)
    with override_settings(SESSION_COOKIE_SECURE=False, SESSION_SAVE_EVERY_REQUEST=True):
        assert list(through(secure=True).cookies) == ["django-site-insecure"]
        assert manager_from().policy.touch_interval == timedelta(seconds=1)


def test_a_planted_cookie_of_djangos_name_is_nobodys() -> None:
    """15: a sibling host can set `sessionid`, and never a `__Host-` cookie; only the test client's counts."""
    manager = manager_from()
    session = manager.load(None)
    session["a"] = 2
    token = manager.commit(session).token
    request = RequestFactory().get("/", secure=True)
    request.META["HTTP_COOKIE"] = f"sessionid={token}"
    middleware = SessionMiddleware(lambda _: HttpResponse("ok"))
    middleware.process_request(request)
    assert request.session.get("a") is None


def test_the_engine_works_with_djangos_own_middleware(user: Any) -> None:
    """Alone: the cookie is Django's, and a login is still a new, listed session."""
    middleware = [DJANGOS if name == SITE else name for name in site.MIDDLEWARE]
    with override_settings(MIDDLEWARE=middleware):
        client = Client()
        client.get("/count")
        before = client.cookies["sessionid"].value
        sign_in(client, user)
        assert client.cookies["sessionid"].value != before
        assert client.get("/count").content == b"2"
        assert len(manager_from().sessions(user.pk)) == 1
        client.post("/accounts/logout/")
        assert manager_from().sessions(user.pk) == []


def test_the_cookies_name_can_be_spelt_out(client: Client) -> None:
    """Channels and browsers in tests read it under `SESSION_COOKIE_NAME`."""
    with override_settings(SESSION_COOKIE_NAME="__Host-django-site"):
        assert list(through(secure=True).cookies) == ["__Host-django-site"]
        client.get("/count")
        assert client.get("/count").content == b"2"
        assert client.session["visits"] == 2


# -- downloads -----------------------------------------------------------------------------------------------


def link(client: Client, **more: str) -> dict[str, str]:
    """The query of a download for this client's session."""
    client.get("/count")
    session = manager_from().load(client.cookies["sessionid"].value)
    jwt = manager_from().tickets.issue("download", {"text": "file"}, session=session)
    return {"ticket": jwt, **more}


def test_a_ticket_is_spent_by_a_success_alone(client: Client) -> None:
    """13: an error before it leaves it whole; and the view, like the server's log, sees no ticket."""
    query = link(client, status="404")
    assert client.get("/download", query).status_code == 404
    query["status"] = "200"
    answer = client.get("/download", query)
    assert answer.content == b"file ticket=-&status=200"
    assert answer.wsgi_request.META["QUERY_STRING"] == "ticket=-&status=200"
    assert client.get("/download", query).status_code == 410


def test_a_ticket_may_come_in_a_form_and_be_resumed(client: Client) -> None:
    """C: out of every log; afterwards by Range, by that session alone."""
    query = link(client)
    assert client.post("/download", query).content == b"file "
    assert client.get("/download", query, headers={"range": "bytes=1-"}).status_code == 206
    assert Client().get("/download", query, headers={"range": "bytes=1-"}).status_code in {403, 410}
    assert client.get("/download", query).status_code == 410
    assert client.get("/download").status_code == 403


# -- the admin page ------------------------------------------------------------------------------------------


def test_the_admin_page_lists_and_ends_a_users_sessions(client: Client, user: Any) -> None:
    """By user; never without the permission."""
    others = [Client(), Client()]
    for other in others:
        sign_in(other, user)
    address = f"/admin/coatcheck/entry/?user={user.pk}"
    assert client.get(address).status_code == 302
    helper = get_user_model().objects.create_user(f"h{uuid4().hex[:12]}", password=PASSWORD, is_staff=True)
    client.force_login(helper)
    assert client.get(address).status_code == 403
    boss = get_user_model().objects.create_superuser(f"b{uuid4().hex[:12]}", password=PASSWORD)
    client.force_login(boss)
    page = client.get(address).content.decode()
    handles = [info.handle for info in manager_from().sessions(user.pk)]
    assert all(handle in page for handle in handles)
    assert client.post(address, {"handle": handles[0]}).status_code == 302
    assert [info.handle for info in manager_from().sessions(user.pk)] == handles[1:]
    client.post(address)
    assert [seen(other) for other in others] == [None, None]
    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/coatcheck/entry/1/change/").status_code == 404
    own = f"/admin/coatcheck/entry/?user={boss.pk}"
    assert "this one" in client.get(own).content.decode()
    client.post(own)
    assert seen(client) == boss.get_username()


# -- checks --------------------------------------------------------------------------------------------------


def found(**changed: Any) -> list[str]:
    """The ids of what `manage.py check` says."""
    with override_settings(**changed):
        return [message.id for message in check_settings()]


def test_a_sound_site_has_nothing_to_say() -> None:
    """The admin's and all other checks pass, too."""
    assert check_settings() == []
    assert run_checks() == []


@pytest.mark.parametrize(
    ("changed", "ids"),
    [
        ({"SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"}, ["coatcheck.E001"]),
        ({"MIDDLEWARE": [SITE, DJANGOS]}, ["coatcheck.E002"]),
        ({"MIDDLEWARE": [DJANGOS]}, ["coatcheck.W001"]),
        ({"MIDDLEWARE": [site.MIDDLEWARE[3], SITE]}, ["coatcheck.E003"]),
        ({"MIDDLEWARE": [site.MIDDLEWARE[1], SITE]}, ["coatcheck.E004"]),
        ({"COATCHECK": {"store": "nothing://"}}, ["coatcheck.E005"]),
        ({"COATCHECK": {"stor": "memory://"}}, ["coatcheck.E005"]),
        ({"COATCHECK": {"store": "memory://", "csrf": "token"}}, ["coatcheck.E005"]),
        ({"COATCHECK": {"store": "memory://", "secret": "short"}}, ["coatcheck.E005"]),
        ({"COATCHECK": {}}, ["coatcheck.E005"]),
        ({"SESSION_SERIALIZER": "some.Pickle"}, ["coatcheck.W002"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_contradicts_itself_is_said_by_check(changed: dict[str, Any], ids: list[str]) -> None:
    """In words, before the first request."""
    assert found(**changed) == ids


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"SESSION_ENGINE": "django.contrib.sessions.backends.db"}, "SESSION_ENGINE"),
        ({"MIDDLEWARE": [SITE, DJANGOS]}, "beside ours"),
        ({"MIDDLEWARE": [SITE, SITE]}, "twice"),
        ({"COATCHECK": {}}, "COATCHECK_STORE"),
    ],
)
def test_without_the_check_the_server_does_not_start(changed: dict[str, Any], words: str) -> None:
    """At start-up: not every project runs `check`."""
    with override_settings(**changed), pytest.raises(ConfigurationError, match=words):
        SessionMiddleware(lambda _: HttpResponse("ok"))


def test_the_session_behind_a_request_is_typed() -> None:
    """`session_from`, with all that a `coatcheck.Session` has."""
    request = RequestFactory().get("/")
    SessionMiddleware(lambda _: HttpResponse("ok")).process_request(request)
    assert session_from(request).is_authenticated is False
    assert isinstance(manager_from(request), SessionManager)
