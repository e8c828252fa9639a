"""The WSGI download gate: once, for the session that asked; whatever else happens spends nothing."""

from __future__ import annotations

import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlencode
from wsgiref.util import FileWrapper

import pytest

from coatcheck.errors import ConfigurationError
from coatcheck.integrations.wsgi_gate import TicketGate, ticket_from
from tests.integrations.wsgi_server import Answer, Serving

CONTENT = bytes(range(256)) * 40
FORM = "application/x-www-form-urlencoded"


class House(Serving):
    """A file behind the gate, and what the application behind it has served."""

    def __init__(self, settings: dict[str, Any] | None = None, **gate: Any) -> None:
        self.served: Any = None
        self.files: list[str] = []
        self.next: int | None = None
        """The status of the next response in place of a file; 0: an exception."""
        self.form = "list"
        """How the application answers: list, pieces, write or file."""
        self.gate = TicketGate(self._send, **gate)
        # No validator inside: a HEAD that the gate answers has no Content-Type, which PEP 3333 does not ask for.
        super().__init__(self.gate, check=False, **(settings or {}))

    def _send(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.files.append(ticket_from(environ).claims["file"])
        status, self.next = self.next, None
        headers = [("Content-Type", "application/pdf"), ("Cache-Control", "public"), ("CDN-Cache-Control", "max-age=9")]
        if status == 0:
            raise ZeroDivisionError
        if status:
            start_response(f"{status} x", headers if status != 304 else headers[1:])
            return [b"" if status == 304 else b"no"]
        body, code = CONTENT, "200 OK"
        if environ.get("HTTP_RANGE", "").startswith("bytes="):
            first, _, last = environ["HTTP_RANGE"].removeprefix("bytes=").partition("-")
            body, code = CONTENT[int(first) : int(last or len(CONTENT)) + 1], "206 Partial"
        write = start_response(code, headers)
        if self.form == "write":
            write(body)
            return []
        if self.form == "file":
            return FileWrapper(io.BytesIO(body))
        return [body] if self.form == "list" else iter([b"", body[:7], body[7:]])

    def issue(self, token: str, ttl: float = 120, **settings: Any) -> str:
        """A ticket for the session of that token."""
        purpose = settings.pop("purpose", "download")
        session = self.manager.load(token)
        lifetime = timedelta(seconds=ttl)
        return self.manager.tickets.issue(purpose, {"file": "a.pdf"}, session=session, ttl=lifetime, **settings)

    def fetch(self, ticket: str, token: str | None, method: str = "GET", path: str = "/get", **headers: Any) -> Answer:
        """Use a ticket, by its address."""
        return self.ask(method, f"{path}?ticket={ticket}", token=token, **headers)

    def redeemed(self) -> int:
        """How many tickets were taken."""
        return len([event for event in self.events if event.name == "ticket_redeemed"])


@pytest.fixture
def house() -> House:
    """A file behind the gate."""
    return House()


def check_success(answer: Answer) -> None:
    """The whole file, and the headers that a download has (ASVS 3.2.1)."""
    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.all("content-disposition") == ["attachment"]
    assert answer.all("x-content-type-options") == ["nosniff"]
    assert answer.all("cache-control") == ["no-store"]
    assert answer.all("cdn-cache-control") == []
    assert answer.all("referrer-policy") == ["no-referrer"]
    assert answer.all("vary") == ["Cookie"]


def check_refused(answer: Answer, status: int) -> None:
    """A page of ours, without a byte of the file, that leaks no ticket by Referer."""
    assert answer.status == status, answer.body
    assert answer.all("cache-control") == ["no-store"]
    assert answer.all("referrer-policy") == ["no-referrer"]
    assert answer.all("content-disposition") == []
    assert CONTENT[:50] not in answer.body


# -- once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["list", "pieces", "write", "file"])
def test_the_first_use_gets_the_file_and_the_second_is_told_when_that_was(house: House, form: str) -> None:
    """13: however the application answers; a server still gets the file wrapper that it sends by the kernel."""
    house.form = form
    token = house.signed_in()
    ticket = house.issue(token)
    check_success(house.fetch(ticket, token))
    assert isinstance(house.served, FileWrapper) == (form == "file")
    house.clock.advance(30)
    second = house.fetch(ticket, token, accept="text/html")
    check_refused(second, 410)
    assert b"used before, at 2030-01-01 12:00:00 UTC. Ask for a new one." in second.body
    assert second.all("content-type")[0].startswith("text/html")
    assert house.files == ["a.pdf"]
    assert house.redeemed() == 1


def test_another_session_is_refused_and_spends_nothing(house: House) -> None:
    """C: a leaked link, a mail scanner, the same user's other device: 403, and the owner still gets the file."""
    token = house.signed_in("7")
    ticket = house.issue(token)
    for other in (None, house.signed_in("8"), house.signed_in("7")):
        check_refused(house.fetch(ticket, other), 403)
    check_success(house.fetch(ticket, token))
    check_refused(house.fetch(ticket, None), 410)


def test_a_bearer_ticket_serves_whoever_holds_it_once(house: House) -> None:
    """C: for a link by mail."""
    ticket = house.issue(house.signed_in(), bearer=True)
    check_success(house.fetch(ticket, None))
    check_refused(house.fetch(ticket, None), 410)


def test_a_ticket_dies_with_its_time_and_its_session(house: House) -> None:
    """410 for both; 403 for what is no such ticket."""
    token = house.signed_in()
    old, fresh = house.issue(token, ttl=60), house.issue(token, ttl=600)
    house.clock.advance(66)
    check_refused(house.fetch(old, token), 410)
    for other in ("", "x", token, fresh[:-2], house.issue(token, purpose="print"), f"{fresh}&ticket={fresh}"):
        check_refused(house.fetch(other, token), 403)
    house.manager.revoke(token[:22])
    check_refused(house.fetch(fresh, token), 410)
    assert house.files == []


@pytest.mark.parametrize("form", ["list", "pieces", "write", "file"])
def test_of_two_that_got_as_far_as_the_application_one_gets_the_file(house: House, form: str) -> None:
    """13: both found the ticket whole; it is taken when the first byte goes out, and the other's body is dropped."""
    house.form = form
    token = house.signed_in()
    ticket = house.issue(token)
    send = house.gate.app
    others: list[Answer | None] = []

    def twice(environ: Any, start_response: Any) -> Iterable[bytes]:
        body = send(environ, start_response)
        if not others:
            others.append(None)
            rival = House()
            rival.manager, rival.middleware = house.manager, house.middleware
            others.append(rival.fetch(ticket, token))
        return body

    house.gate.app = twice
    first = house.fetch(ticket, token)
    assert others[1] is not None
    statuses = {first.status, others[1].status}
    assert statuses == {200, 410}
    assert house.redeemed() == 1


# -- what spends nothing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("HEAD", {}, 200),
        ("OPTIONS", {}, 204),
        ("GET", {"sec_purpose": "prefetch;prerender"}, 503),
        ("GET", {"purpose": "prefetch"}, 503),
    ],
)
def test_looking_spends_nothing_and_is_answered_by_the_gate(method: str, headers: dict[str, str], status: int) -> None:
    """C: mail scanners send HEAD, browsers prefetch; the application is not even asked."""
    house = House()
    token = house.signed_in()
    ticket = house.issue(token)
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": "/get",
        "QUERY_STRING": f"ticket={ticket}",
        "HTTP_COOKIE": f"__Host-coatcheck={token}",
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(),
    } | {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    told = Mock()
    body = b"".join(house.middleware(environ, told))
    assert told.call_args[0][0].startswith(str(status))
    assert (body == b"") is (method != "GET")
    assert house.files == []
    check_success(house.fetch(ticket, token))


@pytest.mark.parametrize("status", [0, 304, 400, 404, 416, 500, 503])
def test_an_error_of_the_application_leaves_the_ticket_whole(house: House, status: int) -> None:
    """C: the gate takes it only when a success starts; a retry finds it."""
    token = house.signed_in()
    ticket = house.issue(token)
    house.next = status
    if status == 0:
        with pytest.raises(ZeroDivisionError):
            house.fetch(ticket, token)
    else:
        answer = house.fetch(ticket, token)
        assert answer.status == status
        assert answer.all("content-disposition") == []
    assert house.redeemed() == 0
    check_success(house.fetch(ticket, token))


def test_a_redirect_to_a_file_elsewhere_is_a_use(house: House) -> None:
    """C: whoever has the presigned address has the file."""
    token = house.signed_in()
    ticket = house.issue(token)
    house.next = 302
    assert house.fetch(ticket, token).status == 302
    check_refused(house.fetch(ticket, token), 410)


def test_a_store_that_is_down_is_503_and_the_ticket_stays_whole(house: House) -> None:
    """11: when it is looked at, and when it is taken."""
    token = house.signed_in()
    ticket = house.issue(token)
    for call in ("taken", "redeem"):
        house.store.down = {call}
        check_refused(house.fetch(ticket, token), 503)
    house.store.down = set()
    check_success(house.fetch(ticket, token))


# -- resuming ------------------------------------------------------------------------------------------------


def test_the_same_session_resumes_the_same_path_for_a_while(house: House) -> None:
    """C: a connection that breaks costs no new ticket; nobody else, no other path, not for ever."""
    token, other = house.signed_in("7"), house.signed_in("8")
    ticket = house.issue(token)
    check_success(house.fetch(ticket, token))
    house.clock.advance(200)
    rest = house.fetch(ticket, token, range="bytes=5000-")
    assert (rest.status, rest.body) == (206, CONTENT[5000:])
    for who, path in ((other, "/get"), (None, "/get"), (token, "/other")):
        check_refused(house.fetch(ticket, who, path=path, range="bytes=0-9"), 410)
    house.next = 200
    check_refused(house.fetch(ticket, token, range="bytes=0-9"), 410)
    house.clock.advance(101)
    check_refused(house.fetch(ticket, token, range="bytes=0-9"), 410)
    assert house.redeemed() == 1


def test_parallel_ranges_of_one_client_all_succeed() -> None:
    """C: a download manager opens eight at once; they are one use."""
    house = House()
    token = house.signed_in()
    ticket = house.issue(token)
    size = len(CONTENT) // 8

    def part(start: int) -> Answer:
        line = House()
        line.manager, line.middleware = house.manager, house.middleware
        return line.fetch(ticket, token, range=f"bytes={start}-{start + size - 1}")

    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(part, range(0, len(CONTENT), size)))
    assert [one.status for one in parts] == [206] * 8
    assert b"".join(one.body for one in parts) == CONTENT
    assert house.redeemed() == 1


