"""A Django project's URLs, with a page in them."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from django.urls import include, path

from coatcheck.integrations.django.pages import pages
from coatcheck.pages import Devices

urlpatterns = [path("account/devices/", include(pages(Devices(login_url="/login/"))))]
