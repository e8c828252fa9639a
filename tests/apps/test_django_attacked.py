"""What a hostile reader of the Django integration found: each of these was so once."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from io import StringIO
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib import auth
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import UpdateError
from django.core import mail
from django.core.management import call_command
from django.http import HttpResponse, JsonResponse
from django.template.response import SimpleTemplateResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path
from django.views.debug import ExceptionReporter

from coatcheck import CookieSettings
from coatcheck.errors import ConfigurationError, CSRFError, TicketSpent
from coatcheck.integrations.django import (
    SessionMiddleware,
    SessionStore,
    async_manager_from,
    manager_from,
    session_from,
    ticket_required,
)
from coatcheck.integrations.django.checks import check_settings
from coatcheck.integrations.django.shared import SharedLoginMiddleware
from tests.apps import django_site as site

OURS = f"{site.OURS}.SessionMiddleware"


@pytest.fixture(scope="module", autouse=True)
def _tables() -> Iterator[None]:
    with site.tested():
        yield


@pytest.fixture
def user() -> Any:
    return get_user_model().objects.create_user(f"u{uuid4().hex[:12]}")


@pytest.fixture
def client(user: Any) -> Iterator[Client]:
    """Signed in, on a site of this file's views."""
    with override_settings(ROOT_URLCONF=__name__):
        client = Client()
        client.force_login(user)
        yield client


def me(request: Any) -> HttpResponse:
    return JsonResponse({"user": request.user.get_username() or None, "fields": dict(request.session.items())})


def reload(request: Any) -> HttpResponse:
    request.session["unsaved"] = 1
    loaded = request.session.load()
    request.session["written"] = 2
    return JsonResponse(loaded)


def fail(request: Any) -> HttpResponse:
    raise RuntimeError(request.path)


def spent(request: Any) -> HttpResponse:
    raise {"ticket": TicketSpent, "csrf": CSRFError}[request.GET["what"]](request.path)


class _Broken(SimpleTemplateResponse):  # type: ignore[misc]  # untyped base
    @property
    def rendered_content(self) -> str:
        raise RuntimeError("the template fails")


class _Whole(SimpleTemplateResponse):  # type: ignore[misc]  # untyped base
    rendered_content = "the file"


@ticket_required("download")
def download(request: Any) -> HttpResponse:
    return (_Broken if settings.TEMPLATE_FAILS else _Whole)("no.html")


async def sign_out(request: Any) -> HttpResponse:
    await request.session.aflush()
    return HttpResponse("bye")


urlpatterns = [
    path("me", me),
    path("reload", reload),
    path("fail", fail),
    path("spent", spent),
    path("download", download),
    path("out", sign_out),
]


def signed_in(client: Client) -> str | None:
    """Who the site says it is."""
    who: str | None = client.get("/me").json()["user"]
    return who


# -- lost, revived, left behind ----------------------------------------------------------------------------------


def test_load_in_a_view_reads_and_changes_nothing(client: Client, user: Any) -> None:
    """Django's `load()` shows what is stored; the request's session, and what was written to it, stay as they are."""
    assert client.get("/reload").json()["_auth_user_id"] == str(user.pk)
    assert signed_in(client) == user.get_username()
    fields = client.get("/me").json()["fields"]
    assert (fields["unsaved"], fields["written"]) == (1, 2)


async def test_a_client_that_hangs_up_does_not_cancel_its_logout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Django cancels the request's task; the store is just being asked."""
    user = await get_user_model().objects.acreate(username=f"u{uuid4().hex[:12]}")
    with override_settings(ROOT_URLCONF=__name__):
        client = AsyncClient()
        await client.aforce_login(user)
        store: Any = async_manager_from().store
        asked, go_on, end = asyncio.Event(), asyncio.Event(), store.end

        async def slow(*args: Any) -> Any:
            asked.set()
            await go_on.wait()
            return await end(*args)

        monkeypatch.setattr(store, "end", slow)
        task = asyncio.ensure_future(client.get("/out"))
        await asked.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        go_on.set()
        for _ in range(10):
            await asyncio.sleep(0)
        assert await async_manager_from().sessions(user.pk) == []


def test_a_session_known_by_its_handle_is_ended_also_after_a_look(user: Any) -> None:
    """In a command: a line that reads a field first must not make the end a silent nothing."""
    with override_settings(ROOT_URLCONF=__name__):
        client = Client()
        client.force_login(user)
        (info,) = manager_from().sessions(user.pk)
        store = SessionStore(info.handle)
        assert store.get("anything") is None
        store.flush()
        assert signed_in(client) is None


def test_what_is_written_under_a_handle_is_refused_and_not_lost(client: Client, user: Any) -> None:
    """It would go into a new session that nobody has."""
    (info,) = manager_from().sessions(user.pk)
    store = SessionStore(info.handle)
    store["plan"] = "gold"
    before = manager_from().stats().sessions
    with pytest.raises(UpdateError, match="update_user"):
        store.save()
    assert manager_from().stats().sessions == before


