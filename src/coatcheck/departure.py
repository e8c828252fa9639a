"""What a request leaves: the commit that its response tells of, and the one after that, of which only the log hears.

Every driver commits here. Sync and async differ in who waits.
"""

from __future__ import annotations

import asyncio
from typing import Any

from .engine import KEEP, Commit
from .errors import CoatcheckError, SessionEnded
from .events import logger
from .exchange import Exchange
from .manager import AsyncSessionManager, SessionManager
from .session import Session


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
    manager = visit.front.manager
    if manager.engine.idle(session):
        return KEEP
    _check(visit, failed)
    try:
        return await manager.carry_out(manager.engine.commit(session, failed))
    except SessionEnded:
        return KEEP


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
    """As `settle`, in a task of its own: a client that hangs up, and so cancels the request, must not cancel its
    logout."""
    return await asyncio.shield(_asettle(manager, session, failed))


async def _asettle(manager: AsyncSessionManager, session: Session, failed: bool) -> Commit:
    try:
        return await manager.commit(session, failed=failed)
    except CoatcheckError as error:
        return _lost(error)


def _lost(error: CoatcheckError) -> Commit:
    # What has ended stays ended, and was reported as an event.
    if not isinstance(error, SessionEnded):
        logger.error("what this request changed after its response had started is lost: %s", error)
    return KEEP


def has_more(visit: Exchange[Any], session: Session) -> bool:
    """Whether the request changed something since its response started."""
    try:
        return not visit.front.manager.engine.unchanged(session)
    except CoatcheckError:
        return True  # the commit raises it again, and says so
