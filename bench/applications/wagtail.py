"""Wagtail's own tests: those of its accounts, its privacy and its drafts, and some of its admin's pages."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field

from .application import INSIDE, Application, Place, Run

LABELS = (
    "wagtail.users",
    "wagtail.sites",
    "wagtail.documents",
    "wagtail.contrib.redirects",
    "wagtail.tests.test_page_privacy",
    "wagtail.admin.tests.test_account_management",
    "wagtail.admin.tests.test_editing_sessions",
    "wagtail.admin.tests.test_password_reset",
    "wagtail.admin.tests.test_privacy",
    "wagtail.admin.tests.pages.test_preview",
    "wagtail.admin.tests.pages.test_revisions",
    "wagtail.admin.tests.pages.test_view_draft",
)

FEWER = "one query less: the session is not in the database"
PREVIEW = "a preview is a request of Wagtail's own making; the test client's cookie counts in those of the client alone"


@dataclass(frozen=True)
class Wagtail(Application):
    """Its settings get our engine, our middleware and our application."""

    name: str = "wagtail"
    package: str = "wagtail"
    title: str = "Wagtail"
    framework: str = "Django"
    changed: str = "the settings"
    sources: tuple[str, ...] = ("wagtail",)
    explained: Mapping[str, str] = field(
        default_factory=lambda: {
            "wagtail.users.tests.test_admin_views.TestGroup*View.test_num_queries": FEWER,
            "wagtail.users.tests.test_admin_views.TestUserIndexView.test_num_queries": FEWER,
            "wagtail.documents.tests.test_admin_views.TestDocumentIndexView.test_simple": FEWER,
            "wagtail.documents.tests.test_admin_views.TestDocumentIndexView.test_order_by_usage_count": FEWER,
            "wagtail.sites.tests.TestSiteIndexView.test_num_queries": FEWER,
            "wagtail.contrib.redirects.tests.test_redirects.TestRedirectsIndexView.test_*_export": FEWER,
            "wagtail.admin.tests.pages.test_revisions.TestRevisions.test_preview_revision": PREVIEW,
            "wagtail.admin.tests.pages.test_view_draft.TestDraftAccess.test_show_edit_link_in_userbar": PREVIEW,
        }
    )

    def run(self, place: Place, ours: bool) -> Run:  # noqa: ARG002 (what `watched` does depends on the environment)
        """Its tests, in its source distribution, in one process: in the same order each time."""
        source = place.source("wagtail")
        shutil.rmtree(source / "wagtail" / "tests" / "test-media", ignore_errors=True)  # uploads of the run before
        manage = [str(place.python), str(INSIDE / "watched.py"), "wagtail/test/manage.py", "test", "--noinput"]
        return Run([*manage, *LABELS], source, {"DJANGO_SETTINGS_MODULE": "wagtail.test.settings"})
