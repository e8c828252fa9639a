"""One login for all: signed in with any framework, known by every other, revoked in all at once.

Revoked in open connections, too: a websocket or a stream of events ends with its session, on any machine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import aiohttp
import pytest

from coatcheck import SessionManager
from coatcheck.testing.visitor import Visitor
from tests.apps.opened import end_of, events, says, socket
from tests.apps.served import SECRET, SERVERS, running

WITHIN = 1.0
"""Seconds in which an open connection is closed whose session has ended."""
STREAMS = ["starlette", "quart", "litestar", "aiohttp", "wsgi", "flask", "django", "django-async"]
SOCKETS = ["starlette", "quart", "litestar", "aiohttp"]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """One store, of each kind that several processes can share."""
    if request.param == "redis":
        return str(request.getfixturevalue("redis_server").url).removesuffix("/0") + "/9"
    return f"sqlite:///{tmp_path_factory.mktemp('matrix')}/sessions.db"


@pytest.fixture(scope="module")
def bases(store: str) -> Iterator[dict[str, str]]:
    """Every framework's application over it, on its real server."""
    with ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        yield dict(zip(SERVERS, pool.map(lambda name: stack.enter_context(running(name, store)), SERVERS), strict=True))


@pytest.mark.parametrize("home", SERVERS)
def test_signed_in_anywhere_known_everywhere_revoked_at_once(bases: dict[str, str], store: str, home: str) -> None:
    """The same cookie, the same data, both ways; and one revocation, after which nobody knows it."""
    user = f"user-of-{home}"
    with ThreadPoolExecutor(1) as pool, SessionManager(store, secret=SECRET) as manager:
        visitors = {name: Visitor(base, pool) for name, base in bases.items()}
        assert visitors[home].post(f"/login/{user}").status_code == 200
        written: dict[str, str] = {}
        for name, visitor in visitors.items():
            visitor.jar = visitors[home].jar
            assert visitor.post(f"/write/{name}/{name}").status_code == 200
            written[name] = name
        assert {name: visitor.seen() for name, visitor in visitors.items()} == dict.fromkeys(bases, (user, written))
        assert [info.handle for info in manager.sessions(user)] == [visitors[home].jar["__Host-coatcheck"][:22]]
        assert manager.revoke_user(user) == 1
        assert {name: visitor.seen() for name, visitor in visitors.items()} == dict.fromkeys(bases, (None, {}))


def test_signed_out_anywhere_signed_out_everywhere(bases: dict[str, str]) -> None:
    """A logout with each framework, of a login with the one before it in the list."""
    names = list(bases)
    with ThreadPoolExecutor(1) as pool:
        for home, away in zip(names, names[1:] + names[:1], strict=True):
            here, there = Visitor(bases[home], pool), Visitor(bases[away], pool)
            assert here.post("/login/ada").status_code == 200
            there.jar = dict(here.jar)
            assert there.post("/logout").status_code == 200
            assert here.seen() == (None, {})


async def signed_in(base: str, pool: ThreadPoolExecutor, user: str) -> Visitor:
    """A visitor."""
    visitor = Visitor(base, pool)
    assert (await asyncio.to_thread(visitor.post, f"/login/{user}")).status_code == 200
    return visitor


@pytest.mark.parametrize("framework", STREAMS)
async def test_a_stream_of_events_ends_with_its_session(bases: dict[str, str], store: str, framework: str) -> None:
    """Revoked by another process: it is over, and cleanly, also where nothing is said; somebody else's goes on."""
    base, user = bases[framework], f"streams-of-{framework}"
    with ThreadPoolExecutor(1) as pool, SessionManager(store, secret=SECRET) as manager:
        mine, other = [await signed_in(base, pool, name) for name in (user, f"{user}-other")]
        async with events(base, mine) as pieces, events(base, other) as others:
            over, others_over = asyncio.create_task(end_of(pieces)), asyncio.create_task(end_of(others))
            assert await asyncio.to_thread(manager.revoke_user, user) == 1
            began = time.monotonic()
            assert await over - began < WITHIN
            assert not others_over.done()
            others_over.cancel()


@pytest.mark.parametrize("framework", SOCKETS)
async def test_a_websocket_is_closed_with_its_session(bases: dict[str, str], store: str, framework: str) -> None:
    """Revoked by another process: 4401, also where nobody speaks; somebody else's goes on."""
    base, user = bases[framework], f"sockets-of-{framework}"
    with ThreadPoolExecutor(1) as pool, SessionManager(store, secret=SECRET) as manager:
        mine, other = [await signed_in(base, pool, name) for name in (user, f"{user}-other")]
        async with socket(base, mine) as opened, socket(base, other) as others:
            assert await asyncio.to_thread(manager.revoke_user, user) == 1
            began = time.monotonic()
            message = await opened.receive(timeout=30)
            assert time.monotonic() - began < WITHIN
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4401)
            await says(others)
