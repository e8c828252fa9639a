"""What your browser holds: the token, beside what a JWT of the same session would weigh."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

import jwt
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from coatcheck import Session
from coatcheck.integrations.starlette import manager_from

from ..access import signed_in
from ..page import render

COOKIE_ROOM = 4_096
"""Bytes that browsers give one cookie (RFC 6265bis, section 5.6)."""

_KEY = secrets.token_bytes(32)
"""For weighing alone: no server accepts such a JWT, and no page shows one."""


def _claims(session: Session) -> dict[str, Any]:
    """What a session in a JWT would have to say of itself, beside its data."""
    info = session.info
    if info is None:
        return {}
    times = {"iat": int(info.created_at.timestamp()), "exp": int(info.expires_at.timestamp())}
    return {"sub": session.user_id, **times, "jti": session.handle, **session}


async def show(request: Request) -> Response:
    """Sizes, and no credential: not the token, not the JWT."""
    session = signed_in(request)
    cookie = manager_from(request).cookie
    held = request.cookies.get(cookie.name) or request.cookies.get(cookie.insecure_name) or ""
    claims, start = _claims(session), (session.handle or "")[:6]
    return render(
        request,
        "token.html",
        token_size=len(held),
        jwt_size=len(jwt.encode(claims, _KEY, algorithm="HS256")),
        readable=json.dumps({**claims, "jti": "…"}, indent=2, ensure_ascii=False),
        start=start,
        masked=start + re.sub(r"[^.]", "•", held[6:]),
        room=COOKIE_ROOM,
    )


ROUTES = [Route("/token", show)]
