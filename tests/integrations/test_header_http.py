"""Clients without a cookie jar: the token travels in a header of its own, both ways."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from coatcheck import Session
from tests.integrations.front import ELSEWHERE, NAVIGATION, Front, cookie, set_cookies, vary

HEADER = "X-Session"


async def handler(session: Session, request: Request) -> str:
    """Signs in, out or counts, by the path."""
    match request.url.path:
        case "/in":
            session.login("7")
        case "/out":
            session.logout()
        case "/count":
            session["visits"] = session.get("visits", 0) + 1
    return f"{session.user_id} {session.get('visits')}"


@pytest.fixture
def app(front: Front) -> Any:
    """An application that offers the header."""
    return front.app(handler, header=HEADER)


async def test_an_empty_header_is_answered_with_a_token_and_no_cookie(front: Front, app: Any) -> None:
    """The first request asks for it; the later ones show what they got, and get nothing new."""
    browser = front.browser(app)
    response = await browser.post("/in", headers={HEADER: ""})
    token = response.headers[HEADER]
    assert set_cookies(response) == []
    assert response.headers["cache-control"] == "no-store"
    assert vary(response) == {"x-session"}
    response = await browser.get("/count", headers={HEADER: token})
    assert response.text == "7 1"
    assert HEADER not in response.headers
    assert await front.lives(token)


async def test_a_logout_empties_the_header(front: Front, app: Any) -> None:
    """The client is told to forget its token, as a browser is by a deletion."""
    token = await front.signed_in()
    response = await front.browser(app).post("/out", headers={HEADER: token})
    assert response.headers[HEADER] == ""
    assert set_cookies(response) == []
    assert not await front.lives(token)


async def test_a_visitor_with_the_header_gets_no_token_until_something_is_stored(front: Front, app: Any) -> None:
    """8: the same rule as for cookies."""
    response = await front.browser(app).get("/", headers={HEADER: ""})
    assert HEADER not in response.headers
    assert front.calls == []


async def test_the_cookie_is_ignored_where_the_header_is(front: Front, app: Any) -> None:
    """14: also when the header's token is invalid; else adding a header would switch the CSRF check off."""
    token = await front.signed_in()
    browser = front.browser(app)
    for given in (
        "",
        "garbage",
        token[:-1] + "?",
        "x" * 70_000,
        "\N{LATIN SMALL LETTER E WITH ACUTE}".encode("latin-1"),
    ):
        pairs: list[Any] = [("cookie", cookie(token)["cookie"]), (HEADER.encode(), given)]
        response = await browser.get("/", headers=pairs)
        assert response.text == "None None"
        assert set_cookies(response) == []
    assert front.calls == []


async def test_two_different_headers_are_nobody(front: Front, app: Any) -> None:
    """A header that must be single and is not joins to a value that nobody signed."""
    one, other = await front.signed_in("7"), await front.signed_in("8")
    pairs = [(HEADER, one), (HEADER, other)]
    assert (await front.browser(app).get("/", headers=pairs)).text == "None None"


@pytest.mark.parametrize("csrf", ["origin", "token"])
async def test_a_token_in_a_header_is_exempt_from_the_csrf_checks(front: Front, csrf: Any) -> None:
    """14: no browser adds that header by itself; the same request with the cookie is refused."""
    token = await front.signed_in()
    browser = front.browser(front.app(handler, header=HEADER, csrf=csrf))
    foreign = {"origin": ELSEWHERE, "sec-fetch-site": "cross-site"}
    assert (await browser.post("/count", headers=foreign | {HEADER: token})).text == "7 1"
    assert (await browser.post("/count", headers=foreign | cookie(token))).status_code == 403


async def test_a_cookie_client_of_the_same_application_is_served_by_cookie(front: Front, app: Any) -> None:
    """Both kinds of client side by side; a cache must tell them apart."""
    response = await front.browser(app).post("/in")
    assert HEADER not in response.headers
    assert len(set_cookies(response)) == 1
    assert vary(response) == {"cookie", "x-session"}


async def test_without_the_setting_the_header_means_nothing(front: Front) -> None:
    """A client can't choose its transport where the application has not."""
    token = await front.signed_in()
    browser = front.browser(front.app(handler))
    assert (await browser.get("/", headers={HEADER: token})).text == "None None"
    assert (await browser.get("/", headers=cookie(token) | {HEADER: ""})).text == "7 None"


async def test_a_late_write_by_header_gets_no_new_token(front: Front) -> None:
    """2: as with cookies."""
    token = await front.signed_in()

    async def late(session: Session, request: Request) -> str:
        await front.aside.revoke(token[:22])
        session["cart"] = 1
        return "late"

    response = await front.browser(front.app(late, header=HEADER)).get("/", headers={HEADER: token} | NAVIGATION)
    assert response.text == "late"
    assert HEADER not in response.headers
    assert set_cookies(response) == []
