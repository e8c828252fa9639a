"""The session cookie that Flask's `SESSION_COOKIE_*` settings ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..cookies import CookieSettings


def cookie_from(config: Mapping[str, Any], usual: Mapping[str, Any], secure: bool | None = None) -> CookieSettings:
    """The cookie's settings. `usual` are the framework's defaults; `secure` is COATCHECK_COOKIE_SECURE.

    Raises `ConfigurationError` for combinations that browsers refuse.
    """

    def wish(name: str) -> Any:
        value = config.get(name)
        return None if value == usual.get(name) else value

    if secure is None and wish("SESSION_COOKIE_SECURE"):
        secure = True
    return CookieSettings(
        name=wish("SESSION_COOKIE_NAME"),
        path=config.get("SESSION_COOKIE_PATH") or config.get("APPLICATION_ROOT") or "/",
        domain=config.get("SESSION_COOKIE_DOMAIN") or None,
        secure=None if secure is None else bool(secure),
        http_only=bool(config.get("SESSION_COOKIE_HTTPONLY", True)),
        same_site=str(wish("SESSION_COOKIE_SAMESITE") or "lax").lower(),  # type: ignore[arg-type]  # checked there
        partitioned=bool(config.get("SESSION_COOKIE_PARTITIONED", False)),
    )
