"""Signing a test client in, without a form and a password."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from ..manager import AsyncSessionManager, SessionManager
from ..session import Session, UserId


def log_in(client: Any, user_id: UserId, manager: SessionManager | AsyncSessionManager, **fields: Any) -> str:
    """Give a test client a new session of that user's, with these fields in it; the session's handle.

    `client` is any with a cookie jar: httpx's, requests', Starlette's, FastAPI's and Litestar's test clients
    (`.cookies.set`), Flask's and Quart's (`.set_cookie`). `manager` is the application's, sync or async, or another
    over the same store. Its cookie is the one for plain http to a test host, unless the client's `base_url` is https.
    """
    token = _signed_in(manager, user_id, fields)
    secure = str(getattr(client, "base_url", "http://")).startswith("https")
    name = manager.cookie.name_for(secure)
    if hasattr(client, "set_cookie"):
        client.set_cookie(name, token)
    else:
        client.cookies.set(name, token)
    return token[:22]


def _signed_in(manager: SessionManager | AsyncSessionManager, user_id: UserId, fields: dict[str, Any]) -> str:
    def work(session: Session) -> None:
        session.login(user_id)
        session.update(fields)

    if isinstance(manager, SessionManager):
        session = manager.load(None)
        work(session)
        return manager.commit(session).token or ""

    async def awaited() -> str:
        session = await manager.load(None)
        work(session)
        return (await manager.commit(session)).token or ""

    done: list[str] = []
    # A loop of its own: the test's may be running.
    thread = threading.Thread(target=lambda: done.append(asyncio.run(awaited())))
    thread.start()
    thread.join()
    return done[0]
