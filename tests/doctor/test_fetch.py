"""The doctor's GET is bounded, whatever answers: in time and in bytes; and no site's text is taken for its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from coatcheck.cli.doctor import fetch
from coatcheck.cli.doctor.fetch import Unreachable
from tests.doctor.stage import HOST, Ask, Names
from tests.servers import AppServer

ESC = b"\x1b[31mpa55"


@contextmanager
def answering(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that reads a request and then does as it likes, until the client has gone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    link, _ = listener.accept()
                    with link, suppress(OSError):
                        link.recv(65_536)
                        talk(link)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def endless(part: bytes) -> Callable[[socket.socket], None]:
    """Sends a beginning, and then a part for ever."""

    def talk(link: socket.socket) -> None:
        link.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            link.sendall(part)

    return talk


@pytest.mark.parametrize(
    "part",
    [b"x" * 1000, b"a: b\r\n", b"a: " + b"b" * 60_000 + b"\r\n"],
    ids=["line", "headers", "long headers"],
)
def test_headers_without_end_are_given_up(part: bytes) -> None:
    """At 64 KiB, whatever they are."""
    with answering(endless(part)) as url, pytest.raises(Unreachable, match="no HTTP"):
        fetch.get(urlsplit(url))


def test_continues_without_end_are_given_up() -> None:
    """Each is a whole answer that says that the answer will come."""

    def talk(link: socket.socket) -> None:
        while True:
            link.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    with answering(talk) as url, pytest.raises(Unreachable, match="no HTTP"):
        fetch.get(urlsplit(url))


def test_a_server_that_sends_a_byte_now_and_then_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is for all of the headers, not for each byte of them."""
    monkeypatch.setattr(fetch, "TIMEOUT", 0.3)
    stop = threading.Event()

    def talk(link: socket.socket) -> None:
        link.sendall(b"HTTP/1.1 200 OK\r\na: ")
        while not stop.wait(0.02):
            link.sendall(b"b")

    with answering(talk) as url, pytest.raises(Unreachable, match="no answer within"):
        fetch.get(urlsplit(url))
    stop.set()


def test_a_body_without_end_is_not_read() -> None:
    """Only the headers count."""

    def talk(link: socket.socket) -> None:
        link.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n\r\n")
        while True:
            link.sendall(b"x" * 65_536)

    with answering(talk) as url:
        answer = fetch.get(urlsplit(url))
    assert (answer.status, answer.all("set-cookie")) == (200, ["a=b"])
    assert "a=b" not in repr(answer)


@pytest.mark.parametrize(
    "reply",
    [
        ESC,
        b"",
        b"HTTP/1.1 " + ESC + b"\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"SSH-2.0-" + ESC + b"\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    ],
    ids=["no answer", "nothing", "no status", "version", "tls", "ssh", "many headers"],
)
def test_what_is_no_http_is_told_without_its_text(doctor: Ask, reply: bytes) -> None:
    """A stranger's text would move the terminal's cursor, or hold a credential."""
    with answering(lambda link: link.sendall(reply)) as url:
        told = doctor("--site", url)
    assert (told.code, told.level("site")) == (2, "fail")
    assert "pa55" not in told.out
    assert "\\u001b" not in told.out


def test_nobody_there_is_told(doctor: Ask, names: Names) -> None:
    """Refused, and a name that leads nowhere; and the other paths are not asked for."""
    told = doctor("--site", f"https://{HOST}/", "--path", "/login")
    assert told.bad() == {"site": "fail"}
    assert names.asked == [(HOST, 443)]


def test_plain_http_where_tls_should_be_is_told(doctor: Ask, names: Names) -> None:
    """As TLS that fails, in one line."""
    with AppServer("tests.doctor.told:app") as plain:
        names.ports[HOST, 443] = plain.port
        told = doctor("--site", f"https://{HOST}/")
    assert told.bad() == {"tls": "fail"}


def test_it_comes_as_a_visitor_without_cookies(doctor: Ask) -> None:
    """No cookie, no Fetch Metadata, no credentials: one GET for each path."""
    heard: list[bytes] = []

    def talk(link: socket.socket) -> None:
        link.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(2):
                link, _address = listener.accept()
                with link:
                    heard.append(link.recv(65_536))
                    talk(link)

        thread = threading.Thread(target=serve)
        thread.start()
        doctor("--site", f"http://127.0.0.1:{listener.getsockname()[1]}/", "--path", "/login?next=/")
        thread.join(10)
    assert [line.split(b"\r\n")[0] for line in heard] == [b"GET / HTTP/1.1", b"GET /login?next=/ HTTP/1.1"]
    for line in heard:
        assert b"cookie" not in line.lower()
        assert b"sec-fetch" not in line.lower()
        assert b"authorization" not in line.lower()
