"""11: an embedded store that does not work, for real: 503, the cookie untouched, and recovery without a restart."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from multiprocessing.synchronize import Event
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from coatcheck import Session
from tests.integrations.front import KEY, NAVIGATION, Answer, Front, cookie, set_cookies

GARBAGE = b"this is no database, but long enough to be read as one. " * 200


async def handler(session: Session, request: Request) -> Answer:
    """Reads, writes or signs in or out, by the path."""
    match request.url.path:
        case "/write":
            session["written"] = True
        case "/login":
            session.login("9")
        case "/logout":
            session.logout()
    return f"{session.user_id} {session.get('cart')}"


def check_unavailable(response: httpx.Response) -> None:
    """503 in plain words, when to come back, and nothing that signs anybody out."""
    assert response.status_code == 503
    assert 1 <= int(response.headers["retry-after"]) <= 60
    assert set_cookies(response) == []
    assert response.headers["cache-control"] == "no-store"
    assert "you are not signed out" in response.text


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    """Sessions in a file of its own."""
    front = Front(store=f"sqlite:///{tmp_path}/sessions.db")
    yield front
    await front.aclose()
    await front.manager.aclose()


# -- a file that is no database ------------------------------------------------------------------------------


async def test_a_file_that_is_no_database_is_503_until_it_is_moved_away(tmp_path: Path) -> None:
    """Somebody restored the wrong backup; a visitor without a cookie needs no store and is served."""
    path = tmp_path / "sessions.db"
    path.write_bytes(GARBAGE)
    front = Front(store=f"sqlite:///{path}")
    token = await Front().signed_in()
    browser = front.browser(front.app(handler, public_paths=["/about", "/public/"]), headers=cookie(token))
    for headers in ({}, NAVIGATION, {"accept": "text/html"}):
        check_unavailable(await browser.get("/", headers=headers))
    for public in ("/about", "/public/x"):
        response = await browser.get(public, headers=NAVIGATION)
        assert (response.status_code, response.text, set_cookies(response)) == (200, "None None", [])
    check_unavailable(await browser.get("/public"))
    visitor = front.browser(front.app(handler))
    assert (await visitor.get("/")).status_code == 200
    for path_of_a_write in ("/write", "/login"):
        check_unavailable(await visitor.get(path_of_a_write))
    path.unlink()
    assert (await visitor.get("/write")).status_code == 200
    assert (await browser.get("/")).text == "None None"
    await front.aclose()
    await front.manager.aclose()


async def test_a_public_page_never_replaces_the_session_that_could_not_be_read(front: Front, tmp_path: Path) -> None:
    """The store may come back while the page is made: a new session's cookie would sign its owner out."""
    token = await front.signed_in(cart=1)
    path, aside = tmp_path / "sessions.db", tmp_path / "aside"
    for manager in (front.aside, front.manager):
        await manager.aclose()
    path.rename(aside)
    path.write_bytes(GARBAGE)

    async def public(session: Session, request: Request) -> str:
        assert session.user_id is None
        path.unlink()
        aside.rename(path)
        session["visits"] = 1
        return "counted"

    app = front.app(public, public_paths=["/"])
    response = await front.browser(app).get("/", headers=cookie(token))
    check_unavailable(response)
    assert (await front.browser(front.app(handler)).get("/", headers=cookie(token))).text == "7 1"
    assert await front.sessions() == 1


async def test_a_session_that_this_version_cannot_read_is_503_and_stays(front: Front, tmp_path: Path) -> None:
    """During a rollout, or after a rollback: the servers that wrote it can still read it."""
    token = await front.signed_in(cart=1)
    browser = front.browser(front.app(handler), headers=cookie(token))
    with closing(sqlite3.connect(tmp_path / "sessions.db")) as db, db:
        swap = "UPDATE coatcheck_sessions SET record = CAST(replace(CAST(record AS TEXT), ?, ?) AS BLOB)"
        db.execute(swap, ('"cart":1', '"cart":{"$newer":1}'))
    check_unavailable(await browser.get("/"))
    with closing(sqlite3.connect(tmp_path / "sessions.db")) as db, db:
        db.execute(swap, ('"cart":{"$newer":1}', '"cart":1'))
    assert (await browser.get("/")).text == "7 1"


# -- locked --------------------------------------------------------------------------------------------------


