"""The download gate: once, for the session that asked; whatever else happens spends nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from coatcheck.errors import ConfigurationError, TicketError
from coatcheck.integrations.asgi import SessionMiddleware
from coatcheck.integrations.gate import TicketGate, ticket_from
from tests.integrations.front import Front, cookie, set_cookies, vary
from tests.integrations.gatehouse import CONTENT, Gatehouse

REFUSED_HEADERS = ("content-disposition", "etag", "accept-ranges")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Gatehouse]:
    """A file behind the gate."""
    house = Gatehouse(tmp_path)
    yield house
    await house.aclose()


def check_success(response: httpx.Response) -> None:
    """The whole file, and the headers that a download has (ASVS 3.2.1)."""
    assert (response.status_code, response.content) == (200, CONTENT)
    assert response.headers["content-disposition"].startswith("attachment")
    assert response.headers.get_list("x-content-type-options") == ["nosniff"]
    assert response.headers.get_list("cache-control") == ["no-store"]
    assert response.headers.get_list("referrer-policy") == ["no-referrer"]
    assert vary(response) == {"cookie"}


def check_refused(response: httpx.Response, status: int) -> None:
    """A page of ours, without a byte of the file, that leaks no ticket by Referer."""
    assert response.status_code == status, response.text
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert CONTENT[:50] not in response.content
    assert not [name for name in REFUSED_HEADERS if name in response.headers]


# -- once ----------------------------------------------------------------------------------------------------


async def test_the_first_use_gets_the_file_and_the_second_is_told_when_that_was(house: Gatehouse) -> None:
    """C: 410, with the time and how to get a new one; as a page or as text."""
    token = await house.signed_in()
    ticket = await house.issue(token)
    check_success(await house.fetch(ticket, token))
    house.clock.advance(30)
    second = await house.fetch(ticket, token, accept="text/html")
    check_refused(second, 410)
    assert "used before, at 2030-01-01 12:00:00 UTC. Ask for a new one." in second.text
    assert second.headers["content-type"].startswith("text/html")
    assert (await house.fetch(ticket, token)).headers["content-type"].startswith("text/plain")
    assert house.served == ["a.pdf"]
    assert len(house.told("ticket_redeemed")) == 1


async def test_another_session_is_refused_and_spends_nothing(house: Gatehouse) -> None:
    """C: a leaked link, a mail scanner, the same user's other device: 403, and the owner still gets the file."""
    token = await house.signed_in("7")
    ticket = await house.issue(token)
    for other in (None, await house.stored(), await house.signed_in("8"), await house.signed_in("7")):
        check_refused(await house.fetch(ticket, other), 403)
    check_success(await house.fetch(ticket, token))
    check_refused(await house.fetch(ticket, None), 410)


async def test_a_bearer_ticket_serves_whoever_holds_it_once(house: Gatehouse) -> None:
    """C: for a link by mail. It still dies with the session that it was issued to."""
    token = await house.signed_in()
    ticket = await house.issue(token, bearer=True)
    check_success(await house.fetch(ticket, None))
    check_refused(await house.fetch(ticket, None), 410)
    check_refused(await house.fetch(ticket, token), 410)
    check_refused(await house.fetch(ticket, token, range="bytes=0-9"), 410)
    unused = await house.issue(token, bearer=True)
    await house.aside.revoke(token[:22])
    check_refused(await house.fetch(unused, None), 410)


async def test_an_expired_ticket_is_gone(house: Gatehouse) -> None:
    """410, with the time of its expiry."""
    token = await house.signed_in()
    ticket = await house.issue(token, ttl=60)
    house.clock.advance(66)
    response = await house.fetch(ticket, token)
    check_refused(response, 410)
    assert "expired at 2030-01-01 12:01:00 UTC" in response.text


async def test_a_logout_kills_open_tickets(house: Gatehouse) -> None:
    """ASVS 7.4.1: with the session end its tickets, also those that were used."""
    token = await house.signed_in()
    unused, used = await house.issue(token), await house.issue(token)
    check_success(await house.fetch(used, token))
    await house.aside.revoke(token[:22], "logout")
    for ticket in (unused, used):
        response = await house.fetch(ticket, token)
        check_refused(response, 410)
        assert "has ended. Sign in" in response.text
        check_refused(await house.fetch(ticket, None), 410)


