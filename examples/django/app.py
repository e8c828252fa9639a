"""Sessions in Django. Run python examples/django/app.py, then open http://localhost:8000 ."""

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


def button(request: HttpRequest, verb: str) -> HttpResponse:
    session, manager = session_from(request), manager_from(request)
    if verb == "login":
        session.login(request.POST["name"])  # when you have checked the password; django.contrib.auth works, too
    elif verb == "logout":
        session.logout()
    elif verb == "others" and session.user_id:
        manager.revoke_user(session.user_id, keep=session)
    elif verb == "ticket" and session.user_id:
        ticket = manager.tickets.issue("download", {"for": session.user_id}, session=session)
        return redirect(f"/file?ticket={ticket}")
    return redirect("/")


@ticket_required()
def file(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"For {ticket_from(request).claims['for']}, once.", content_type="text/plain; charset=utf-8")


urlpatterns = [path("", home), path("file", file), path("<verb>", require_POST(button))]
application = get_wsgi_application()
if __name__ == "__main__":
    execute_from_command_line([sys.argv[0], *(sys.argv[1:] or ["runserver", "localhost:8000"])])
