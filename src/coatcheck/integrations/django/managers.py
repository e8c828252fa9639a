"""`settings.COATCHECK`, and Django's own session settings, as managers: made at first use, once in a process.

What `COATCHECK` does not say is taken from Django: `SECRET_KEY` and its fallbacks, `SESSION_COOKIE_*`,
`SESSION_EXPIRE_AT_BROWSER_CLOSE`, `SESSION_SAVE_EVERY_REQUEST`.
"""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from inspect import iscoroutinefunction, isfunction
from threading import RLock
from typing import Any, TypeVar

from ...connect import framework_secret
from ...cookies import CookieSettings
from ...errors import ConfigurationError
from ...manager import AsyncSessionManager, SessionManager
from ...policy import Policy

try:
    from django.conf import settings
    from django.core.signals import setting_changed
except ImportError as _error:  # pragma: no cover
    raise ConfigurationError('Django is missing: pip install "coatcheck[django]"') from _error

T = TypeVar("T")

USER_FIELD = "_auth_user_id"
"""Where `django.contrib.auth` keeps who is logged in."""

OF_MANAGER = frozenset(
    {"store", "secret", "policy", "cookie", "namespace", "token_format", "near_cache", "record_client", "clock"}
)
OF_FRONT = frozenset({"csrf", "trusted_origins", "csrf_exempt", "exclude", "public_paths", "header", "legacy"})
OF_DJANGO = frozenset({"async_store", "login_backend"})

_made: dict[str, Any] = {}
_lock = RLock()


def given() -> dict[str, Any]:
    """`settings.COATCHECK`. Raises `ConfigurationError` for a key that means nothing."""
    found = getattr(settings, "COATCHECK", {})
    if not isinstance(found, dict):
        raise ConfigurationError('COATCHECK in your settings is a dict: COATCHECK = {"store": "redis://..."}')
    known = OF_MANAGER | OF_FRONT | OF_DJANGO
    if unknown := sorted(set(found) - known):
        raise ConfigurationError(f"COATCHECK has {', '.join(map(repr, unknown))}. Known: {', '.join(sorted(known))}")
    return found


def sync_manager() -> SessionManager:
    """The manager for synchronous code."""
    return _once("sync", lambda: SessionManager(_store("store"), **_settings()))


def async_manager() -> AsyncSessionManager:
    """The manager for asynchronous code."""
    return _once("async", lambda: AsyncSessionManager(_async_store(), **_settings()))


def alone_manager() -> SessionManager:
    """The manager of stores without our middleware, on the same connections: no cookie would carry a periodic
    rotation's new secret."""
    return _once("alone", lambda: SessionManager(sync_manager().store, **_settings(rotates=False)))


def async_alone_manager() -> AsyncSessionManager:
    """As `alone_manager`."""
    return _once("async alone", lambda: AsyncSessionManager(async_manager().store, **_settings(rotates=False)))


def _once(name: str, make: Callable[[], T]) -> T:
    with _lock:
        if name not in _made:
            _made[name] = make()
        found: T = _made[name]
        return found


def _forget(*, setting: str, **_: Any) -> None:
    """Tests change settings."""
    if setting.startswith(("COATCHECK", "SESSION_", "SECRET_KEY")):
        _made.clear()


setting_changed.connect(_forget, dispatch_uid="coatcheck")


def _settings(rotates: bool = True) -> dict[str, Any]:
    own = {name: value for name, value in given().items() if name in OF_MANAGER and name != "store"}
    if own.get("secret") is None:
        own["secret"] = framework_secret(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    if own.get("policy") is None:
        own["policy"] = _policy()
    if own.get("cookie") is None:
        own["cookie"] = _cookie()
    if not rotates:
        own["policy"] = replace(own["policy"], rotation_interval=None)
        own.pop("near_cache", None)  # one listener a process is enough
    return own | {"user_field": USER_FIELD}


def _store(key: str) -> Any:
    """What a setting names. A function makes it: settings are read before there is a database connection."""
    store = given().get(key)
    return store() if isfunction(store) else store


def _async_store() -> Any:
    key = "async_store" if "async_store" in given() else "store"
    store = _store(key)
    if store is None or isinstance(store, str) or iscoroutinefunction(getattr(store, "load", None)):
        return store
    raise ConfigurationError(
        f'COATCHECK["{key}"] is an object for synchronous code: COATCHECK["async_store"] is a URL, or a store for '
        "asynchronous code"
    )


def _policy() -> Policy:
    age = settings.SESSION_COOKIE_AGE
    if not isinstance(age, (int, float)):
        raise ConfigurationError(f"SESSION_COOKIE_AGE is a number of seconds, not {age!r}")
    idle = timedelta(seconds=age)
    every = timedelta(seconds=1)  # each request, as far as a lifetime in seconds shows it
    return Policy(
        idle_timeout=idle,
        absolute_timeout=max(idle, Policy().absolute_timeout),
        remember=not settings.SESSION_EXPIRE_AT_BROWSER_CLOSE,
        touch_interval=every if settings.SESSION_SAVE_EVERY_REQUEST and idle > every else None,
    )


def _cookie() -> CookieSettings:
    secure = settings.SESSION_COOKIE_SECURE
    if not secure and not settings.is_overridden("SESSION_COOKIE_SECURE"):
        secure = None  # Django's default, and nobody's decision
    name = settings.SESSION_COOKIE_NAME
    same_site: Any = settings.SESSION_COOKIE_SAMESITE
    if not same_site:
        raise ConfigurationError(
            f"SESSION_COOKIE_SAMESITE = {same_site!r} leaves the attribute out, and browsers differ about what that "
            'means. For SAML and frames of other sites say "None", else "Lax"'
        )
    return CookieSettings(
        name=None if name == "sessionid" else name,
        path=settings.SESSION_COOKIE_PATH,
        domain=settings.SESSION_COOKIE_DOMAIN,
        secure=secure,
        http_only=bool(settings.SESSION_COOKIE_HTTPONLY),
        same_site=str(same_site).lower(),  # type: ignore[arg-type]  # it is checked there
    )