def hold(path: str, locked: Event, release: Event) -> None:
    """Another process: a backup, or a shell with an open transaction."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    locked.set()
    release.wait(60)
    db.execute("ROLLBACK")


class Lock:
    """The file's write lock, in the hands of another process."""

    def __init__(self, path: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.locked, self.release = context.Event(), context.Event()
        self.process = context.Process(target=hold, args=(str(path), self.locked, self.release))

    async def __aenter__(self) -> Lock:
        self.process.start()
        assert await asyncio.to_thread(self.locked.wait, 30)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release.set()
        await asyncio.to_thread(self.process.join)


async def test_a_lock_held_by_another_process_stops_writes_and_nobody_else(front: Front, tmp_path: Path) -> None:
    """While one request waits for it, the others are served: the event loop is not blocked."""
    token, other = await front.signed_in(cart=1), await front.signed_in("8")
    browser = front.browser(front.app(handler))
    await browser.get("/", headers=cookie(token))
    async with Lock(tmp_path / "sessions.db") as lock:
        writing = asyncio.create_task(browser.get("/write", headers=cookie(token)))
        leaving = asyncio.create_task(browser.get("/logout", headers=cookie(other)))
        for _ in range(50):
            assert (await browser.get("/", headers=cookie(token))).text == "7 1"
        assert not writing.done()
        check_unavailable(await writing)
        check_unavailable(await leaving)
        assert await front.fields(token) == {"cart": 1}
        # One that waits when the lock is given back goes on as if nothing had been.
        writing = asyncio.create_task(browser.get("/write", headers=cookie(token)))
        await browser.get("/", headers=cookie(token))
        lock.release.set()
        assert (await writing).status_code == 200
    assert await front.fields(token) == {"cart": 1, "written": True}
    assert await front.lives(other)


async def test_a_touch_or_a_rotation_that_fails_does_not_fail_the_request(front: Front, tmp_path: Path) -> None:
    """A page that only reads is served, without a new cookie; the next request makes up for it."""
    token = await front.signed_in(cart=1)
    browser = front.browser(front.app(handler), headers=cookie(token))
    front.clock.advance(2 * 86400)
    async with Lock(tmp_path / "sessions.db"):
        response = await browser.get("/")
        assert (response.status_code, response.text, set_cookies(response)) == (200, "7 1", [])
    assert len(set_cookies(await browser.get("/"))) == 1


# -- read-only, and full -------------------------------------------------------------------------------------

SCRIPT = """
import asyncio, os, resource, signal, sys
import anyio._backends._asyncio
from tests.integrations.front import Front, cookie
from tests.integrations.test_faults_sqlite import {fault} as scenario
asyncio.run(scenario(sys.argv[1]))
print("survived")
"""


async def prepared(folder: str) -> tuple[Front, httpx.AsyncClient, str]:
    """An application whose store holds one session, and its user's browser."""
    front = Front(store=f"sqlite:///{folder}/sessions.db", secret=KEY)
    token = await front.signed_in(cart=1)
    browser = front.browser(front.app(handler), headers=cookie(token))
    assert (await browser.get("/")).text == "7 1"
    return front, browser, token


async def read_only(folder: str) -> None:
    """The file's owner has changed: this process may only look."""
    front, browser, _ = await prepared(folder)
    await front.aside.aclose()
    await front.manager.aclose()
    for name in os.listdir(folder):  # noqa: PTH208
        os.chmod(f"{folder}/{name}", 0o444)  # noqa: PTH101
    os.chmod(folder, 0o555)  # noqa: PTH101
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    response = await browser.get("/")
    assert response.status_code in (200, 503), response.text
    for path in ("/write", "/login", "/logout"):
        check_unavailable(await browser.get(path))
    visitor = front.browser(front.app(handler))
    assert (await visitor.get("/")).status_code == 200
    check_unavailable(await visitor.get("/write"))


async def full_disk(folder: str) -> None:
    """No file may grow any more; later, it may."""
    import resource  # Unix alone

    front, browser, _ = await prepared(folder)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limit[1]))
    for path in ("/write", "/login"):
        check_unavailable(await browser.get(path))
    assert (await browser.get("/")).text == "7 1"
    visitor = front.browser(front.app(handler))
    check_unavailable(await visitor.get("/write"))
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert (await browser.get("/write")).status_code == 200
    assert (await browser.get("/logout")).status_code == 200
    assert (await browser.get("/")).text == "None None"
    await front.aside.aclose()
    await front.manager.aclose()


@pytest.mark.parametrize("fault", ["read_only", "full_disk"])
def test_a_disk_that_takes_no_more_is_503_and_no_error(fault: Any) -> None:
    """In a process of its own, without the rights or the room to write."""
    with TemporaryDirectory(prefix="coatcheck-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101
        command = [sys.executable, "-W", "ignore::ResourceWarning", "-c", SCRIPT.format(fault=fault), folder]
        root = Path(__file__).parent.parent.parent
        done = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=60, check=False)
        os.chmod(folder, 0o755)  # noqa: PTH101
    assert done.stdout.endswith("survived\n"), done.stderr
