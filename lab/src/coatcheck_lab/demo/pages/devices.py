"""Your devices: every session of yours, and an end to any of them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from coatcheck.integrations.starlette import manager_from

from ..access import fresh, see, signed_in
from ..flash import flash
from ..page import render
from ..wording import SIGNED_OUT_ELSEWHERE


async def show(request: Request) -> Response:
    """The list, newest first."""
    session = signed_in(request)
    found = await manager_from(request).sessions(session.user_id or "", current=session)
    return render(request, "devices.html", devices=found)


async def sign_out_one(request: Request) -> Response:
    """End one session: only if it is this user's, whatever handle the form names."""
    session = fresh(request)
    done = await manager_from(request).revoke(
        request.path_params["handle"], reason=SIGNED_OUT_ELSEWHERE, user_id=session.user_id
    )
    flash(session, "That device is signed out." if done else "That device was signed out already.")
    return see("/devices")


async def sign_out_others(request: Request) -> Response:
    """End all but this one."""
    session = fresh(request)
    count = await manager_from(request).revoke_user(session.user_id or "", keep=session, reason=SIGNED_OUT_ELSEWHERE)
    flash(session, f"Devices signed out: {count}." if count else "There was no other device.")
    return see("/devices")


ROUTES = [
    Route("/devices", show),
    Route("/devices/others/sign-out", sign_out_others, methods=["POST"]),
    Route("/devices/{handle}/sign-out", sign_out_one, methods=["POST"]),
]
