"""From Flask's and Quart's `app.config` to the settings of a manager and of a `Front`.

`COATCHECK_*` comes first, then what was set of the framework's own. A default value of the framework's is not
taken for a wish: it never weakens ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Generic, NamedTuple, TypeVar

from ..connect import framework_secret
from ..errors import ConfigurationError
from ..legacy.source import Source
from ..manager import AsyncSessionManager, SessionManager
from ..policy import Policy
from .flask_cookie import cookie_from

M = TypeVar("M", SessionManager, AsyncSessionManager)

PREFIX = "COATCHECK_"

MANAGER = frozenset(
    {"store", "secret", "policy", "cookie", "namespace", "user_field", "token_format", "near_cache", "record_client"}
    | {"clock", "cookie_secure"}
)
FRONT = frozenset({"csrf", "trusted_origins", "csrf_exempt", "exclude", "public_paths", "header", "legacy"})


class SetUp(NamedTuple, Generic[M]):
    """What an extension works with."""

    manager: M
    front: dict[str, Any]
    """The arguments of `Front`."""
    owned: bool
    """Whether the manager was made here."""
    policy_given: bool
    """Whether the policy was asked for, and not made from Flask's own settings."""


def set_up(
    app: Any, kind: type[M], manager: M | None, given: dict[str, Any], user_field: str | None = None
) -> SetUp[M]:
    """The manager and the front's settings: `given` ones, else `COATCHECK_*` in `app.config`, else the framework's own
    where they differ from its defaults.

    Raises `ConfigurationError` for a setting that does not exist, contradicts another or is refused.
    """
    if "coatcheck" in app.extensions:
        raise ConfigurationError("this application has a Coatcheck already: take one of them out")
    told = {name: value for name, value in app.config.items() if name.startswith(PREFIX)}
    settings = {name.removeprefix(PREFIX).lower(): value for name, value in told.items()} | given
    if unknown := sorted(set(settings) - MANAGER - FRONT):
        known = ", ".join(sorted(MANAGER | FRONT))
        raise ConfigurationError(f"{PREFIX}{unknown[0].upper()}: there is no such setting. Known: {known}")
    front = {name: settings.pop(name) for name in FRONT & settings.keys()}
    if legacy := front.get("legacy"):
        sources = [legacy] if isinstance(legacy, Source) else legacy
        front["legacy"] = [source.bound(app.config) if isinstance(source, Source) else source for source in sources]
    settings = {name: value for name, value in settings.items() if value is not None}
    policy_given = manager is not None or "policy" in settings
    if manager is None:
        manager = kind(**_arguments(settings, app.config, app.default_config, user_field))
        return SetUp(manager, front, True, policy_given)
    if settings:
        raise ConfigurationError(f"{', '.join(sorted(settings))}: belongs to the manager that was passed")
    if not isinstance(manager, kind):
        raise ConfigurationError(f"this application needs a {kind.__name__}, not a {type(manager).__name__}")
    if manager.engine.user_field is None:
        manager.engine.user_field = user_field
    return SetUp(manager, front, False, policy_given)


def foreign(interface: object) -> str:
    """The words for a session interface that is not ours."""
    name = f"{type(interface).__module__}.{type(interface).__name__}"
    return f"app.session_interface is {name}: two things keep this application's sessions, take one of them out"


def _arguments(
    settings: dict[str, Any], config: Mapping[str, Any], usual: Mapping[str, Any], user_field: str | None
) -> dict[str, Any]:
    """The arguments of a manager that is made here."""
    secure = settings.pop("cookie_secure", None)
    try:
        framework = {"cookie": cookie_from(config, usual, secure), "policy": policy_from(config, usual)}
    except ConfigurationError as error:
        raise ConfigurationError(f"from the application's own SESSION_* settings: {error}") from error
    key = config.get("SECRET_KEY")
    secret = framework_secret(key, *(config.get("SECRET_KEY_FALLBACKS") or ())) if key else None
    return {"user_field": user_field, "secret": secret, **framework} | settings


def policy_from(config: Mapping[str, Any], usual: Mapping[str, Any]) -> Policy:
    """`PERMANENT_SESSION_LIFETIME` is what ends an unused session, as each of Flask's responses renews it. A session
    that is not `permanent` ends with the browser."""
    lifetime = config["PERMANENT_SESSION_LIFETIME"]
    ours = Policy(remember=False)
    if lifetime == usual["PERMANENT_SESSION_LIFETIME"]:
        return ours
    idle = lifetime if isinstance(lifetime, timedelta) else timedelta(seconds=lifetime)
    return Policy(remember=False, idle_timeout=idle, absolute_timeout=max(idle, ours.absolute_timeout))
