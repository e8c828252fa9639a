"""Sessions for FastAPI: typed dependencies, and the cookie in the OpenAPI document.

    app.add_middleware(SessionMiddleware, manager=AsyncSessionManager("sqlite:///sessions.db"))

    @app.get("/me")
    async def me(user_id: CurrentUserId) -> str: ...

More: docs/frameworks/fastapi.md
"""

# Not `from __future__ import annotations`: FastAPI before 0.116 finds no names in those of a callable object.
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated

from ..errors import ConfigurationError
from ..manager import AsyncSessionManager
from ..session import Session

try:
    from fastapi import Depends, HTTPException, Security
    from fastapi.requests import HTTPConnection
    from fastapi.security import APIKeyCookie
except ImportError as _error:  # pragma: no cover
    raise ConfigurationError('FastAPI is missing: pip install "coatcheck[fastapi]"') from _error

from .starlette import SessionMiddleware as SessionMiddleware
from .starlette import manager_from as manager_from
from .starlette import session_context as session_context
from .starlette import session_from as session_from

__all__ = [
    "CurrentSession",
    "CurrentUserId",
    "FreshUserId",
    "SessionMiddleware",
    "Sessions",
    "fresh_user_id",
    "manager_from",
    "session_context",
    "session_cookie",
    "session_from",
]

FRESH = timedelta(minutes=10)
"""How long ago a sign-in may be for `FreshUserId`."""


class _SessionCookie(APIKeyCookie):
    async def __call__(self, connection: HTTPConnection) -> str | None:
        """What was sent; also of a websocket, which older versions of FastAPI do not hand to their own."""
        return connection.cookies.get(self.model.name)


session_cookie: APIKeyCookie = _SessionCookie(
    name="__Host-coatcheck",
    scheme_name="session",
    description="The session cookie. Browsers send it by themselves.",
    auto_error=False,
)
"""The security scheme of the OpenAPI document. Another cookie name: `session_cookie.model.name = ...`."""


# Coroutines all: FastAPI runs a plain function on a thread, at every request.


async def _session(connection: HTTPConnection) -> Session:
    return session_from(connection)


async def _manager(connection: HTTPConnection) -> AsyncSessionManager:
    return manager_from(connection)


CurrentSession = Annotated[Session, Depends(_session)]
"""The request's session, anonymous or not."""

Sessions = Annotated[AsyncSessionManager, Depends(_manager)]
"""The manager: listing, revoking, tickets."""


async def _user_id(session: CurrentSession, _cookie: Annotated[str | None, Security(session_cookie)]) -> str:
    if session.user_id is None:
        raise HTTPException(401, "Please sign in.")
    return session.user_id


CurrentUserId = Annotated[str, Depends(_user_id)]
"""Who is logged in; 401 for nobody."""


def fresh_user_id(within: timedelta) -> Callable[..., Awaitable[str]]:
    """A dependency: who is logged in, if the sign-in was at most `within` ago; else 401 (ASVS 7.5.3)."""

    async def dependency(session: CurrentSession, user_id: CurrentUserId) -> str:
        if not session.is_fresh(within):
            raise HTTPException(401, "Please sign in again to do this.")
        return user_id

    return dependency


FreshUserId = Annotated[str, Depends(fresh_user_id(FRESH))]
"""Who is logged in, if they signed in within the last ten minutes; else 401."""
