"""`manage.py check`: what contradicts itself in the settings, in words, before the first request does."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware as DjangoMiddleware
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 (its name there)
from django.utils.module_loading import import_string

from ...errors import ConfigurationError
from . import managers
from .middleware import DJANGOS, ENGINE, SessionMiddleware, front
from .shared import SharedLoginMiddleware

OURS = f"{ENGINE}.SessionMiddleware"
SHARED = f"{ENGINE}.SharedLoginMiddleware"
AUTH = "django.contrib.auth.middleware.AuthenticationMiddleware"

UNUSED = ("SESSION_SERIALIZER", "SESSION_CACHE_ALIAS", "SESSION_FILE_PATH")
OF_POLICY = ("SESSION_COOKIE_AGE", "SESSION_EXPIRE_AT_BROWSER_CLOSE", "SESSION_SAVE_EVERY_REQUEST")
OF_COOKIE = tuple(f"SESSION_COOKIE_{name}" for name in ("NAME", "PATH", "DOMAIN", "SECURE", "HTTPONLY", "SAMESITE"))


def check_settings(**_: Any) -> list[CheckMessage]:
    """All that can be said without a request, and without I/O."""
    return [*_engine(), *_order(), *_values()]


def _places(kind: type, but: tuple[type, ...] = ()) -> list[int]:
    """Where in MIDDLEWARE a class, or one that is made from it, stands."""
    classes = [import_string(path) for path in settings.MIDDLEWARE]
    return [
        place
        for place, one in enumerate(classes)
        if isinstance(one, type) and issubclass(one, kind) and not issubclass(one, but)
    ]


def _engine() -> Iterator[CheckMessage]:
    ours, theirs = _places(SessionMiddleware), _places(DjangoMiddleware, (SessionMiddleware,))
    engine = settings.SESSION_ENGINE
    if ours and engine != ENGINE:
        more = ""
        if engine.endswith("signed_cookies"):
            more = " That engine keeps the whole session in the cookie, where nothing can revoke it."
        yield Error(
            f"SESSION_ENGINE is {engine!r}, and our SessionMiddleware works with ours alone.{more}",
            hint=f'SESSION_ENGINE = "{ENGINE}"',
            id="coatcheck.E001",
        )
    if ours and theirs:
        yield Error(
            "Django's own SessionMiddleware stands beside ours: each would set a cookie of its own.",
            hint=f'Take "{DJANGOS}" out of MIDDLEWARE.',
            id="coatcheck.E002",
        )
    elif engine == ENGINE and not ours:
        yield Warning(
            "Our engine works without our middleware, and less well: session_key is the token, a credential, so keep "
            "it out of your tables and logs; there is no periodic rotation, the cookie is Django's, and a late write "
            "answers 400.",
            hint=f'Put "{OURS}" in MIDDLEWARE in place of Django\'s own.',
            id="coatcheck.W001",
        )


def _order() -> Iterator[CheckMessage]:
    ours, shared = _places(SessionMiddleware), _places(SharedLoginMiddleware)
    auth = _places(import_string(AUTH)) if apps.is_installed("django.contrib.auth") else []
    if ours and auth and auth < ours:
        yield Error(
            "AuthenticationMiddleware comes before our SessionMiddleware and finds no session.",
            hint=f'Put "{OURS}" before it.',
            id="coatcheck.E003",
        )
    if shared and not (ours and ours < shared and (not auth or shared < auth)):
        yield Error(
            "SharedLoginMiddleware comes after our SessionMiddleware and before AuthenticationMiddleware.",
            hint=f'MIDDLEWARE = [..., "{OURS}", "{SHARED}", "{AUTH}", ...]',
            id="coatcheck.E004",
        )


def _values() -> Iterator[CheckMessage]:
    if settings.SESSION_ENGINE != ENGINE:
        return
    try:
        front(managers.sync_manager())
        given = managers.given()
    except ConfigurationError as error:
        yield Error(f"The settings of Coatcheck contradict themselves: {error}", id="coatcheck.E005")
        return
    unused = [name for name in UNUSED if settings.is_overridden(name) and not given.get("legacy")]
    for key, names in (("policy", OF_POLICY), ("cookie", OF_COOKIE)):
        unused += [name for name in names if key in given and settings.is_overridden(name)]
    for name in unused:
        yield Warning(
            f"{name} changes nothing here.",
            hint='Take it out. COATCHECK["policy"] and COATCHECK["cookie"] count in place of what Django calls so, and '
            "values are stored by our own codec: JSON's types, dates, UUID, Decimal and bytes, never pickle.",
            id="coatcheck.W002",
        )
