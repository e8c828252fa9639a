"""Starlette's own signed cookie: what its SessionMiddleware wrote is exchanged for a session."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from coatcheck import AsyncSessionManager, Policy
from coatcheck.errors import ConfigurationError
from coatcheck.integrations.starlette import SessionMiddleware as Ours
from coatcheck.integrations.starlette import session_from
from coatcheck.legacy import Source, StarletteCookie
from coatcheck.testing import FakeClock
from tests.legacy.tools import ELSEWHERE, OURS, ROUTES, New, deletes, given, lines, other_spelling, soon

OLD_KEY = "the old application's key"


def old_cookie(fields: dict[str, Any], key: str = OLD_KEY, **settings: Any) -> str:
    """The cookie that Starlette's own middleware sets for these fields."""

    async def write(request: Request) -> Response:
        request.session.update(fields)
        return PlainTextResponse("ok")

    app = Starlette(routes=[Route("/", write)], middleware=[Middleware(SessionMiddleware, secret_key=key, **settings)])

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://app.example") as client:
            return await client.get("/")

    return f"session={given(asyncio.run(send()), 'session')}"


@pytest.fixture
def new() -> New:
    return New(StarletteCookie(OLD_KEY, until=soon()))


ADA = {"user_id": "ada", "cart": [1, {"a": None}]}


def test_who_was_signed_in_stays_so(new: New) -> None:
    """The user and the data are there at the next request; ours replaces the old cookie."""
    first = new.ask(cookie=old_cookie(ADA))
    assert first.json() == {"user": "ada", "fields": ADA}
    assert first.headers["cache-control"] == "no-store"
    assert deletes(first, "session")
    again = new.ask(cookie=f"{OURS}={given(first)}")
    assert again.json() == {"user": "ada", "fields": ADA}
    assert lines(again) == []
    assert new.sessions("ada") == [given(first)[:22]]
    [event] = [event for event in new.events if event.name == "exchanged"]
    assert (event.handle, event.user_id, event.detail) == (given(first)[:22], "ada", {"from": "starlette cookie"})


def test_a_number_as_the_users_id_and_a_callable_are_understood() -> None:
    """What identifies a user lies where the old application put it."""
    assert New(StarletteCookie(OLD_KEY, until=soon())).ask(cookie=old_cookie({"user_id": 7})).json()["user"] == "7"
    new = New(StarletteCookie(OLD_KEY, until=soon(), user=lambda data: data["user"]["id"]))
    assert new.ask(cookie=old_cookie({"user": {"id": 7}})).json()["user"] == "7"


def test_a_user_id_that_is_none_is_said_and_burns_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A wrong `user=` is the application's to correct; the old session is still there then."""
    cookie = old_cookie({"user_id": {"secret": "value"}})
    new = New(StarletteCookie(OLD_KEY, until=soon()))
    assert [new.ask(cookie=cookie).json()["user"] for _ in range(2)] == [None, None]
    [said] = [line for line in caplog.messages if "legacy" in line and "user_id" in line]
    assert "secret" not in said
    assert "create" not in new.calls


def test_a_visitors_data_comes_along(new: New) -> None:
    """A session of nobody's is one, too."""
    first = new.ask(cookie=old_cookie({"cart": [1]}))
    assert first.json() == {"user": None, "fields": {"cart": [1]}}
    assert new.ask(cookie=f"{OURS}={given(first)}").json()["fields"] == {"cart": [1]}


def test_a_lost_response_changes_nothing(new: New) -> None:
    """The old cookie, shown again, gives the same token; a page that looks at no session gives it too."""
    cookie = old_cookie(ADA)
    tokens = {given(new.ask(path, cookie=cookie)) for path in ("/me", "/quiet", "/me")}
    assert len(tokens) == 1
    assert len(new.sessions("ada")) == 1


def test_a_failed_request_gives_no_cookie_and_takes_nothing(new: New) -> None:
    """The next request shows the old one again."""
    cookie = old_cookie(ADA)
    assert lines(new.ask("/fail", cookie=cookie)) == []
    assert new.ask(cookie=cookie).json() == {"user": "ada", "fields": ADA}


def test_what_has_ended_stays_ended(new: New) -> None:
    """After a logout or a revocation the old cookie is worth nothing, however often it is shown."""
    cookie = old_cookie(ADA)
    token = given(new.ask(cookie=cookie))
    out = new.ask("/logout", "POST", cookie=f"{OURS}={token}; {cookie}")
    assert deletes(out, OURS)
    assert deletes(out, "session")
    assert new.ask(cookie=cookie).json()["user"] is None
    asyncio.run(new.manager.purge())
    assert new.ask(cookie=cookie).json()["user"] is None
    other = old_cookie({"user_id": "eve"})
    new.ask(cookie=other)
    asyncio.run(new.manager.revoke_user("eve"))
    assert new.ask(cookie=other).json()["user"] is None