async def test_a_coroutine_is_refused_likewise() -> None:
    """By `asave`."""
    session = await async_manager_from().load(None)
    session.login("ada")
    await async_manager_from().commit(session)
    store = SessionStore(str(session.handle))
    await store.aset("plan", "gold")
    with pytest.raises(UpdateError, match="update_user"):
        await store.asave()


def test_every_receiver_of_a_login_gets_the_new_sessions_key(client: Client, user: Any) -> None:
    """Ours comes first, before those that were connected earlier: one may keep the key, to end the session later."""
    kept: list[str] = []

    def keep(*, request: Any, **_: Any) -> None:
        kept.append(request.session.session_key)

    def twice(request: Any) -> HttpResponse:
        auth.login(request, user)
        auth.login(request, user)
        return HttpResponse()

    assert len(user_logged_in.receivers) > 1
    assert user_logged_in.receivers[0][0][0] == "coatcheck"
    user_logged_in.connect(keep)
    try:
        request = RequestFactory().get("/")
        SessionMiddleware(twice)(request)
    finally:
        user_logged_in.disconnect(keep)
    assert kept[-1] == request.session.session_key


def test_a_path_without_sessions_stores_none(user: Any) -> None:
    """What it writes is lost, as the log says: no row, no login that nobody can end."""

    def write(request: Any) -> HttpResponse:
        request.session["a"] = 1
        request.session.save()
        session_from(request).login(user.pk)
        request.session.save()
        return HttpResponse()

    with override_settings(COATCHECK={**settings.COATCHECK, "exclude": ["/health"]}):
        before = manager_from().stats().sessions
        SessionMiddleware(write)(RequestFactory().get("/health"))
        assert manager_from().stats().sessions == before


# -- shown to the wrong ones -------------------------------------------------------------------------------------


@pytest.mark.parametrize("cookie", [None, CookieSettings(name="shop")])
def test_an_error_mail_and_the_debug_page_show_no_token(user: Any, cookie: CookieSettings | None) -> None:
    """By cookie and by header, and no password of the store's URL in the settings."""
    own = {"header": "X-Session", "store": "memory://", "namespace": "mails"} | ({"cookie": cookie} if cookie else {})
    seen: list[str] = []

    def fails(request: Any) -> HttpResponse:
        try:
            fail(request)
        except RuntimeError as error:
            reporter = ExceptionReporter(request, type(error), error, error.__traceback__)
            seen.extend([reporter.get_traceback_html(), reporter.get_traceback_text()])
        return HttpResponse()

    with override_settings(ROOT_URLCONF=__name__, COATCHECK=own):
        session = manager_from().load(None)
        session.login(user.pk)
        token = str(manager_from().commit(session).token)
        name = manager_from().cookie.name_for(True)
        for how in ({"HTTP_COOKIE": f"{name}={token}"}, {"HTTP_X_SESSION": token}):
            request = RequestFactory().get("/fail", secure=True, **how)
            SessionMiddleware(fails)(request)
            assert session_from(request).user_id == str(user.pk)
    assert len(seen) == 4
    assert not [page for page in seen if token[22:] in page]


def test_the_stores_password_is_not_on_the_debug_page() -> None:
    """`COATCHECK["store"]` is a setting like any other to Django."""
    with override_settings(COATCHECK={"store": "redis://shop:pa55word@localhost:1/0"}):
        request = RequestFactory().get("/")
        with override_settings(COATCHECK={"store": "memory://"}):
            SessionMiddleware(lambda _request: HttpResponse())(request)
        shown = request.exception_reporter_filter.get_safe_settings()
        assert "pa55word" not in str(shown)
        assert shown["ROOT_URLCONF"] == settings.ROOT_URLCONF


