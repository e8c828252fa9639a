"""On a real server, with two workers on one SQLite file: sockets, logs and processes as in production."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from coatcheck.keyring import Keyring
from coatcheck.token import new_handle, new_secret, sign
from tests.integrations.front import KEY, cookie
from tests.integrations.served import CONTENT
from tests.servers import AppServer

COOKIE = "coatcheck-insecure"
MANY = httpx.Limits(max_connections=60, max_keepalive_connections=60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """uvicorn, with its access log on."""
    folder = tmp_path_factory.mktemp("served")
    env = {"COATCHECK_STORE": f"sqlite:///{folder}/sessions.db"}
    with AppServer("tests.integrations.served:app", workers=2, env=env) as server:
        yield server


@asynccontextmanager
async def signed_in(server: AppServer, user: str = "7") -> AsyncIterator[httpx.AsyncClient]:
    """A client of that user's, with many connections."""
    async with httpx.AsyncClient(base_url=server.url, limits=MANY) as client:
        assert (await client.post(f"/login/{user}")).text == "in"
        yield client


async def test_fifty_requests_for_one_ticket_get_one_file(server: AppServer) -> None:
    """13: over two processes exactly one wins; nobody waits for an error."""
    async with signed_in(server) as client:
        for _ in range(3):
            params = {"ticket": (await client.get("/ask")).text}
            answers = await asyncio.gather(*(client.get("/download", params=params) for _ in range(50)))
            assert sorted(answer.status_code for answer in answers) == [200] + [410] * 49
            assert [answer.content for answer in answers if answer.status_code == 200] == [CONTENT]


async def test_the_ticket_is_in_no_log(server: AppServer) -> None:
    """ASVS 14.2.1: uvicorn writes the address of each request; every outcome of the gate has cleaned it before."""
    async with signed_in(server) as client, signed_in(server, "8") as other:
        ticket = (await client.get("/ask")).text
        outcomes = [
            await other.get("/download", params={"ticket": ticket}),
            await client.head("/download", params={"ticket": ticket}),
            await client.get("/download", params={"ticket": ticket}, headers={"sec-purpose": "prefetch"}),
            await client.get("/download", params={"a": "b", "ticket": ticket}),
            await client.get("/download", params={"ticket": ticket}),
            await client.get("/download", params={"ticket": ticket + "x"}),
        ]
    assert [outcome.status_code for outcome in outcomes] == [403, 200, 503, 200, 410, 403]
    assert {outcome.headers["referrer-policy"] for outcome in outcomes} == {"no-referrer"}
    lines = [line for line in server.log.splitlines() if "/download" in line]
    assert '"GET /download?a=b&ticket=- HTTP/1.1" 200' in "\n".join(lines)
    for part in ticket.split("."):
        assert part not in server.log
    assert not re.search(r"ticket=(?!-)", server.log)


async def test_a_logout_binds_the_next_request_in_every_process(server: AppServer) -> None:
    """3: a saved cookie is worth nothing the moment the logout has been answered."""
    processes: set[str] = set()
    for _ in range(20):
        async with signed_in(server) as client:
            token = client.cookies[COOKIE]
            before = await asyncio.gather(*(client.get("/me") for _ in range(10)))
            assert {answer.text for answer in before} == {"7 {}"}
            assert (await client.post("/logout")).text == "out"
            thief = {"cookie": f"{COOKIE}={token}"}
            after = await asyncio.gather(*(client.get("/me", headers=thief) for _ in range(10)))
            assert {answer.text for answer in after} == {"None {}"}
            processes |= {answer.headers["x-process"] for answer in after}
        if len(processes) == 2:
            return
    pytest.fail("the kernel gave every connection to one worker")


