"""For administrators: roles that bind at the next click, and signing somebody out everywhere."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from coatcheck.integrations.starlette import manager_from

from ..access import administrator, fresh, see
from ..flash import flash
from ..page import form_of, render
from ..state import state_of
from ..users import ROLES
from ..wording import SIGNED_OUT_BY_ADMINISTRATOR


async def show(request: Request) -> Response:
    """Everybody, with their role and how many devices they use now."""
    administrator(request)
    manager = manager_from(request)
    users = await run_in_threadpool(state_of(request).users.all)
    people = [(user, len(await manager.sessions(user.name))) for user in users]
    return render(request, "people.html", people=people, roles=ROLES)


async def change_role(request: Request) -> Response:
    """Change the vault's record, then every live session of that user."""
    session = administrator(request)
    fresh(request)
    name, role = request.path_params["name"], (await form_of(request)).get("role", "")
    if role not in ROLES:
        raise HTTPException(422, "There is no such role.")
    if name == session.user_id:
        raise HTTPException(422, "Nobody changes their own role: the last administrator could lock the door.")
    if not await run_in_threadpool(state_of(request).users.set_role, name, role):
        raise HTTPException(404)
    count = await manager_from(request).update_user(name, {"role": role})
    flash(session, f"{name} is {role} now, on {count} signed-in device{'' if count == 1 else 's'} at once.")
    return see("/people")


async def sign_out(request: Request) -> Response:
    """End all of somebody's sessions."""
    session = administrator(request)
    fresh(request)
    name = request.path_params["name"]
    if name not in {user.name for user in await run_in_threadpool(state_of(request).users.all)}:
        raise HTTPException(404)
    keep = session if name == session.user_id else None
    count = await manager_from(request).revoke_user(name, keep=keep, reason=SIGNED_OUT_BY_ADMINISTRATOR)
    flash(session, f"{name}: devices signed out: {count}.")
    return see("/people")


ROUTES = [
    Route("/people", show),
    Route("/people/{name}/role", change_role, methods=["POST"]),
    Route("/people/{name}/sign-out", sign_out, methods=["POST"]),
]
