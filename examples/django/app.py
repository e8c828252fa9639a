"""Sign in, a counter, your devices, a download by ticket: `python examples/django/app.py`, then http://localhost:8000."""

# ruff: noqa: D103, S106
import sys
from pathlib import Path

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_POST

from coatcheck.integrations.django import manager_from, session_from, ticket_from, ticket_required

OURS = "coatcheck.integrations.django"
settings.configure(
    DEBUG=True,
    SECRET_KEY="for this example alone: make one with `coatcheck keygen`",
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[OURS],
    MIDDLEWARE=[f"{OURS}.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [Path(__file__).parent]}],
    SESSION_ENGINE=OURS,
    COATCHECK={"store": "sqlite:///sessions.db"},
)


def home(request: HttpRequest) -> HttpResponse:
    me, devices = session_from(request), []
    if me.user_id:
        me["visits"] = me.get("visits", 0) + 1
        devices = manager_from(request).sessions(me.user_id, current=me)
    return render(request, "page.html", {"me": me, "devices": devices})


def act(request: HttpRequest, what: str) -> HttpResponse:
    session, manager = session_from(request), manager_from(request)
    if what == "sign-in":
        session.login(request.POST["name"])  # after you have checked a password; django.contrib.auth works, too
    elif what == "sign-out":
        session.logout()
    elif what == "sign-out-others" and session.user_id:
        manager.revoke_user(session.user_id, keep=session)
    elif what == "ask" and session.user_id:
        return redirect(f"/download?ticket={manager.tickets.issue('download', {'file': 'a.txt'}, session=session)}")
    return redirect("/")


@ticket_required()
def download(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"This is {ticket_from(request).claims['file']}.", content_type="text/plain")


urlpatterns = [path("", home), path("download", download), path("<what>", require_POST(act))]
application = get_wsgi_application()
if __name__ == "__main__":
    execute_from_command_line([sys.argv[0], *(sys.argv[1:] or ["runserver", "localhost:8000"])])
