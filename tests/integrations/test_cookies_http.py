"""Which cookie serves which request: https, localhost, test clients, and proxies that hide https."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from starlette.requests import Request

from coatcheck import CookieSettings, Session
from tests.integrations.front import NAME, NAVIGATION, ORIGIN, Front, cookie, set_cookies, token_in

INSECURE = "coatcheck-insecure"


async def counts(session: Session, request: Request) -> str:
    """A page that counts its visits."""
    session["visits"] = session.get("visits", 0) + 1
    return str(session["visits"])


async def name_and_warnings(
    front: Front, caplog: pytest.LogCaptureFixture, origin: str, headers: dict[str, str] | None = None
) -> tuple[str, list[str]]:
    """The name of the cookie that a first and a second visitor get there, and what is warned about it."""
    caplog.clear()
    app = front.app(counts)
    with caplog.at_level(logging.WARNING, "coatcheck"):
        await front.browser(app, origin).get("/", headers=headers or {})
        (header,) = set_cookies(await front.browser(app, origin).get("/", headers=headers or {}))
    name = header.partition("=")[0]
    assert ("Secure" in header.split("; ")) is (name != INSECURE)
    assert ("__Host-" in name) is (name != INSECURE)
    return name, [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("origin", [ORIGIN, "https://localhost", "https://testserver"])
async def test_https_has_the_strict_cookie(desk: Front, caplog: pytest.LogCaptureFixture, origin: str) -> None:
    """15: wherever https is seen, and silently."""
    assert await name_and_warnings(desk, caplog, origin) == (NAME, [])


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:8000", "127.1.2.3", "[::1]:8000", "shop.localhost", "testserver"]
)
async def test_plain_http_to_this_machine_has_a_cookie_that_test_clients_return(
    desk: Front, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    """E: httpx and Starlette's client never send a Secure cookie back over http; said once."""
    name, warnings = await name_and_warnings(desk, caplog, f"http://{host}")
    assert name == INSECURE
    assert len(warnings) == 1
    assert "without Secure" in warnings[0]


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "shop.example", "10.0.0.7:8000"])
async def test_a_browser_that_takes_secure_cookies_gets_one_also_behind_a_proxy_that_hides_https(
    desk: Front, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    """E: Sec-Fetch headers come exactly where Secure cookies are taken; nobody is downgraded."""
    assert await name_and_warnings(desk, caplog, f"http://{host}", NAVIGATION) == (NAME, [])


@pytest.mark.parametrize("host", ["shop.example", "10.0.0.7:8000", "localhost.evil.example", "127.0.0.1.evil.example"])
async def test_another_plain_http_host_is_treated_as_https_and_warned_about_once(
    desk: Front, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    """E: either cause, and the remedy, are in the line."""
    name, warnings = await name_and_warnings(desk, caplog, f"http://{host}")
    assert name == NAME
    (line,) = warnings
    for hint in ("proxy", "X-Forwarded-Proto", "development", "COATCHECK_COOKIE_SECURE=0", host):
        assert hint in line


@pytest.mark.parametrize("host", ["shop.example", "localhost"])
async def test_the_environment_can_switch_secure_off_for_development(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    """15: without editing code; the warning says what is on, not what was suspected before."""
    monkeypatch.setenv("COATCHECK_COOKIE_SECURE", "0")
    name, warnings = await name_and_warnings(Front(), caplog, f"http://{host}")
    assert name == INSECURE
    (line,) = warnings
    assert "without Secure: as the settings ask" in line


async def test_a_cookie_set_to_be_secure_is_secure_everywhere(caplog: pytest.LogCaptureFixture) -> None:
    """15: `secure=True` is never overruled, and nothing is warned that is not so."""
    front = Front(cookie=CookieSettings(secure=True))
    name, warnings = await name_and_warnings(front, caplog, "http://localhost")
    assert name == NAME
    assert not any("without Secure" in line for line in warnings)


@pytest.mark.parametrize("origin", ["http://testserver", "http://localhost:8000", ORIGIN])
async def test_a_jar_brings_the_session_back(front: Front, origin: str) -> None:
    """15: plain http in development and test clients work without editing code."""
    browser = front.browser(front.app(counts), origin)
    assert [(await browser.get("/")).text for _ in range(3)] == ["1", "2", "3"]


async def test_an_insecure_cookie_never_serves_https(desk: Front) -> None:
    """15: whoever can set a cookie from plain http can't choose the session of https."""
    token = await desk.signed_in(visits=7)
    app = desk.app(counts)
    assert (await desk.browser(app).get("/", headers=cookie(token, INSECURE))).text == "1"
    at_home = desk.browser(app, "http://localhost")
    assert (await at_home.get("/", headers=cookie(token, INSECURE) | NAVIGATION)).text == "1"
    assert (await at_home.get("/", headers=cookie(token))).text == "1"
    assert (await at_home.get("/", headers=cookie(token, INSECURE))).text == "8"


# -- several cookies -----------------------------------------------------------------------------------------


async def user_of(front: Front, *headers: str) -> str:
    """Who the request with these Cookie headers is."""

    async def handler(session: Session, request: Request) -> str:
        return str(session.user_id)

    pairs: list[Any] = [("cookie", header) for header in headers]
    return (await front.browser(front.app(handler)).get("/", headers=pairs)).text


async def test_two_different_valid_cookies_are_nobody(front: Front) -> None:
    """E: one of them was planted, and nobody knows which; the same twice, or one that is garbage, is harmless."""
    mine, planted = await front.signed_in("7"), await front.signed_in("evil")
    for one, other in ((mine, planted), (planted, mine)):
        assert await user_of(front, f"{NAME}={one}; {NAME}={other}") == "None"
    assert front.calls == []
    assert await user_of(front, f"{NAME}={mine}; {NAME}={mine}") == "7"
    for garbage in ("", "x", planted[:-1] + "?", "x" * 78):
        assert await user_of(front, f"{NAME}={garbage}; {NAME}={mine}") == "7"
        assert await user_of(front, f"{NAME}={mine}; {NAME}={garbage}") == "7"
    assert await front.lives(mine)


async def test_several_cookie_headers_are_as_one(front: Front) -> None:
    """HTTP/2 splits them (RFC 9113, section 8.2.3)."""
    mine, planted = await front.signed_in("7"), await front.signed_in("evil")
    assert await user_of(front, "a=b", f"{NAME}={mine}", "c=d") == "7"
    assert await user_of(front, f"{NAME}={mine}", "a=b", f"{NAME}={planted}") == "None"


@pytest.mark.parametrize(
    "header", ["x{name}={token}", "{name}x={token}", "{lower}={token}", "a=1,{name}={token}", "a={name}={token}"]
)
async def test_only_a_cookie_of_exactly_our_name_counts(desk: Front, header: str) -> None:
    """A longer name, another case, or a value that looks like a cookie is something else."""
    token = await desk.signed_in()
    assert await user_of(desk, header.format(name=NAME, lower=NAME.lower(), token=token)) == "None"


async def test_nothing_but_the_cookie_carries_the_token(desk: Front) -> None:
    """OWASP: an id in the query, the body or another header is ignored."""
    token = await desk.signed_in("7")

    async def handler(session: Session, request: Request) -> str:
        return str(session.user_id)

    browser = desk.browser(desk.app(handler))
    everywhere = {"authorization": f"Bearer {token}", "x-session": token, "x-coatcheck": token}
    response = await browser.post("/", params={NAME: token}, data={NAME: token}, headers=everywhere)
    assert response.text == "None"
    assert desk.calls == []


async def test_the_cookies_of_others_are_left_alone(front: Front) -> None:
    """E: Starlette, Flask and sqladmin own the name `session`."""

    async def handler(session: Session, request: Request) -> str:
        session["cart"] = 1
        return str(request.cookies.get("session"))

    response = await front.browser(front.app(handler)).get("/", headers={"cookie": "session=theirs"})
    assert response.text == "theirs"
    assert len(set_cookies(response)) == 1
    assert token_in(response)


async def test_a_session_left_empty_ends_and_drops_its_cookie(front: Front) -> None:
    """1: a visitor's session that a commit leaves empty is over."""
    token = await front.stored(cart=1)

    async def handler(session: Session, request: Request) -> str:
        session.clear()
        return "emptied"

    response = await front.browser(front.app(handler)).get("/", headers=cookie(token))
    assert token_in(response) == ""
    assert "Max-Age=0" in set_cookies(response)[0]
    assert await front.sessions() == 0
