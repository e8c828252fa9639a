"""What a request brings from before: an old credential, where its own token has signed nobody in.

Every driver loads first, and asks here only where `legacy=` was set. The steps are written once; sync and async
differ in who waits.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

from .exchange import Exchange
from .legacy.claim import Exchanged, exchange, open_to
from .legacy.source import Old, Source
from .manager import AsyncSessionManager, SessionManager
from .session import Session


class _Read(NamedTuple):
    """Ask a source what a text is."""

    source: Source
    text: str
    now: float


def arrive(visit: Exchange[SessionManager], session: Session) -> Session:
    """The session that a request goes on with. Raises `StoreUnavailable` where a store, ours or the old, is down."""
    steps = _steps(visit, session)
    try:
        step = next(steps)
        while True:
            if isinstance(step, _Read):
                step = steps.send(step.source.read(step.text, step.now))
            else:
                step = steps.send(visit.front.manager.carry_out(step))
    except StopIteration as done:
        found: Session = done.value
        return found


async def aarrive(visit: Exchange[AsyncSessionManager], session: Session) -> Session:
    """As `arrive`. What waits for an old store waits on a thread."""
    steps = _steps(visit, session)
    try:
        step = next(steps)
        while True:
            if isinstance(step, _Read):
                step = steps.send(await step.source.aread(step.text, step.now))
            else:
                step = steps.send(await visit.front.manager.carry_out(step))
    except StopIteration as done:
        found: Session = done.value
        return found


def _steps(visit: Exchange[Any], session: Session) -> Generator[Any, Any, Session]:
    engine = visit.front.manager.engine
    for source in visit.front.legacy:
        # Who sends the header gets no cookie looked at: cross-site checks are not made for it.
        if (visit.by_header and source.ambient) or not open_to(session, source):
            continue
        found: dict[bytes, Old] = {}
        for text in source.shown(visit.headers, visit.path):
            # Ours, under the same name: no old store is to see it.
            if engine.verify(text) is None and (old := (yield _Read(source, text, engine.now()))) is not None:
                found[old.identity] = old
        # Of two that are good one was planted, and nobody knows which.
        if len(found) == 1:
            done: Exchanged = yield exchange(engine, source, found.popitem()[1], session)
            if done.token is not None:
                visit.moved = done.token
                visit.moved_by_header = not source.ambient
            return done.session
    return session
