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
from django.middleware.cache import UpdateCacheMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.module_loading import import_string

from ...errors import ConfigurationError
from . import managers
from .middleware import DJANGOS, ENGINE, SessionMiddleware, front, places
from .shared import SharedLoginMiddleware, backend

OURS = f"{ENGINE}.SessionMiddleware"
SHARED = f"{ENGINE}.SharedLoginMiddleware"
AUTH = "django.contrib.auth.middleware.AuthenticationMiddleware"

UNUSED = ("SESSION_SERIALIZER", "SESSION_CACHE_ALIAS", "SESSION_FILE_PATH")
OF_POLICY = ("SESSION_COOKIE_AGE", "SESSION_EXPIRE_AT_BROWSER_CLOSE", "SESSION_SAVE_EVERY_REQUEST")
OF_COOKIE = tuple(f"SESSION_COOKIE_{name}" for name in ("PATH", "DOMAIN", "SECURE", "HTTPONLY", "SAMESITE"))
"""Not NAME: the test client and Channels read it."""


def check_settings(**_: Any) -> list[CheckMessage]:
    """All that can be said without a request, and without I/O."""
    return [*_engine(), *_order(), *_values()]


def _engine() -> Iterator[CheckMessage]:
    ours, theirs = places(SessionMiddleware), places(DjangoMiddleware, (SessionMiddleware,))
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
    if len(ours) > 1:
        yield Error(
            "Our SessionMiddleware stands in MIDDLEWARE twice: the second would load and commit once more.",
            hint="Take one out.",
            id="coatcheck.E006",
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
            "it out of your tables and logs; there is no periodic rotation, the cookie is Django's, a late write "
            "answers 400, and of COATCHECK only the manager's settings count.",
            hint=f'Put "{OURS}" in MIDDLEWARE in place of Django\'s own.',
            id="coatcheck.W001",
        )


def _order() -> Iterator[CheckMessage]:
    ours, shared = places(SessionMiddleware), places(SharedLoginMiddleware)
    auth = places(import_string(AUTH)) if apps.is_installed("django.contrib.auth") else []
    if ours and auth and auth < ours:
        yield Error(
            "AuthenticationMiddleware comes before our SessionMiddleware and finds no session.",
            hint=f'Put "{OURS}" before it.',
            id="coatcheck.E003",
        )
    csrf = places(CsrfViewMiddleware)
    if ours and csrf and csrf < ours and settings.CSRF_USE_SESSIONS:
        yield Error(
            "CSRF_USE_SESSIONS: CsrfViewMiddleware keeps its secret in the session, and comes before our middleware.",
            hint=f'Put "{OURS}" before it.',
            id="coatcheck.E007",
        )
    cache = places(UpdateCacheMiddleware)
    if ours and cache and cache > ours:
        yield Error(
            "UpdateCacheMiddleware comes after our SessionMiddleware: it stores a page before that is marked as one "
            "visitor's own.",
            hint=f'Put "django.middleware.cache.UpdateCacheMiddleware" before "{OURS}".',
            id="coatcheck.E008",
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
        if "async_store" in given:
            managers.async_manager()
        if shared := places(SharedLoginMiddleware):
            backend()
    except ConfigurationError as error:
        yield Error(f"The settings of Coatcheck contradict themselves: {error}", id="coatcheck.E005")
        return
    unused = [name for name in UNUSED if settings.is_overridden(name) and not given.get("legacy")]
    # Without our middleware the cookie is Django's own.
    of_cookie = OF_COOKIE if places(SessionMiddleware) else ()
    for key, names in (("policy", OF_POLICY), ("cookie", of_cookie)):
        unused += [name for name in names if given.get(key) is not None and settings.is_overridden(name)]
    if "login_backend" in given and not shared:
        unused.append('COATCHECK["login_backend"]')
    for name in unused:
        yield Warning(
            f"{name} changes nothing here.",
            hint='Take it out. COATCHECK["policy"] and COATCHECK["cookie"] count in place of what Django calls so, and '
            "values are stored by our own codec: JSON's types, dates, UUID, Decimal and bytes, never pickle.",
            id="coatcheck.W002",
        )