def test_a_cookie_that_was_left_beside_a_dead_session_revives_nobody(new: New) -> None:
    """An old server that was still answering may have set another; the browser's logout covers it."""
    token = given(new.ask(cookie=old_cookie(ADA)))
    asyncio.run(new.manager.revoke(token[:22]))
    left = old_cookie({**ADA, "more": 1})
    assert new.ask(cookie=f"{OURS}={token}; {left}").json()["user"] is None


def test_revoke_user_bars_who_has_not_come_yet(new: New) -> None:
    """What was written before is refused, with an event, once; and stays refused."""
    cookie = old_cookie(ADA)
    asyncio.run(new.manager.revoke_user("ada"))
    answers = [new.ask(cookie=cookie) for _ in range(3)]
    assert [answer.json() for answer in answers] == [{"user": None, "fields": {}}] * 3
    assert [event.name for event in new.events].count("login_refused") == 1
    assert new.sessions("ada") == []


def test_a_session_of_ours_comes_first(new: New) -> None:
    """Who is signed in here is not looked at again; the old cookie is not read."""
    ours = given(new.ask(cookie=old_cookie({"user_id": "bob"})))
    new.calls.clear()
    assert new.ask(cookie=f"{old_cookie(ADA)}; {OURS}={ours}").json()["user"] == "bob"
    assert new.calls == ["load"]


def test_a_login_in_the_same_request_is_what_it_asked_for(new: New) -> None:
    """`remember=False` of a login counts, whatever the old cookie was."""
    [line] = [one for one in lines(new.ask("/login/eve", "POST", cookie=old_cookie(ADA))) if one.startswith(OURS)]
    assert "Max-Age" not in line
    assert new.sessions("ada") == []


def test_another_sites_request_exchanges_nothing(new: New) -> None:
    """It is refused before anything is read."""
    answer = new.ask("/logout", "POST", cookie=old_cookie(ADA), **ELSEWHERE)
    assert answer.status_code == 403
    assert new.calls == []


def test_what_nobody_signed_reaches_no_store(new: New) -> None:
    """Forged, cut, doubled, empty, oversized, another key's: a visitor, and not one call."""
    good = old_cookie(ADA).removeprefix("session=")
    payload, stamp, signature = good.split(".")
    hostile = [
        "", ".", "..", "null", "x" * 20_000, "\x00\xff", "é", good[:-3], good[3:], f"{good}.{signature}", '"',
        f"{payload}.{stamp}", f"{payload}.AAAA.{signature}", f"{payload}..{signature}",
        old_cookie(ADA, key="another").removeprefix("session="),
    ]  # fmt: skip
    for value in hostile:
        for name in ("session", "Session", "xsession", "session"):
            answer = new.ask(cookie=f"{name}={value}")
            assert answer.status_code == 200, value
            assert answer.json() == {"user": None, "fields": {}}, value
    assert new.calls == []


def test_another_spelling_of_the_signature_makes_no_second_session(new: New) -> None:
    """base64 has spare bits: the old library takes all spellings, and they are one credential."""
    cookie = old_cookie(ADA)
    first = new.ask(cookie=cookie)
    twin = new.ask(cookie=other_spelling(cookie))
    assert given(twin) == given(first)
    assert new.sessions("ada") == [given(first)[:22]]


def test_of_two_good_cookies_neither_counts(new: New) -> None:
    """One was planted by a sibling host, and nobody knows which. The same one twice is one."""
    cookie = old_cookie(ADA)
    assert new.ask(cookie=f"{cookie}; {old_cookie({'user_id': 'eve'})}").json()["user"] is None
    assert new.ask(cookie=f"{cookie}; session=forged; {cookie}").json()["user"] == "ada"


def test_its_own_time_and_the_periods_end_both_hold() -> None:
    """After `max_age`, and after `until`, it is worth nothing."""
    cookie, clock = old_cookie(ADA), FakeClock(datetime.now(UTC))
    until = datetime.now(UTC) + timedelta(days=20)
    new = New(StarletteCookie(OLD_KEY, until=until), clock=clock)
    clock.advance(timedelta(days=14, minutes=1))
    assert new.ask(cookie=cookie).json()["user"] is None
    new = New(StarletteCookie(OLD_KEY, until=until, max_age=None), clock=clock)
    clock.set(until)
    assert new.ask(cookie=cookie).json()["user"] is None
    clock.advance(-1)
    assert new.ask(cookie=cookie).json()["user"] == "ada"


def test_keys_that_were_changed_are_a_list() -> None:
    """The newest first, as everywhere here."""
    new = New(StarletteCookie(["newer", OLD_KEY], until=soon()))
    assert new.ask(cookie=old_cookie(ADA)).json()["user"] == "ada"


