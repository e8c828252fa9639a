"""Changing the password ends every other session."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from coatcheck.integrations.starlette import manager_from

from ..access import fresh, see
from ..flash import flash
from ..page import form_of, render
from ..state import state_of
from ..users import LONGEST, SHORTEST, Users
from ..wording import PASSWORD_CHANGED


async def show(request: Request) -> Response:
    """The form; an old sign-in is confirmed before anybody types into it."""
    fresh(request)
    return render(request, "password.html", shortest=SHORTEST, errors={})


def _errors(users: Users, name: str, form: dict[str, str]) -> dict[str, str]:
    """What is wrong, by field."""
    old, new = form.get("old", ""), form.get("new", "")
    errors = {}
    if users.check(name, old) is None:
        errors["old"] = "This is not your password."
    if not SHORTEST <= len(new) <= LONGEST:
        errors["new"] = f"Use {SHORTEST} to {LONGEST} characters."
    elif new == old:
        errors["new"] = "This is your old password. Choose another."
    elif new != form.get("again", ""):
        errors["again"] = "This differs from the new password above."
    return errors


async def change(request: Request) -> Response:
    """Set it, end all other sessions, and replace this one."""
    session = fresh(request)
    form, users, name = await form_of(request), state_of(request).users, session.user_id or ""
    errors = await run_in_threadpool(_errors, users, name, form)
    if errors:
        return render(request, "password.html", 422, shortest=SHORTEST, errors=errors)
    await run_in_threadpool(users.set_password, name, form["new"])
    count = await manager_from(request).revoke_user(name, keep=session, reason=PASSWORD_CHANGED)
    # Whoever holds a copy of this very session's token is shut out as well.
    session.rotate()
    flash(session, f"Your password is changed. Other devices signed out: {count}.")
    return see("/devices")


ROUTES = [Route("/password", show), Route("/password", change, methods=["POST"])]
