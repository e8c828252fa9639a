"""The Django application: checks, the admin page, and a new session at each login."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core.checks import register


class CoatcheckConfig(AppConfig):  # type: ignore[misc]  # untyped base
    """What `INSTALLED_APPS = [..., "coatcheck.integrations.django"]` brings in."""

    name = "coatcheck.integrations.django"
    label = "coatcheck"
    verbose_name = "Sessions"
    # Of a model without a table; else a check warns. Django has a property there for who says nothing.
    default_auto_field = "django.db.models.BigAutoField"  # pyright: ignore[reportAssignmentType]

    def ready(self) -> None:
        """Called once, when all applications are loaded."""
        from django.contrib.auth.signals import user_logged_in

        from .checks import check_settings

        register(check_settings, "coatcheck")
        user_logged_in.connect(_renew, dispatch_uid="coatcheck")
        # Before all others: one that keeps the session's key has to get the new one.
        user_logged_in.receivers.insert(0, user_logged_in.receivers.pop())


def _renew(*, request: Any = None, **_: Any) -> None:
    """Django keeps the session of a user who signs in again; so `is_fresh` would never be true again."""
    from .store import SessionStore

    store = getattr(request, "session", None)
    if isinstance(store, SessionStore):
        store.renew()