async def test_whoever_finds_a_link_does_not_read_the_operators_words(house: Gatehouse) -> None:
    """Why a session was revoked is its owner's to know, on a page of theirs."""
    token = await house.signed_in()
    ticket = await house.issue(token)
    await house.aside.revoke(token[:22], "fraud case 4711")
    for shown in (token, None):
        response = await house.fetch(ticket, shown)
        check_refused(response, 410)
        assert "4711" not in response.text


@pytest.mark.parametrize("how", ["altered", "another purpose", "the session's token", "missing", "twice"])
async def test_what_is_not_such_a_ticket_is_refused(house: Gatehouse, how: str) -> None:
    """403, in plain words, and the real one stays good."""
    token = await house.signed_in()
    ticket = await house.issue(token)
    given: Any = {
        "altered": ticket[:-2] + ("A" if ticket[-2] != "A" else "B") + ticket[-1],
        "another purpose": await house.issue(token, purpose="print"),
        "the session's token": token,
        "missing": "",
        "twice": [ticket, ticket],
    }[how]
    check_refused(await house.fetch(given, token), 403)
    check_success(await house.fetch(ticket, token))


# -- what spends nothing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("HEAD", {}, 200),
        ("HEAD", {"range": "bytes=0-1"}, 200),
        ("OPTIONS", {}, 204),
        ("GET", {"sec_purpose": "prefetch"}, 503),
        ("GET", {"sec_purpose": "prefetch;prerender"}, 503),
        ("GET", {"purpose": "prefetch"}, 503),
    ],
)
async def test_looking_spends_nothing_and_is_answered_by_the_gate(
    house: Gatehouse, method: str, headers: dict[str, str], status: int
) -> None:
    """C: mail scanners send HEAD, browsers prefetch; the application is not even asked."""
    token = await house.signed_in()
    ticket = await house.issue(token)
    response = await house.fetch(ticket, token, method, **headers)
    assert response.status_code == status
    assert (response.content == b"") is (method != "GET")
    assert house.served == []
    check_success(await house.fetch(ticket, token))
    if method == "HEAD":
        check_refused(await house.fetch(ticket, token, "HEAD"), 410)
        assert (await house.fetch(ticket, None, "HEAD")).content == b""


@pytest.mark.parametrize("status", [1, 304, 400, 404, 416, 500, 503])
async def test_an_error_of_the_application_leaves_the_ticket_whole(house: Gatehouse, status: int) -> None:
    """C: the gate takes it only when a success starts; a retry finds it."""
    token = await house.signed_in()
    ticket = await house.issue(token)
    house.status = status
    if status == 1:
        with pytest.raises(ZeroDivisionError):
            await house.fetch(ticket, token)
    else:
        response = await house.fetch(ticket, token)
        assert response.status_code == status
        assert "content-disposition" not in response.headers
    assert house.told("ticket_redeemed") == []
    check_success(await house.fetch(ticket, token))


async def test_a_redirect_to_a_file_elsewhere_is_a_use(house: Gatehouse) -> None:
    """C: whoever has the presigned address has the file."""
    token = await house.signed_in()
    ticket = await house.issue(token)
    house.status = 302
    response = await house.fetch(ticket, token)
    assert response.status_code == 302
    assert response.headers["referrer-policy"] == "no-referrer"
    check_refused(await house.fetch(ticket, token), 410)


# -- forms, pages, places ------------------------------------------------------------------------------------


async def test_a_posted_form_keeps_the_ticket_out_of_the_address(house: Gatehouse) -> None:
    """ASVS 14.2.1: redeemed from the body; a foreign site's form is refused by its origin, and spends nothing."""
    token = await house.signed_in()
    ticket = await house.issue(token)
    form: dict[str, Any] = {"data": {"ticket": ticket, "more": "x"}, "headers": cookie(token)}
    foreign = form | {"headers": cookie(token) | {"sec-fetch-site": "cross-site"}}
    assert (await house.client.post("/download", **foreign)).status_code == 403
    check_success(await house.client.post("/download", **form))
    check_refused(await house.client.post("/download", **form), 410)


