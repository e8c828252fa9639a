"""Django: its own engines, and Coatcheck's, each as its documentation sets it up.

All in one process: an engine is chosen when a handler is made.
"""

# mypy: disable-error-code="import-not-found, import-untyped, misc, no-untyped-call"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.http import HttpResponse
from django.test.utils import override_settings
from django.urls import path

from .asking import Wsgi
from .ours import kept
from .world import UNTOUCHED, Place, Subject, World, changed, crowd, shown

USER = "_auth_user_id"
"""Where `django.contrib.auth` keeps who is signed in."""
OURS = "coatcheck.integrations.django"
DJANGOS = "django.contrib.sessions.middleware.SessionMiddleware"

urlpatterns: list[Any] = []


def untouched(_: Any) -> HttpResponse:
    return HttpResponse(UNTOUCHED)


def read(request: Any) -> HttpResponse:
    session = request.session
    return HttpResponse(shown(session.get(USER), session.get("role"), session.get("n")))


def write(request: Any) -> HttpResponse:
    user = request.session[USER]
    request.session["n"] = crowd.write(user)
    return HttpResponse(changed(user))


def login(request: Any) -> HttpResponse:
    fields = crowd.arrive()
    fields[USER] = user = fields.pop("sub")
    # As django.contrib.auth.login does.
    request.session.cycle_key()
    request.session.update(fields)
    return HttpResponse(crowd.arrived(user, request.session.session_key))


def list_(request: Any) -> HttpResponse:
    from coatcheck.integrations.django import manager_from, session_from

    session = session_from(request)
    return HttpResponse(str(len(manager_from(request).sessions(str(session.user_id), current=session))))


def revoke(request: Any) -> HttpResponse:
    from coatcheck.integrations.django import manager_from

    user = request.session[USER]
    return HttpResponse(str(manager_from(request).revoke(crowd.victim(user), user_id=user)))


PAGES = {"read": read, "untouched": untouched, "write": write, "login": login, "list": list_, "revoke": revoke}
OWN = ("read", "untouched", "write", "login")
urlpatterns += [path(kind, page) for kind, page in PAGES.items()]


def app(kind: str, engine: str | None = None, middleware: str = DJANGOS) -> Callable[[Any, Any], Any]:
    """A handler for one of the pages; bare without an engine."""
    chosen = {"SESSION_ENGINE": engine, "MIDDLEWARE": [middleware]} if engine else {"MIDDLEWARE": []}
    with override_settings(**chosen):
        handler = WSGIHandler()

    def serve(environ: Any, start_response: Any) -> Any:
        environ["PATH_INFO"] = f"/{kind}"
        return handler(environ, start_response)

    return serve


def own(name: str, engine: str, watch: str | None = None, carried: bool = False) -> Subject:
    """One of Django's engines."""
    apps = {kind: app(kind, f"django.contrib.sessions.backends.{engine}") for kind in OWN}
    return Subject(name, apps, watch=watch, carried=carried)


def world(place: Place, store: str = "Redis") -> World:
    """With Django's own engines, and Coatcheck's on one store: it has one in a process."""
    ours = next(kept("django", place, store), None)
    settings.configure(
        ALLOWED_HOSTS=["localhost"],
        ROOT_URLCONF=__name__,
        SECRET_KEY=place.secret,
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.sessions", OURS],
        MIDDLEWARE=[f"{OURS}.SessionMiddleware"],
        SESSION_COOKIE_SECURE=True,
        SESSION_ENGINE=OURS,
        CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": place.redis or ""}},
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": f"{place.folder}/django-{store}.db",
                "CONN_MAX_AGE": None,
                "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL"},
            }
        },
        COATCHECK={"store": ours.url if ours else "memory://", "secret": place.secret},
    )
    django.setup()
    call_command("migrate", verbosity=0)
    subjects = []
    if store == "Redis":
        subjects.append(own("Django's db, SQLite", "db", f"sqlite:///{place.folder}/django-{store}.db"))
        subjects.append(own("Django's signed cookie", "signed_cookies", carried=True))
    if store == "Redis" and place.redis:
        subjects.append(own("Django's cache, Redis", "cache", place.redis))
        subjects.append(own("Django's cached_db, Redis", "cached_db", place.redis))
    if ours:
        apps = {kind: app(kind, OURS, f"{OURS}.SessionMiddleware") for kind in PAGES}
        subjects.append(Subject(ours.name, apps, ours=True, watch=ours.watched()))
    return World(Wsgi(), app("untouched"), subjects, ("django",), loop=False)
