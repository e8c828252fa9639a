"""Signing a test client in, without a form and a password."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from ..manager import AsyncSessionManager, SessionManager
from ..session import Session
from .clients import as_django_has_it, give_cookie, manager_behind


def log_in(client: Any, user_id: Any, manager: Any = None, **fields: Any) -> str:
    """Give a test client a new session of that user's, with these fields in it; the session's handle.

    `client` is the test client of Starlette, FastAPI, Litestar, Flask, Quart, Django or aiohttp, and its application
    says where the sessions are. For any other with a cookie jar, such as httpx's, `manager` is that
    application, its manager, or another manager over the same store. `user_id` is as in `Session.login`, or one of
    Django's users. The cookie is the one for plain http to a test host, unless the client's `base_url` is https.

    Raises `ConfigurationError` where no manager is found, and what its store raises.
    """
    found = manager_behind(client, manager)
    user_id, of_django = as_django_has_it(user_id)
    token = _signed_in(found, user_id, {**of_django, **fields})
    secure = str(getattr(client, "base_url", "http://")).startswith("https")
    give_cookie(client, found.cookie.name_for(secure), token)
    return token[:22]


def _signed_in(manager: SessionManager | AsyncSessionManager, user_id: Any, fields: dict[str, Any]) -> str:
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
    failed: list[BaseException] = []

    def alone() -> None:
        try:
            done.append(asyncio.run(awaited()))
        except BaseException as error:  # noqa: BLE001 (raised below, where the test is)
            failed.append(error)

    # A loop of its own: the test's may be running.
    thread = threading.Thread(target=alone)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]
