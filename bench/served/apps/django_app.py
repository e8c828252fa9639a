"""Django: bare, with each of its own session backends, and with ours.

Its database is SQLite, with a log and a connection that stays: faster than as it comes.
"""

# mypy: disable-error-code="import-not-found, import-untyped, misc, no-redef, possibly-undefined"

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

from .shared import BARE, FOLDER, KIND, REDIS, ROLE, SECRET, coatcheck, data, shown

OURS = "coatcheck.integrations.django"


def text(body: str) -> HttpResponse:
    return HttpResponse(body, content_type="text/plain; charset=utf-8")


if KIND == "bare":
    sessions: dict[str, Any] = {"INSTALLED_APPS": [], "MIDDLEWARE": []}

    def login(_: Any) -> HttpResponse:
        return text(BARE)

    read = write = written = login

elif KIND.startswith("coatcheck"):
    from coatcheck.integrations.django import session_from

    sessions = {
        "INSTALLED_APPS": [OURS],
        "MIDDLEWARE": [f"{OURS}.SessionMiddleware"],
        "SESSION_ENGINE": OURS,
        "COATCHECK": coatcheck(),
    }

    def login(request: Any) -> HttpResponse:
        session = session_from(request)
        session.login(request.GET["user"])
        session["role"], session["n"] = ROLE, 3
        return text(f"{session.user_id} {session['role']}")

    def read(request: Any) -> HttpResponse:
        session = session_from(request)
        return text(f"{session.user_id} {session.get('role')}")

    def write(request: Any) -> HttpResponse:
        session = session_from(request)
        session["n"] = request.GET["n"]
        return text(f"{session.user_id} {session['n']}")

    def written(request: Any) -> HttpResponse:
        session = session_from(request)
        return text(f"{session.user_id} {session.get('n')}")

else:
    sessions = {
        "INSTALLED_APPS": ["django.contrib.sessions"],
        "MIDDLEWARE": ["django.contrib.sessions.middleware.SessionMiddleware"],
        "SESSION_ENGINE": f"django.contrib.sessions.backends.{KIND}",
    }

    def login(request: Any) -> HttpResponse:
        # As django.contrib.auth.login does.
        request.session.cycle_key()
        request.session.update(data(request.GET["user"]))
        return text(shown(request.session))

    def read(request: Any) -> HttpResponse:
        return text(shown(request.session))

    def write(request: Any) -> HttpResponse:
        request.session["n"] = request.GET["n"]
        return text(shown(request.session, "n"))

    def written(request: Any) -> HttpResponse:
        return text(shown(request.session, "n"))


urlpatterns = [path("login", login), path("read", read), path("write", write), path("n", written)]

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=SECRET,
    CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS}},
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": f"{FOLDER}/django.db",
            "CONN_MAX_AGE": None,
            "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL", "timeout": 20},
        }
    },
    **sessions,
)
application = get_wsgi_application()
if KIND in {"db", "cached_db"}:
    call_command("migrate", verbosity=0)
