"""Sessions for Starlette: in place of its own `SessionMiddleware`, with `request.session` as it was.

app.add_middleware(SessionMiddleware, manager=AsyncSessionManager("sqlite:///sessions.db"))
templates = Jinja2Templates("templates", context_processors=[session_context])
"""

from __future__ import annotations

from functools import partial
from typing import Any

from ..html import csrf_headers, csrf_input
from .asgi import SessionMiddleware as SessionMiddleware
from .asgi import manager_from as manager_from
from .asgi import session_from as session_from

__all__ = ["SessionMiddleware", "manager_from", "session_context", "session_from"]


def session_context(request: Any) -> dict[str, Any]:
    """For `Jinja2Templates(context_processors=[...])`: `session`, `csrf_input()` and `csrf_headers()`."""
    session = session_from(request)
    return {
        "session": session,
        "csrf_input": partial(csrf_input, session),
        "csrf_headers": partial(csrf_headers, session),
    }