def test_a_mark_of_the_applications_own_is_no_test_client(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sites that want no forms' tokens set `_dont_enforce_csrf_checks` on every request: a sibling host could plant the
    bare cookie."""
    monkeypatch.delattr(mail, "outbox")
    session = manager_from().load(None)
    session.login(user.pk)
    token = str(manager_from().commit(session).token)
    request = RequestFactory().get("/", secure=True, HTTP_COOKIE=f"{settings.SESSION_COOKIE_NAME}={token}")
    request._dont_enforce_csrf_checks = True
    SessionMiddleware(lambda _request: HttpResponse())(request)
    assert session_from(request).user_id is None


# -- answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("what", "status"), [("ticket", 410), ("csrf", 403)])
def test_an_error_that_a_view_lets_pass_has_its_answer(client: Client, what: str, status: int) -> None:
    """As in every framework, and not 500."""
    assert client.get(f"/spent?what={what}").status_code == status


def test_a_template_that_fails_spends_no_ticket(client: Client, user: Any) -> None:
    """Django renders after the view has answered."""
    session = manager_from().load(client.cookies[settings.SESSION_COOKIE_NAME].value)
    ticket = manager_from().tickets.issue("download", {}, session=session)
    client.raise_request_exception = False
    with override_settings(TEMPLATE_FAILS=True):
        assert client.get(f"/download?ticket={ticket}").status_code == 500
    with override_settings(TEMPLATE_FAILS=False):
        answer = client.get(f"/download?ticket={ticket}")
        assert (answer.status_code, answer.content) == (200, b"the file")
        assert answer["Cache-Control"] == "private, no-store"
        assert client.get(f"/download?ticket={ticket}").status_code == 410


def test_a_body_that_sets_the_expiry_goes_on(client: Client) -> None:
    """The cookie has gone out; the lifetime changes all the same."""
    request = RequestFactory().get("/", HTTP_COOKIE=f"{manager_from().cookie.name_for(False)}={_token(client)}")
    SessionMiddleware(lambda _request: HttpResponse())(request)
    request.session.set_expiry(0)
    assert request.session.get_expire_at_browser_close()


def _token(client: Client) -> str:
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


def test_every_session_of_a_user_can_be_seen_in_the_admin() -> None:
    """A page has a hundred, and says where the others are."""
    admin = get_user_model().objects.create_superuser(f"u{uuid4().hex[:12]}")
    manager = manager_from()
    for _ in range(120):
        session = manager.load(None)
        session.login("many")
        manager.commit(session)
    with override_settings(ROOT_URLCONF=site.__name__):
        client = Client()
        client.force_login(admin)
        first = client.get("/admin/coatcheck/entry/?user=many").content.decode()
        after = first.partition("&amp;after=")[2].partition('"')[0]
        second = client.get(f"/admin/coatcheck/entry/?user=many&after={after}").content.decode()
    assert [page.count("<td><code>") for page in (first, second)] == [100, 20]
    assert "after=" not in second


def test_a_dump_of_the_database_goes_past_it() -> None:
    """`dumpdata` asks every model for its rows, also the one without a table."""
    out = StringIO()
    call_command("dumpdata", stdout=out)
    assert "coatcheck" not in out.getvalue().replace('"coatcheck"', "")


# -- settings ----------------------------------------------------------------------------------------------------


def _found() -> set[str | None]:
    return {one.id for one in check_settings()}


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"MIDDLEWARE": [OURS, f"{site.OURS}.middleware.SessionMiddleware"]}, "coatcheck.E006"),
        (
            {"MIDDLEWARE": ["django.middleware.csrf.CsrfViewMiddleware", OURS], "CSRF_USE_SESSIONS": True},
            "coatcheck.E007",
        ),
        ({"MIDDLEWARE": [OURS, "django.middleware.cache.UpdateCacheMiddleware"]}, "coatcheck.E008"),
        ({"COATCHECK": {"store": "memory://", "login_backend": "no.such.Backend"}}, "coatcheck.E005"),
        ({"COATCHECK": {"store": "memory://", "login_backend": "x"}, "MIDDLEWARE": [OURS]}, "coatcheck.W002"),
        ({"COATCHECK": {"store": "memory://", "cookie": {"name": "x"}}}, "coatcheck.E005"),
        ({"COATCHECK": {"store": "memory://", "cookie": {}}}, "coatcheck.E005"),
        ({"COATCHECK": {"store": "memory://", "policy": 0}}, "coatcheck.E005"),
        ({"COATCHECK": {"store": "memory://", "async_store": SimpleNamespace(load=len)}}, "coatcheck.E005"),
        ({"SESSION_COOKIE_AGE": "3600"}, "coatcheck.E005"),
        ({"SESSION_COOKIE_SAMESITE": False}, "coatcheck.E005"),
    ],
)
def test_what_contradicts_itself_is_found(changed: dict[str, Any], found: str) -> None:
    """By `manage.py check`, which itself does not fail."""
    with override_settings(**changed):
        assert found in _found()


def test_what_counts_is_not_called_useless() -> None:
    """The cookie's name beside ours is read by Channels and the test client; None is as if nothing were said."""
    with override_settings(
        COATCHECK={"store": "memory://", "cookie": CookieSettings()}, SESSION_COOKIE_NAME="__Host-coatcheck"
    ):
        assert "coatcheck.W002" not in _found()
    with override_settings(COATCHECK={"store": "memory://", "policy": None, "cookie": None}, SESSION_COOKIE_AGE=60):
        assert "coatcheck.W002" not in _found()


@pytest.mark.parametrize("spelling", [OURS, f"{site.OURS}.middleware.SessionMiddleware"])
def test_two_of_ours_do_not_start(spelling: str) -> None:
    """In either spelling."""
    with override_settings(MIDDLEWARE=[OURS, spelling]), pytest.raises(ConfigurationError, match="twice"):
        SessionMiddleware(lambda _request: HttpResponse())


def test_without_the_application_it_says_so_when_it_starts(caplog: pytest.LogCaptureFixture) -> None:
    """Who signs in again would keep the session that they had, and nothing would check the settings."""
    without = [name for name in settings.INSTALLED_APPS if name != site.OURS and "admin" not in name]
    with override_settings(INSTALLED_APPS=without):
        SessionMiddleware(lambda _request: HttpResponse())
    assert "INSTALLED_APPS" in caplog.text


def test_a_login_backend_that_is_none_does_not_start() -> None:
    """Named with the ones that there are."""
    own = {"store": "memory://", "login_backend": "x"}
    with override_settings(COATCHECK=own), pytest.raises(ConfigurationError, match="ModelBackend"):
        SharedLoginMiddleware(lambda _request: HttpResponse())
