"""Django's sessions, in its Redis cache or in its database, as its documentation sets them up."""

# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path

from . import gate

IN_CACHE = os.environ["RACES_STORE"] == "redis"


def login(request: Any) -> JsonResponse:
    # As django.contrib.auth.login does.
    request.session.cycle_key()
    request.session["user"] = "ada"
    return JsonResponse({})


def logout(request: Any) -> JsonResponse:
    # As django.contrib.auth.logout does.
    request.session.flush()
    return JsonResponse({})


def write(request: Any) -> JsonResponse:
    saw = request.session.get("user")
    if "gate" in request.GET:
        gate.wait()
    request.session[request.GET["field"]] = 1
    return JsonResponse({"saw": saw})


def show(request: Any) -> JsonResponse:
    return JsonResponse(gate.shown(dict(request.session.items())))


def versions(_: Any) -> JsonResponse:
    drivers = ["redis"] if IN_CACHE else []
    return JsonResponse(gate.versions("django", *drivers, "gunicorn"))


urlpatterns = [
    path("login", login),
    path("logout", logout),
    path("write", write),
    path("session", show),
    path("versions", versions),
]

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=gate.SECRET,
    INSTALLED_APPS=["django.contrib.sessions"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    SESSION_ENGINE=f"django.contrib.sessions.backends.{'cache' if IN_CACHE else 'db'}",
    CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": gate.REDIS}},
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{gate.FOLDER}/django.db"}},
)
application = get_wsgi_application()
if not IN_CACHE:
    call_command("migrate", verbosity=0)