async def test_a_form_in_token_mode_needs_both_tokens(tmp_path: Path) -> None:
    """14: the synchroniser token is looked for first, and the gate still finds the ticket behind it."""
    house = Gatehouse(tmp_path, options={"csrf": "token"})
    token = await house.signed_in()
    ticket = await house.issue(token)
    csrf = (await house.aside.load(token)).csrf_token
    send: dict[str, Any] = {"headers": cookie(token)}
    assert (await house.client.post("/download", data={"ticket": ticket}, **send)).status_code == 403
    check_success(await house.client.post("/download", data={"_csrf": csrf, "ticket": ticket}, **send))


@pytest.mark.parametrize("size", [17_000, 200_000])
async def test_a_form_that_is_too_long_has_no_ticket(house: Gatehouse, size: int) -> None:
    """12: a ticket's form is short; what comes in megabytes is not read."""
    token = await house.signed_in()
    data = {"x": "x" * size, "ticket": await house.issue(token)}
    check_refused(await house.client.post("/download", data=data, headers=cookie(token)), 403)


async def test_the_page_of_a_refusal_can_be_the_applications_own(tmp_path: Path) -> None:
    """Only for browsers; status and protecting headers stay."""

    def page(scope: Any, error: TicketError, status: int) -> str:
        return f"<h1>{type(error).__name__} {status}</h1> \N{EURO SIGN} {scope['path']}"

    house = Gatehouse(tmp_path, page=page)
    response = await house.fetch("garbage", None, accept="text/html")
    check_refused(response, 403)
    assert response.text == "<h1>TicketInvalid 403</h1> \N{EURO SIGN} /download"
    assert "<h1>" not in (await house.fetch("garbage", None)).text


async def test_inline_where_the_gate_is_told_so(tmp_path: Path) -> None:
    """`attachment=False` is respected."""
    house = Gatehouse(tmp_path, attachment=False)
    token = await house.signed_in()
    response = await house.fetch(await house.issue(token), token)
    assert "content-disposition" not in response.headers


async def test_the_session_may_be_written_behind_the_gate(house: Gatehouse) -> None:
    """A refusal after the start of the file never sets a cookie or disturbs the session."""
    token = await house.signed_in(cart=1)
    response = await house.fetch(await house.issue(token), token)
    assert set_cookies(response) == []
    assert await house.fields(token) == {"cart": 1}


async def test_a_gate_in_the_wrong_place_says_so(desk: Front) -> None:
    """Without the session middleware, or asking for a ticket in front of it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ticket_from(scope)

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    nothing: Any = None
    for wrong in (TicketGate(app), app):
        with pytest.raises(ConfigurationError):
            await wrong(scope, nothing, nothing)


async def test_a_websocket_cannot_pass_a_gate(desk: Front) -> None:
    """It is closed as against the rules: whoever connects must not be able to raise an error."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    nothing: Any = None
    await TicketGate(nothing)({"type": "websocket"}, nothing, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


# -- what surrounds it ---------------------------------------------------------------------------------------


async def test_the_rest_of_the_address_stays_as_it_was(house: Gatehouse) -> None:
    """Only the ticket's value is masked: signatures of other parameters still hold."""
    seen: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["query_string"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    token = await house.signed_in()
    ticket = await house.issue(token)
    query = f"a=%FF&flag&ticket={ticket}&b=1+2%20;c".encode()
    client = house.browser(SessionMiddleware(TicketGate(app), house.manager))
    assert (await client.get(f"/?{query.decode()}", headers=cookie(token))).status_code == 200
    assert seen == [query.replace(ticket.encode(), b"-")]


async def test_a_websocket_leaves_no_ticket_in_the_log(house: Gatehouse) -> None:
    """The server logs its address, too."""
    scope: dict[str, Any] = {"type": "websocket", "query_string": b"ticket=secret&a=1"}
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await TicketGate(house.web)(scope, None, send)  # type: ignore[arg-type]
    assert (sent, scope["query_string"]) == (["websocket.close"], b"ticket=-&a=1")


async def test_a_gate_that_is_the_whole_application_starts_up(house: Gatehouse) -> None:
    """The server's lifespan reaches the application behind it."""
    kinds: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kinds.append(scope["type"])

    await SessionMiddleware(TicketGate(app), house.manager)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert kinds == ["lifespan"]
