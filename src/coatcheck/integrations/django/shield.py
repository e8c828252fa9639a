"""What Django shows of a request whose view has failed, on its debug page and in mails to ADMINS: no token of ours."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from typing import Any

from django.views.debug import get_default_exception_reporter_filter

from ...exchange import Front

_URLS = ("store", "async_store")
"""Keys of `COATCHECK` whose value may hold a password."""


class Shield:
    """The project's own filter (`DEFAULT_EXCEPTION_REPORTER_FILTER`), and what it does not know to be secret."""

    def __init__(self, front: Front[Any]) -> None:
        self._own: Any = get_default_exception_reporter_filter()
        cookie = front.manager.cookie
        self._cookies = {cookie.name_for(secure) for secure in (True, False)} | {old.cookie for old in front.legacy}
        self._header = f"HTTP_{front.header.decode().upper().replace('-', '_')}" if front.header else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def get_safe_cookies(self, request: Any) -> dict[str, Any]:
        """The request's cookies, the session's hidden."""
        return self._hide(self._own.get_safe_cookies(request), self._cookies)

    def get_safe_request_meta(self, request: Any) -> dict[str, Any]:
        """The request's META, the header with the token hidden."""
        return self._hide(self._own.get_safe_request_meta(request), {self._header})

    def get_safe_settings(self) -> dict[str, Any]:
        """The settings, passwords in the store's URL hidden."""
        found: dict[str, Any] = self._own.get_safe_settings()
        return found | {"COATCHECK": self._hide(found.get("COATCHECK", {}), {*_URLS})}

    def _hide(self, values: dict[str, Any], names: set[Any]) -> dict[str, Any]:
        return {name: self._own.cleansed_substitute if name in names else value for name, value in values.items()}