@pytest.mark.parametrize(
    "header",
    [
        b"Cookie: " + COOKIE.encode() + b"=" + b"a" * 65_536,
        b"Cookie: " + b"a=b; " * 13_000,
        b"Cookie: " + COOKIE.encode() + b"=\xff\xfe\x80",
        b"Cookie: " + COOKIE.encode() + b"=" + b"." * 86,
        b"Cookie: \r\nCookie: ;;;;==;",
        b"Origin: \xff\xff",
        b"Host: \xff",
    ],
    ids=lambda header: repr(header[:28]),
)
async def test_what_a_raw_socket_sends_is_never_a_fault(server: AppServer, header: bytes) -> None:
    """12: served as a visitor or refused with 4xx, by the server or by us."""

    def talk() -> bytes:
        with socket.create_connection((server.host, server.port), 10) as connection:
            connection.sendall(b"GET /me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + header + b"\r\n\r\n")
            answer = b""
            while chunk := connection.recv(65_536):
                answer += chunk
            return answer

    answer = await asyncio.to_thread(talk)
    status = int(answer.split(b" ", 2)[1])
    assert 200 <= status < 500
    assert status >= 400 or answer.endswith(b"\r\n\r\nNone {}")


# -- websockets ----------------------------------------------------------------------------------------------


def address(server: AppServer, path: str) -> str:
    """The websocket's URL."""
    return server.url.replace("http", "ws") + path


async def test_a_websocket_has_its_session_and_commits_at_the_close(server: AppServer) -> None:
    """16: what one socket was told, the next request finds."""
    async with signed_in(server) as client:
        headers = {"cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
        async with connect(address(server, "/chat"), additional_headers=headers) as chat:
            for number in (1, 2):
                await chat.send("hello")
                assert await chat.recv() == f"7 {number}"
        text = ""
        for _ in range(1000):
            if (text := (await client.get("/me")).text) != "7 {}":
                break
        assert text == "7 {'said': ['hello', 'hello']}"


async def test_a_login_in_a_handshake_sets_the_cookie_with_its_answer(server: AppServer) -> None:
    """The 101 carries Set-Cookie and no-store."""
    async with connect(address(server, "/chat/in")) as chat:
        assert chat.response is not None
        (header,) = chat.response.headers.get_all("set-cookie")
        assert chat.response.headers.get_all("cache-control") == ["no-store"]
    token = header.partition("=")[2].partition(";")[0]
    async with httpx.AsyncClient(base_url=server.url) as client:
        assert (await client.get("/me", headers={"cookie": f"{COOKIE}={token}"})).text == "7 {}"


async def test_a_handshake_from_another_site_is_refused_with_a_status(server: AppServer) -> None:
    """ASVS 4.4.2: a browser's handshake carries the cookie and asks nobody."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(address(server, "/chat"), origin="https://evil.example"):  # type: ignore[arg-type]
            pass
    assert refused.value.response.status_code == 403
    async with connect(address(server, "/chat"), origin=server.url) as chat:  # type: ignore[arg-type]
        await chat.send("hello")
        assert await chat.recv() == "None 1"


# -- memory --------------------------------------------------------------------------------------------------


def peak(server: AppServer) -> int:
    """The most memory that the server's process has had, in KiB."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])


async def test_a_large_upload_behind_its_token_does_not_grow_the_server(tmp_path: Path) -> None:
    """14: 50 MiB of multipart are scanned for the token and streamed on."""
    env = {"COATCHECK_STORE": f"sqlite:///{tmp_path}/sessions.db", "CSRF": "token"}
    with AppServer("tests.integrations.served:app", "--no-access-log", env=env) as server:
        async with signed_in(server) as client:
            csrf = (await client.get("/me")).headers["x-csrf"]
            files = {"file": ("a.bin", b"\0" * 50 * 1024 * 1024)}
            before = peak(server)
            response = await client.post("/upload", data={"_csrf": csrf}, files=files)
            assert int(response.text) > 50 * 1024 * 1024
            assert peak(server) - before < 10 * 1024


# -- a store that is down ------------------------------------------------------------------------------------


async def test_a_broken_store_is_503_for_requests_and_handshakes_until_it_is_repaired(tmp_path: Path) -> None:
    """11: fails closed, says when to come back, and needs no restart."""
    path, key = tmp_path / "sessions.db", KEY.replace(" ", "-")
    path.write_bytes(b"this is no database, but long enough to be read as one. " * 200)
    env = {"COATCHECK_STORE": f"sqlite:///{path}", "COATCHECK_SECRET": key}
    shown = cookie(sign(Keyring(key, namespace="coatcheck"), new_handle(None), new_secret(0)), COOKIE)
    with AppServer("tests.integrations.served:app", env=env) as server:
        async with httpx.AsyncClient(base_url=server.url) as client:
            response = await client.get("/me", headers=shown)
            assert (response.status_code, "set-cookie" in response.headers) == (503, False)
            assert int(response.headers["retry-after"]) >= 1
            with pytest.raises(InvalidStatus) as refused:
                async with connect(address(server, "/chat"), additional_headers=shown):
                    pass
            assert refused.value.response.status_code == 503
            path.unlink()
            assert (await client.get("/me", headers=shown)).text == "None {}"
            async with connect(address(server, "/chat"), additional_headers=shown) as chat:
                await chat.send("hello")
                assert await chat.recv() == "None 1"
