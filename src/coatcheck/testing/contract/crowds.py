"""Many at the same time, on threads or as tasks: what the ordered races show for two, in earnest."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from ...engine import Commit
from ...errors import SessionEnded, StoreUnavailable
from ...manager import AsyncSessionManager
from ...policy import Policy
from ...session import Session
from ..kit import Kit, Scenarios

ROUNDS = 20
WRITERS = 10

Job = Callable[[], Coroutine[Any, Any, Commit]]


def _commit(manager: AsyncSessionManager, session: Session) -> Job:
    async def job() -> Commit:
        # On a slow machine a busy store may refuse in time, and says so: as a client would, ask again.
        for _ in range(5):
            with suppress(StoreUnavailable):
                return await manager.commit(session)
        return await manager.commit(session)

    return job


class Crowds(Scenarios):
    """Real concurrency, through two managers as on two servers."""

    async def test_overlapping_writers_lose_nothing(self, kit: Kit) -> None:
        """1: 20 rounds of 10 requests that overlap, each with a field of its own."""
        servers = [kit.manager(), kit.manager()]
        token = await kit.stored(servers[0], theme="light")
        expected: dict[str, object] = {"theme": "light"}
        for turn in range(ROUNDS):
            jobs = []
            for writer in range(WRITERS):
                server = servers[writer % 2]
                session = await server.load(token)
                session[f"writer {writer}"] = expected[f"writer {writer}"] = turn
                jobs.append(_commit(server, session))
            results = await kit.together(*jobs)
            assert [result for result in results if isinstance(result, Exception)] == []
            assert await kit.fields(servers[0], token) == expected

    async def test_logouts_overtaken_by_slow_writes_revive_nothing(self, kit: Kit) -> None:
        """2: 20 logouts, each at the same time as slow writes of the same session."""
        servers = [kit.manager(), kit.manager()]
        for _ in range(ROUNDS):
            token = await kit.signed_in(servers[0], "ada")
            jobs = []
            for number in range(4):
                session = await servers[number % 2].load(token)
                if number == 1:
                    session.logout()
                else:
                    session["note"] = number
                jobs.append(_commit(servers[number % 2], session))
            results = await kit.together(*jobs)
            assert [one for one in results if not isinstance(one, Commit | SessionEnded)] == []
            assert not await kit.lives(servers[0], token)
            assert await servers[0].sessions("ada") == []

    async def test_parallel_requests_rotate_once(self, kit: Kit) -> None:
        """6: of ten requests whose secret is due exactly one brings a cookie."""
        servers = [kit.manager(), kit.manager()]
        token = await kit.signed_in(servers[0], "ada")
        for _ in range(5):
            kit.clock.advance(86_401)
            jobs = [_commit(servers[number % 2], await servers[number % 2].load(token)) for number in range(WRITERS)]
            results = await kit.together(*jobs)
            issued = [one.token for one in results if isinstance(one, Commit) and one.token]
            assert len(issued) == 1
            token = issued[0]

    async def test_parallel_logins_stay_within_the_limit(self, kit: Kit) -> None:
        """5: ten logins at once, of a user who may have three sessions."""
        servers = [kit.manager(Policy(max_sessions=3)), kit.manager(Policy(max_sessions=3))]
        jobs = []
        for number in range(WRITERS):
            session = await servers[number % 2].load(None)
            session.login("ada")
            jobs.append(_commit(servers[number % 2], session))
        results = await kit.together(*jobs)
        tokens = [one.token or "" for one in results if isinstance(one, Commit)]
        assert len(tokens) == WRITERS
        assert len(await servers[0].sessions("ada")) == 3
        assert sum([await kit.lives(servers[0], token) for token in tokens]) == 3
