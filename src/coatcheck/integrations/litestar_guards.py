"""Litestar's own idioms: dependencies, guards, and the download gate as a handler's middleware.

@get("/me", dependencies={"user_id": Provide(provide_user_id)})
@post("/password", guards=[requires_fresh_login()])
@route("/download", http_method=["GET", "HEAD", "POST"], middleware=[ticket_gate()])
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from ..errors import ConfigurationError
from ..session import Session
from .gate import TicketGate
from .litestar_visit import session_from

try:
    from litestar.connection import ASGIConnection
    from litestar.exceptions import NotAuthorizedException
    from litestar.handlers.base import BaseRouteHandler
    from litestar.middleware import DefineMiddleware
    from litestar.types import Guard, Scope
except ImportError as _error:  # pragma: no cover
    raise ConfigurationError('Litestar is missing: pip install "coatcheck[litestar]"') from _error

FRESH = timedelta(minutes=10)
"""How long ago a sign-in may be for `requires_fresh_login()`."""


async def provide_session(scope: Scope) -> Session:
    """The session, for `dependencies={"session": Provide(provide_session)}`."""
    return session_from(scope)


async def provide_user_id(scope: Scope) -> str:
    """Who is logged in, likewise. Raises `NotAuthorizedException`, a 401, for nobody."""
    user_id = session_from(scope).user_id
    if user_id is None:
        raise NotAuthorizedException("Please sign in.")
    return user_id


async def requires_login(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """A guard: 401 for nobody."""
    await provide_user_id(connection.scope)


def requires_fresh_login(within: timedelta = FRESH) -> Guard:
    """A guard: 401 unless somebody signed in at most that long ago (ASVS 7.5.3)."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        if not session_from(connection).is_fresh(within):
            raise NotAuthorizedException("Please sign in again to do this.")

    return guard


def ticket_gate(purpose: str = "download", **settings: Any) -> DefineMiddleware:
    """For a handler's `middleware`: one answer of it for each ticket of `purpose`, for the session that asked for it.
    The settings are those of `coatcheck.integrations.gate.TicketGate`; the handler finds it by `ticket_from(request)`.
    """
    return DefineMiddleware(cast("Any", TicketGate), purpose=purpose, **settings)
