"""What a request brings: its session, and where its own token has signed nobody in, an old credential.

Every driver loads here. The steps are written once; sync and async differ in who waits.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

from .errors import ConfigurationError, StoreUnavailable
from .exchange import Exchange
from .legacy.claim import Exchanged, exchange, open_to, owner
from .legacy.source import Old, Source
from .manager import AsyncSessionManager, SessionManager
from .replies import Reply
from .session import Session


class _Read(NamedTuple):
    """Ask a source what a text is."""

    source: Source
    text: str
    now: float


def arrive(visit: Exchange[SessionManager]) -> Reply | None:
    """Load the session that a request goes on with, `visit.session`; the answer where the store is down, or the old
    store of a legacy source. On a public path it is a visitor's then, and `visit.fault` says why."""
    manager = visit.front.manager
    try:
        session = manager.load(visit.token(), visit.client, held=visit.held, fresh=visit.unsafe)
        if visit.front.legacy:
            session = _exchange(visit, session)
            visit.came_as = owner(session)
    except (StoreUnavailable, ConfigurationError) as error:
        return visit.without_store(error)
    visit.session = session
    return None


async def aarrive(visit: Exchange[AsyncSessionManager]) -> Reply | None:
    """As `arrive`."""
    manager = visit.front.manager
    try:
        session = await manager.load(visit.token(), visit.client, held=visit.held, fresh=visit.unsafe)
        if visit.front.legacy:
            session = await _aexchange(visit, session)
            visit.came_as = owner(session)
    except (StoreUnavailable, ConfigurationError) as error:
        return visit.without_store(error)
    visit.session = session
    return None


def _exchange(visit: Exchange[SessionManager], session: Session) -> Session:
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


async def _aexchange(visit: Exchange[AsyncSessionManager], session: Session) -> Session:
    """What waits for an old store waits on a thread."""
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
    looked: set[str | None] = set()
    for first in visit.front.legacy:
        # Who sends the header gets no cookie looked at: cross-site checks are not made for it.
        if (visit.by_header and first.ambient) or not open_to(session, first) or first.cookie in looked - {None}:
            continue
        looked.add(first.cookie)
        found: dict[bytes, tuple[Source, Old]] = {}
        same = [one for one in visit.front.legacy if one is first or (one.cookie and one.cookie == first.cookie)]
        for source in same:
            for text in source.shown(visit.headers, visit.path):
                # Ours, under the same name: no old store is to see it.
                if engine.verify(text) is None and (old := (yield _Read(source, text, engine.now()))) is not None:
                    found[old.identity] = source, old
        # Of two that are good one was planted, and nobody knows which.
        if len(found) == 1:
            source, old = found.popitem()[1]
            done: Exchanged = yield exchange(engine, source, old, session)
            if done.token is not None:
                visit.moved = done.token
                visit.moved_by_header = not source.ambient
            return done.session
    return session
