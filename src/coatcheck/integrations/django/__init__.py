"""Sessions for Django: an engine, a middleware, an admin page, and what `django.contrib.auth` needs of them.

    SESSION_ENGINE = "coatcheck.integrations.django"
    COATCHECK = {"store": "redis://cache:6379/0"}
    INSTALLED_APPS = [..., "coatcheck.integrations.django"]
    MIDDLEWARE = [..., "coatcheck.integrations.django.SessionMiddleware", ...]  # in place of Django's own

More: docs/frameworks/django.md
"""

# Django imports this while it loads its applications: nothing here may import a model, or read a setting.
from . import managers as _managers  # noqa: F401 (first: it says how to install Django)
from .gate import ticket_from as ticket_from
from .gate import ticket_required as ticket_required
from .middleware import SessionMiddleware as SessionMiddleware
from .middleware import async_manager_from as async_manager_from
from .middleware import manager_from as manager_from
from .middleware import session_from as session_from
from .shared import SharedLoginMiddleware as SharedLoginMiddleware
from .store import SessionStore as SessionStore

__all__ = [
    "SessionMiddleware",
    "SessionStore",
    "SharedLoginMiddleware",
    "async_manager_from",
    "manager_from",
    "session_from",
    "ticket_from",
    "ticket_required",
]
