"""The admin page: a user's sessions, and an end to one or to all of them."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path

from . import managers
from .middleware import session_from
from .models import Entry

SHOWN = 100
"""Sessions on a page."""


@admin.register(Entry)
class SessionAdmin(admin.ModelAdmin):  # type: ignore[misc]  # untyped base
    """One page in place of the list of a table. Handles are shown, and no data."""

    def get_urls(self) -> list[Any]:
        """The one page: the others would ask the table."""
        return [path("", self.admin_site.admin_view(self.changelist_view), name="coatcheck_entry_changelist")]

    def has_add_permission(self, request: Any) -> bool:  # noqa: ARG002 (Django's signature)
        """Nobody makes a session by hand."""
        return False

    def changelist_view(self, request: Any, extra_context: Any = None) -> Any:  # noqa: ARG002
        """The sessions of `?user=`; a posted form ends one, or all but the asker's own."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        user, mine = request.GET.get("user", "")[:255], session_from(request)
        manager = managers.sync_manager()
        if request.method == "POST":
            if not self.has_delete_permission(request):
                raise PermissionDenied
            handle, why = request.POST.get("handle"), "revoked by an administrator"
            if handle:
                ended = int(manager.revoke(handle, why, user_id=user)) if user else 0
            else:
                ended = manager.revoke_user(user, mine if mine.user_id == user else None, why) if user else 0
            messages.info(request, f"Sessions ended: {ended}.")
            return HttpResponseRedirect(request.get_full_path())
        found = manager.sessions(user, SHOWN + 1, request.GET.get("after") or None, mine) if user else []
        context = self.admin_site.each_context(request) | {
            "title": "Sessions of a user",
            "user_id": user,
            "sessions": found[:SHOWN],
            "after": found[SHOWN - 1].handle if len(found) > SHOWN else None,
            "may_end": self.has_delete_permission(request),
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/coatcheck/sessions.html", context)