# -- forms, pages, places ------------------------------------------------------------------------------------


def test_a_posted_form_keeps_the_ticket_out_of_the_address() -> None:
    """ASVS 14.2.1: in token mode both tokens are found; what is in megabytes is not read."""
    for settings, more in (({}, ""), ({"csrf": "token"}, "_csrf")):
        house = House(settings)
        token = house.signed_in()
        ticket = house.issue(token)
        csrf = house.manager.load(token).csrf_token

        def post(fields: dict[str, str], house: House = house, token: str = token) -> Answer:
            return house.ask("POST", "/get", token=token, body=urlencode(fields).encode(), content_type=FORM)

        fields = {more: csrf} if more else {}
        check_refused(post(fields | {"x": "y" * 200_000, "ticket": ticket}), 403)
        assert house.upload.taken <= 100_000
        check_success(post(fields | {"ticket": ticket}))
        check_refused(post(fields | {"ticket": ticket}), 410)


def test_the_ticket_is_not_in_the_address_that_the_server_logs(house: House) -> None:
    """The rest of it stays as it was: signatures of other parameters still hold."""
    token = house.signed_in()
    ticket = house.issue(token)
    check_success(house.ask(path=f"/get?a=%FF&ticket={ticket}&b=1+2%20;c", token=token))
    assert house.environ["QUERY_STRING"] == "a=%FF&ticket=-&b=1+2%20;c"
    assert house.environ["RAW_URI"] == "/get?a=%FF&ticket=-&b=1+2%20;c"


def test_the_page_of_a_refusal_can_be_the_applications_own() -> None:
    """Only for browsers; status and protecting headers stay."""
    house = House(
        page=lambda environ, error, status: f"<h1>{type(error).__name__} {status}</h1> {environ['PATH_INFO']}"
    )
    answer = house.fetch("garbage", None, accept="text/html")
    check_refused(answer, 403)
    assert answer.body == b"<h1>TicketInvalid 403</h1> /get"
    assert b"<h1>" not in house.fetch("garbage", None).body


def test_inline_where_the_gate_is_told_so() -> None:
    """`attachment=False` is respected."""
    house = House(attachment=False)
    token = house.signed_in()
    assert house.fetch(house.issue(token), token).all("content-disposition") == []


def test_a_gate_in_the_wrong_place_says_so() -> None:
    """Without the session middleware, or asking for a ticket in front of it."""
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.input": io.BytesIO()}
    with pytest.raises(ConfigurationError, match="wrap the application"):
        TicketGate(lambda *_: [])(environ, lambda *_: print)
    with pytest.raises(ConfigurationError, match="TicketGate"):
        ticket_from(environ)
