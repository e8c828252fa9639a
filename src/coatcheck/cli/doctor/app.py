"""`--app module:attribute`: the manager of an application, as its server would load it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from importlib import import_module
from typing import Any

from coatcheck.errors import ConfigurationError
from coatcheck.keyring import MIN_SECRET_BYTES
from coatcheck.manager import AsyncSessionManager, SessionManager

_INTEGRATIONS = ("asgi", "litestar", "flask", "quart", "aiohttp", "wsgi", "pyramid", "django")
"""Django last: it finds its manager in the settings, whatever it is asked about."""
_OWN = ("COATCHECK_SECRET", "COATCHECK_SECRET_FILE")


def load(target: str) -> Any:
    """What `module:attribute` names. Raises `ConfigurationError`, never with the text of what went wrong inside: that
    may hold a secret."""
    name, separator, path = target.partition(":")
    if not (name and separator and path):
        raise ConfigurationError("--app is module:attribute, as in --app shop.main:app")
    if "" not in sys.path:
        sys.path.insert(0, "")  # as servers do
    try:
        with redirect_stdout(sys.stderr):  # --json is for scripts
            value: Any = import_module(name)
    except (Exception, SystemExit) as error:
        raise ConfigurationError(
            f"--app {target}: {type(error).__name__}. Try `python -c 'import {name}'` in the application's folder and "
            "environment"
        ) from error
    try:
        for part in path.split("."):
            value = getattr(value, part)
    except AttributeError as error:
        raise ConfigurationError(
            f"--app {target}: the module has no {path}. Name what its server is given, as in --app shop.main:app"
        ) from error
    return value


def manager_of(value: Any) -> SessionManager | AsyncSessionManager:
    """A manager, or that of an application. Raises `ConfigurationError`."""
    if isinstance(value, SessionManager | AsyncSessionManager):
        return value
    _built(value)
    for name in _INTEGRATIONS:
        module = sys.modules.get(f"coatcheck.integrations.{name}")
        if module is None:
            continue  # whoever has its sessions has loaded it
        try:
            found = module.manager_from(None if name == "django" else value)
        except (ConfigurationError, AttributeError, TypeError, RuntimeError, LookupError):
            continue
        if isinstance(found, SessionManager | AsyncSessionManager):
            return found
    raise ConfigurationError(
        f"--app: no session manager is found from a {type(value).__name__}. Name the application, as its "
        "server does, or the manager, and not a factory"
    )


def _built(app: Any) -> None:
    """Starlette and FastAPI make their middleware, and it its manager, when they first serve: have it done now."""
    build = getattr(app, "build_middleware_stack", None)
    if build is None or getattr(app, "middleware_stack", None) is not None:
        return
    try:
        with redirect_stdout(sys.stderr):
            app.middleware_stack = build()
    except ConfigurationError as error:
        raise ConfigurationError(f"--app: {error}") from error
    except Exception as error:
        raise ConfigurationError(f"--app: its middleware cannot be made: {type(error).__name__}") from error


def framework_keys(value: Any) -> list[bytes]:
    """The framework's own keys that are too short for us, where a secret is made of them: it is as long as ours have to
    be, and as easy to guess as they are. A longer one is the secret itself."""
    if any(map(os.environ.get, _OWN)):
        return []
    config = getattr(value, "config", None)
    found: list[Any] = []
    if isinstance(config, Mapping):
        if not config.get("COATCHECK_SECRET"):
            found = [config.get("SECRET_KEY"), *(config.get("SECRET_KEY_FALLBACKS") or ())]
    elif "coatcheck.integrations.django" in sys.modules:
        settings = import_module("django.conf").settings
        if settings.configured and not getattr(settings, "COATCHECK", {}).get("secret"):
            found = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    keys = [key.encode() if isinstance(key, str) else key for key in found if isinstance(key, str | bytes)]
    return [key for key in keys if 0 < len(key) < MIN_SECRET_BYTES]
