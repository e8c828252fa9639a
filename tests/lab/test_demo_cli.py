"""The demo's command: it starts, says how to get in, and leaves nothing behind when it stops."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.lab.demo import COMMAND, PASSWORDS, DemoServer
from tests.servers import free_port

SOON = 15.0
"""Seconds that a busy machine may take for what should take one."""


@pytest.fixture
def doomed() -> Iterator[DemoServer]:
    """A demo of this test's own, to stop."""
    with DemoServer() as server:
        yield server


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoServer]:
    """A demo that goes on running."""
    with DemoServer() as server:
        yield server


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    """Whether a process is alive; one that only waits to be collected is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _is_closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((DemoServer.host, port)) != 0


def _gone(port: int, workers: list[int]) -> Callable[[], bool]:
    return lambda: _is_closed(port) and not any(map(_runs, workers))


def _anew(server: DemoServer, cookies: httpx.Cookies, path: str) -> str:
    """A page over a new connection: the kernel chooses the process for a connection, not for a request."""
    with urllib.request.urlopen(
        urllib.request.Request(
            f"{server.url}{path}", headers={"Cookie": "; ".join(f"{c.name}={c.value}" for c in cookies.jar)}
        ),
        timeout=SOON,
    ) as response:
        return str(response.read().decode())


def _run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False, env=os.environ | (env or {})
    )


@pytest.mark.parametrize("whole_group", [True, False], ids=["as a terminal does", "to the parent alone"])
def test_ctrl_c_stops_every_process_and_leaves_nothing(doomed: DemoServer, whole_group: bool) -> None:
    """SIGINT ends the parent and its workers, without a traceback; the temporary folder goes too."""
    workers, process = doomed.workers(), doomed._process
    assert len(workers) == 2
    assert process is not None
    assert len(list(doomed.folder.glob("coatcheck-demo-*/vault.db"))) == 1

    # An idle connection, as every browser keeps one.
    with httpx.Client(base_url=doomed.url) as browser:
        browser.get("/sign-in")
        (os.killpg if whole_group else os.kill)(doomed.pid, signal.SIGINT)
        assert process.wait(SOON) == 0

    _until(_gone(doomed.port, workers), "a worker outlived the demo")
    assert "The vault is closed." in doomed.log
    assert "Traceback" not in doomed.log
    assert list(doomed.folder.glob("coatcheck-demo-*")) == []


def test_ctrl_c_during_the_start_is_no_traceback_either() -> None:
    """Whoever changes their mind at once gets the same quiet end."""
    server = DemoServer()
    server.port = free_port()
    try:
        server._spawn([COMMAND, "demo", "--port", str(server.port)], env=server._env)
        process = server._process
        assert process is not None
        _until(lambda: "The vault is open" in server.log, "the demo did not start")
        os.killpg(server.pid, signal.SIGINT)
        assert process.wait(SOON) in {0, 130}
        _until(lambda: _is_closed(server.port), "a worker outlived the demo")
        assert "Traceback" not in server.log
    finally:
        server.close()


def test_workers_end_with_a_parent_that_was_killed(doomed: DemoServer) -> None:
    """After kill -9, or a closed terminal, no process holds the port."""
    workers = doomed.workers()
    os.kill(doomed.pid, signal.SIGKILL)
    _until(_gone(doomed.port, workers), "a worker outlived its parent")


def test_it_says_how_to_get_in(demo: DemoServer) -> None:
    """The terminal shows the address, both users, and where the files are; no traceback, no warning."""
    assert demo.url in demo.log
    for name, password in PASSWORDS.items():
        assert re.search(rf"{name}\s+{password}", demo.log)
    assert "2 worker processes" in demo.log
    assert str(demo.folder) in demo.log
    assert "Traceback" not in demo.log


def test_both_workers_know_a_session(demo: DemoServer) -> None:
    """A sign-in at one process is a sign-in at all: the footer names the process that answered."""
    form = {"name": "alice", "password": PASSWORDS["alice"]}
    workers = demo.workers()
    with httpx.Client(base_url=demo.url, follow_redirects=True) as browser:
        assert "Welcome, alice." in browser.post("/sign-in", data=form).text
        cookies = browser.cookies
    seen: set[str] = set()

    def both_answered() -> bool:
        page = _anew(demo, cookies, "/")
        assert "Files" in page
        seen.update(re.findall(r"Worker process (\d+)", page))
        return seen == {str(pid) for pid in workers}

    _until(both_answered, f"only {seen} of {workers} answered")


def test_a_port_in_use_is_one_plain_line_with_the_remedy(demo: DemoServer) -> None:
    """Not a traceback: what to type instead."""
    done = _run("demo", "--port", str(demo.port))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"Port {demo.port} is in use. Choose another: make demo PORT={demo.port + 1}, "
        f"or coatcheck-lab demo --port {demo.port + 1}\n"
    )


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1"])
def test_a_port_that_is_none_is_told_in_words(port: str) -> None:
    """Not by the name of a function of ours."""
    done = _run("demo", f"--port={port}")
    assert done.returncode == 2
    assert "a number between 1 and 65535, as in PORT=9000" in done.stderr


def test_the_data_folder_is_kept_when_it_was_asked_for(tmp_path: Path) -> None:
    """With --data a session, and a changed password, survive a restart."""
    folder = tmp_path / "vault"
    form = {"name": "alice", "password": PASSWORDS["alice"], "remember": "on"}
    with httpx.Client(follow_redirects=True) as browser:
        with DemoServer("--data", str(folder), "--workers", "1") as first:
            assert "Welcome" in browser.post(f"{first.url}/sign-in", data=form).text
        assert {path.name for path in folder.iterdir()} >= {"vault.db", "sessions.db", "sessions.db.key"}
        with DemoServer("--data", str(folder), "--workers", "1") as second:
            assert "<h1>Files</h1>" in browser.get(second.url).text


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("memory://", "The store cannot be used: memory:// is one for each process. Choose another, or --workers 1.\n"),
        ("carrier-pigeon://coop", "The store cannot be used: no store is called 'carrier-pigeon'."),
    ],
)
def test_a_store_that_makes_no_sense_is_one_plain_line(store: str, words: str) -> None:
    """Neither two workers with a memory each, nor an unknown store, gets as far as a page."""
    done = _run("demo", "--port", str(free_port()), env={"COATCHECK_STORE": store})
    assert done.returncode == 1
    assert done.stderr.startswith(words)
    assert done.stderr.count("\n") == 1


def test_sessions_can_lie_in_redis(redis_url: str) -> None:
    """COATCHECK_STORE chooses another store, and the workers share a key that the demo made."""
    form = {"name": "morgan", "password": PASSWORDS["morgan"]}
    with DemoServer(env={"COATCHECK_STORE": redis_url}) as server:
        with httpx.Client(base_url=server.url, follow_redirects=True) as browser:
            assert "Welcome, morgan." in browser.post("/sign-in", data=form).text
            cookies = browser.cookies
        for _ in range(6):
            assert "<h1>People</h1>" in _anew(server, cookies, "/people")
        assert "sessions in redis" in server.log
        assert redis_url not in server.log


def test_the_help_texts_name_every_option() -> None:
    """--help answers both for the command and for the demo."""
    assert "demo" in _run("--help").stdout
    text = _run("demo", "--help").stdout
    for option in ("--port", "--workers", "--data", "--confirm-after", "COATCHECK_STORE"):
        assert option in text


@pytest.mark.parametrize("wrong", [("--port", "0"), ("--port", "x"), ("--workers", "0"), ("--workers", "999")])
def test_a_wrong_option_is_refused_with_its_name(wrong: tuple[str, str]) -> None:
    """A command line that makes no sense ends with status 2 and no traceback."""
    done = _run("demo", *wrong)
    assert done.returncode == 2
    assert wrong[0] in done.stderr
    assert "Traceback" not in done.stderr