def test_a_session_cookie_stays_one() -> None:
    """`max_age=None` was one that ends with the browser."""
    new = New(StarletteCookie(OLD_KEY, until=soon(), max_age=None))
    [line] = [one for one in lines(new.ask(cookie=old_cookie(ADA, max_age=None))) if one.startswith(OURS)]
    assert "Max-Age" not in line


def test_cookies_are_not_looked_at_for_who_sends_the_header() -> None:
    """The cross-site check is not made for them, so no cookie may count."""
    new = New(StarletteCookie(OLD_KEY, until=soon()), options={"header": "X-Session"})
    assert new.ask(cookie=old_cookie(ADA), x_session="").json()["user"] is None
    assert new.calls == []


def test_a_websocket_moves_too() -> None:
    """The handshake's answer carries the cookie."""

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(str(session_from(websocket).user_id))
        await websocket.close()

    settings: dict[str, Any] = {
        "store": "memory://",
        "namespace": "old-sockets",
        "legacy": [StarletteCookie(OLD_KEY, until=soon())],
    }
    app = Starlette(routes=[WebSocketRoute("/", socket)], middleware=[Middleware(Ours, **settings)])
    with (
        TestClient(app) as client,
        client.websocket_connect("/", headers={"cookie": old_cookie(ADA), "origin": "http://testserver"}) as open_,
    ):
        assert open_.receive_text() == "ada"


def test_what_contradicts_itself_does_not_start() -> None:
    """A period that outlives what revoke_user remembers, one without a time zone, and what is no source."""
    short = Policy(idle_timeout=None, absolute_timeout=timedelta(days=6))
    with pytest.raises(ConfigurationError, match="absolute_timeout"):
        New(StarletteCookie(OLD_KEY, until=soon()), policy=short).ask()
    with pytest.raises(ConfigurationError, match="time zone"):
        StarletteCookie(OLD_KEY, until=datetime(2026, 1, 1))  # noqa: DTZ001 (that is the mistake)
    with pytest.raises(ConfigurationError, match="sources such as"):
        New(OLD_KEY).ask()
    assert OLD_KEY not in repr(StarletteCookie(OLD_KEY, until=soon()))


def test_a_period_that_is_over_is_said_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    """So that the old key does not stay in the settings for ever."""
    New(StarletteCookie(OLD_KEY, until=datetime(2020, 1, 1, tzinfo=UTC))).ask()
    assert any("its period is over" in message for message in caplog.messages)


def test_nothing_is_read_after_the_period() -> None:
    """Though the cookie would be good for another week: the end that was stated is one."""
    cookie, clock = old_cookie(ADA), FakeClock(datetime.now(UTC))
    new = New(StarletteCookie(OLD_KEY, until=soon()), clock=clock)
    clock.advance(timedelta(days=7, minutes=1))
    assert new.ask(cookie=cookie).json()["user"] is None
    assert new.calls == []


def test_a_token_of_ours_is_shown_to_no_old_store() -> None:
    """Under one name both are looked at; ours, live or dead, is a credential that nobody else is to log."""
    asked: list[str] = []

    class Noted(Source):
        def find(self, text: str, now: float) -> None:
            asked.append(text)

    new = New(Noted(until=soon(), user="user", cookie=OURS), StarletteCookie(OLD_KEY, until=soon()))
    token = given(new.ask(cookie=old_cookie({"cart": [1]})))
    new.ask(cookie=f"{OURS}={token}")
    new.ask(cookie=f"{OURS}={token}; {OURS}=theirs")
    assert asked == ["theirs"]


def test_ten_requests_at_once_get_one_session(tmp_path: Path) -> None:
    """Over a store on threads, where they do overlap."""
    manager = AsyncSessionManager(f"sqlite:///{tmp_path}/sessions.db")
    middleware = Middleware(Ours, manager, legacy=[StarletteCookie(OLD_KEY, until=soon())])
    app, cookie = Starlette(routes=ROUTES, middleware=[middleware]), old_cookie(ADA)

    async def run() -> tuple[set[str], int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://app.example") as client:
            asked = [client.get("/me", headers={"cookie": cookie}) for _ in range(10)]
            answers = await asyncio.gather(*asked)
        assert [answer.json()["user"] for answer in answers] == ["ada"] * 10
        sessions = await manager.sessions("ada")
        await manager.aclose()
        return {given(answer) for answer in answers}, len(sessions)

    tokens, sessions = asyncio.run(run())
    assert (len(tokens), sessions) == (1, 1)


def test_a_token_that_is_a_jwt_serves_as_well() -> None:
    """`token_format="jwt"`: another spelling of the same reference."""
    new, cookie = New(StarletteCookie(OLD_KEY, until=soon()), token_format="jwt"), old_cookie(ADA)
    first = new.ask(cookie=cookie)
    assert given(first).count(".") == 2
    assert given(first) == given(new.ask(cookie=cookie))
    assert new.ask(cookie=f"{OURS}={given(first)}").json()["user"] == "ada"
    assert len(new.sessions("ada")) == 1
