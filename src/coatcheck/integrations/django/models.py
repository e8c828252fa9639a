"""A name for the admin page and its two permissions, `view` and `delete`. There is no table."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from django.db import models


class Entry(models.Model):  # type: ignore[misc]  # untyped base
    """Stands for a session in `django.contrib.admin`."""

    class Meta:
        """What Django wants to know."""

        managed = False
        default_permissions = ("view", "delete")
        verbose_name = "session"
        verbose_name_plural = "sessions"
