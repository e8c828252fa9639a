"""What a request leaves: the commit that its response tells of, and the one after that, of which only the log hears.

Every driver commits here. Sync and async differ in who waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from .engine import KEEP, Commit
from .errors import CoatcheckError, SessionEnded
from .events import logger
from .exchange import Exchange
from .manager import AsyncSessionManager, SessionManager
from .session import Session

T = TypeVar("T")


def commit(visit: Exchange[SessionManager], session: Session, *, failed: bool) -> Commit:
    """Commit before the response starts; what it is to say. Raises as `SessionManager.commit`, but for `SessionEnded`:
    then there is no cookie, as deleting it by name would kill another tab's new login."""
    manager = visit.front.manager
    if manager.engine.idle(session):
        return KEEP
    _check(visit, failed)
    try:
        return manager.carry_out(manager.engine.commit(session, failed))
    except SessionEnded:
        return KEEP


async def acommit(visit: Exchange[AsyncSessionManager], session: Session, *, failed: bool) -> Commit:
    """As `commit`."""
    if visit.front.manager.engine.idle(session):
        return KEEP
    return await astore(visit, session, failed=failed)


async def astore(visit: Exchange[AsyncSessionManager], session: Session, *, failed: bool) -> Commit:
    """As `acommit`, of a session that is not idle: to find that out may take a look at all of its data."""
    manager = visit.front.manager
    _check(visit, failed)
    try:
        return await to_its_end(manager.carry_out(manager.engine.commit(session, failed)))
    except SessionEnded:
        return KEEP


async def to_its_end(commit: Coroutine[Any, Any, T]) -> T:
    """Its result. It is a task of its own: a client that hangs up, and so cancels the request, must not cancel its
    logout."""
    if not on_asyncio():
        return await commit
    task = asyncio.ensure_future(commit)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_alone)
        raise


def on_asyncio() -> bool:
    """Whether asyncio runs this. With Starlette it may be trio, of which nothing here knows tasks."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _alone(task: asyncio.Task[Any]) -> None:
    """Say what nobody waits for any more."""
    if not task.cancelled() and isinstance(error := task.exception(), CoatcheckError):
        _lost(error)


def _check(visit: Exchange[Any], failed: bool) -> None:
    if visit.fault is not None and not failed:
        # Nobody knows whose session this is: a new one's cookie would sign its owner out.
        raise visit.fault


def settle(manager: SessionManager, session: Session, *, failed: bool) -> Commit:
    """Commit after the response has started, or where none will. Raises nothing of ours."""
    try:
        return manager.commit(session, failed=failed)
    except CoatcheckError as error:
        return _lost(error)


async def asettle(manager: AsyncSessionManager, session: Session, *, failed: bool) -> Commit:
    """As `settle`."""
    try:
        return await to_its_end(manager.commit(session, failed=failed))
    except CoatcheckError as error:
        return _lost(error)


def _lost(error: CoatcheckError) -> Commit:
    # What has ended stays ended, and was reported as an event.
    if not isinstance(error, SessionEnded):
        logger.error(
            "what this request changed after its response had started, or its client had gone, is lost: %s", error
        )
    return KEEP


def has_more(visit: Exchange[Any], session: Session) -> bool:
    """Whether the request changed something since its response started."""
    try:
        return not visit.front.manager.engine.unchanged(session)
    except CoatcheckError:
        return True  # the commit raises it again, and says so
