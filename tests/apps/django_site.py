"""A Django site as projects have it: auth, admin, messages and forms' tokens, over a database in a file."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import django
from asgiref.sync import SyncToAsync
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.test.utils import setup_test_environment, teardown_test_environment
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

_folder = TemporaryDirectory(prefix="coatcheck-django-")
atexit.register(_folder.cleanup)

OURS = "coatcheck.integrations.django"
MIDDLEWARE = [
    f"{OURS}.SessionMiddleware",
    f"{OURS}.SharedLoginMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

settings.configure(
    SECRET_KEY="a key of the tests' own, which guards nothing",
    USE_TZ=True,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path(_folder.name, "site.db"))}},
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        OURS,
    ],
    MIDDLEWARE=MIDDLEWARE,
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    MESSAGE_STORAGE="django.contrib.messages.storage.session.SessionStorage",
    LOGIN_REDIRECT_URL="/me",
    SESSION_ENGINE=OURS,
    COATCHECK={"store": "memory://", "namespace": "django-site"},
)
django.setup()

from django.contrib import admin, messages  # noqa: E402

from coatcheck.errors import ReauthenticationRequired  # noqa: E402
from coatcheck.integrations.django import SessionStore, session_from, ticket_from, ticket_required  # noqa: E402


def me(request: HttpRequest) -> HttpResponse:
    user = request.user
    return JsonResponse({"user": user.get_username() or None, "key": request.session.session_key})


async def ame(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    return JsonResponse({"user": user.get_username() or None, "visits": await request.session.aget("visits")})


def count(request: HttpRequest) -> HttpResponse:
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(str(request.session["visits"]))


async def acount(request: HttpRequest) -> HttpResponse:
    await request.session.aset("visits", await request.session.aget("visits", 0) + 1)
    return HttpResponse("counted")


def nested(request: HttpRequest) -> HttpResponse:
    request.session.setdefault("cart", []).append(1)
    return HttpResponse(str(len(request.session["cart"])))


def expire(request: HttpRequest, seconds: int) -> HttpResponse:
    request.session["visits"] = 1
    request.session.set_expiry(seconds)
    return HttpResponse("ok")


def create(request: HttpRequest) -> HttpResponse:
    request.session.create()
    return HttpResponse(request.session.session_key)


def late(request: HttpRequest) -> HttpResponse:
    session_from(request)
    request.session.delete(request.GET["key"])
    request.session["late"] = 1
    if "save" in request.GET:
        request.session.save()
    return HttpResponse("done")


def say(request: HttpRequest) -> HttpResponse:
    messages.info(request, "Saved.")
    return HttpResponse("said")


def heard(request: HttpRequest) -> HttpResponse:
    return HttpResponse(" ".join(str(one) for one in messages.get_messages(request)))


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> object:
        yield b"started"
        request.session["late"] = 1

    return StreamingHttpResponse(body())


def fresh(request: HttpRequest) -> HttpResponse:
    raise ReauthenticationRequired("you signed in too long ago")


@ticket_required()
def download(request: HttpRequest) -> HttpResponse:
    text = ticket_from(request).claims["text"]
    seen = f"{text} {request.GET.urlencode()}"
    if "Range" in request.headers:
        return HttpResponse(seen, status=206)
    return HttpResponse(seen, status=int(request.GET.get("status", 200)))


def key(request: HttpRequest) -> HttpResponse:
    again = SessionStore(request.session.session_key)
    return HttpResponse(str(again.get("visits")))


def plain(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("plain")


urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("django.contrib.auth.urls")),
    path("me", me),
    path("ame", ame),
    path("count", count),
    path("acount", acount),
    path("nested", nested),
    path("expire/<int:seconds>", expire),
    path("create", create),
    path("late", late),
    path("say", say),
    path("heard", heard),
    path("stream", stream),
    path("fresh", fresh),
    path("download", download),
    path("key", key),
    path("plain", plain),
    path("hook", csrf_exempt(plain)),
]


def migrate() -> None:
    """Make the tables."""
    call_command("migrate", verbosity=0)
    connections.close_all()


@contextmanager
def tested() -> Iterator[None]:
    """With its tables, in the environment that Django's test runner makes."""
    migrate()
    setup_test_environment()
    yield
    teardown_test_environment()
    connections.close_all()
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
