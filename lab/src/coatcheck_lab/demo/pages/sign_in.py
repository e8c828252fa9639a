"""Signing in, signing out, and confirming that it is still you."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from coatcheck.integrations.starlette import session_from

from ..access import back, see, signed_in
from ..flash import flash
from ..page import form_of, render
from ..state import state_of
from ..wording import why_ended

WRONG = "This name and password do not belong together. Both are in the terminal that runs the demo."


async def show_sign_in(request: Request) -> Response:
    """The form, and why the last session is no more."""
    session = session_from(request)
    target = back(request.query_params.get("next"))
    if session.is_authenticated:
        return see(target)
    return render(request, "sign_in.html", why=why_ended(session.ended_reason), next=target)


async def sign_in(request: Request) -> Response:
    """A new session in place of the old one, whatever that was."""
    form = await form_of(request)
    name, remember, target = form.get("name", ""), "remember" in form, back(form.get("next"))
    user = await run_in_threadpool(state_of(request).users.check, name, form.get("password", ""))
    if user is None:
        return render(request, "sign_in.html", 422, error=WRONG, name=name, remember=remember, next=target)
    session = session_from(request)
    session.login(user.name, remember=remember)
    # `remembered` for the confirmation, which signs in once more.
    session.update(role=user.role, remembered=remember)
    flash(session, f"Welcome, {user.name}.")
    return see(target)


async def sign_out(request: Request) -> Response:
    """End the session. The message rides in a new, anonymous one, which its showing ends."""
    session = session_from(request)
    if not session.is_new:
        session.logout()
        flash(session, "You have signed out.")
    return see("/sign-in")


async def show_confirm(request: Request) -> Response:
    """Ask for the password again."""
    signed_in(request)
    return render(request, "confirm.html", next=back(request.query_params.get("next")))


async def confirm(request: Request) -> Response:
    """A sign-in of the same user carries the session's data over, and is fresh."""
    session = signed_in(request)
    form = await form_of(request)
    target = back(form.get("next"))
    users = state_of(request).users
    user = await run_in_threadpool(users.check, session.user_id or "", form.get("password", ""))
    if user is None:
        return render(request, "confirm.html", 422, error="This is not your password.", next=target)
    session.login(user.name, remember=session.get("remembered"))
    flash(session, "Thank you. Now you can go on.")
    return see(target)


ROUTES = [
    Route("/sign-in", show_sign_in),
    Route("/sign-in", sign_in, methods=["POST"]),
    Route("/sign-out", sign_out, methods=["POST"]),
    Route("/confirm", show_confirm),
    Route("/confirm", confirm, methods=["POST"]),
]
