"""What differs from one framework's test client to another's: how it takes a cookie, and whose application it calls."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import ConfigurationError
from ..manager import AsyncSessionManager, SessionManager

_WITH_APPLICATIONS = ("fastapi", "starlette", "litestar", "quart", "flask", "aiohttp")
"""Frameworks whose application leads to its manager, by `manager_from` of our module of that name."""


def frameworks(thing: Any) -> list[str]:
    """The packages that a client or an application is made of, its own first."""
    return [kind.__module__.partition(".")[0] for kind in type(thing).__mro__]


def manager_behind(client: Any, given: Any) -> SessionManager | AsyncSessionManager:
    """The manager that was given, or that of the application which was given, or that of the client's own.

    Raises `ConfigurationError` where none is found.
    """
    if isinstance(given, SessionManager | AsyncSessionManager):
        return given
    if given is None and "django" in frameworks(client):
        return _manager_from("django", None)
    app: Any = given
    for name in ("app", "application"):
        app = getattr(client, name, None) if app is None else app
    for package in frameworks(app):
        if package in _WITH_APPLICATIONS:
            if getattr(app, "middleware_stack", app) is None:  # Starlette's, before its first request
                app.middleware_stack = app.build_middleware_stack()
            return _manager_from(package, app)
    found = getattr(app, "manager", None)
    if isinstance(found, SessionManager | AsyncSessionManager):  # one of our own middlewares
        return found
    raise ConfigurationError(f"a {type(client).__name__} does not tell its manager: log_in(client, user_id, manager)")


def _manager_from(package: str, app: Any) -> SessionManager | AsyncSessionManager:
    # By its name: what a framework needs is loaded for those who have it.
    found: SessionManager | AsyncSessionManager = import_module(f"coatcheck.integrations.{package}").manager_from(app)
    return found


def give_cookie(client: Any, name: str, value: str) -> None:
    """Put a cookie into the client's jar, for all paths of its host."""
    known = frameworks(client)
    if "aiohttp" in known:
        getattr(client, "session", client).cookie_jar.update_cookies({name: value})
    elif "quart" in known:
        client.set_cookie(client.app.config["SERVER_NAME"] or "localhost", name, value)
    elif "django" in known:
        client.cookies[name] = value
    elif hasattr(client, "set_cookie"):
        client.set_cookie(name, value)
    else:
        client.cookies.set(name, value)


def as_django_has_it(user: Any) -> tuple[Any, dict[str, str]]:
    """The id of one of Django's users, and what `django.contrib.auth` keeps of a login; anything else as it is."""
    if not hasattr(user, "get_session_auth_hash"):
        return user, {}
    auth, settings = import_module("django.contrib.auth"), import_module("django.conf").settings
    return user.pk, {
        auth.SESSION_KEY: user._meta.pk.value_to_string(user),  # noqa: SLF001 (Django's own login asks so)
        auth.BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
        auth.HASH_SESSION_KEY: user.get_session_auth_hash(),
    }
