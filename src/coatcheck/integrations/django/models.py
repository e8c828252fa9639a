"""A name for the admin page and its two permissions, `view` and `delete`. There is no table."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from typing import Any

from django.db import models


class Nothing(models.Manager):  # type: ignore[misc]  # untyped base
    """Asks no table: `dumpdata` goes through the objects of every model."""

    def get_queryset(self) -> Any:
        """None of them."""
        return super().get_queryset().none()


class Entry(models.Model):  # type: ignore[misc]  # untyped base
    """Stands for a session in `django.contrib.admin`."""

    objects: Nothing = Nothing()

    class Meta:
        """What Django wants to know."""

        managed = False
        default_permissions: tuple[str, ...] = ("view", "delete")
        verbose_name = "session"
        verbose_name_plural = "sessions"
