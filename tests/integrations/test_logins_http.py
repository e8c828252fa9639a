"""Logins, logouts and parallel requests, as a browser's tabs and its thief see them."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import pytest
from starlette.requests import Request

from coatcheck import CookieSettings, Session
from tests.integrations.front import NAME, Front, cookie, set_cookies, token_in


async def handler(session: Session, request: Request) -> str:
    """Signs in whom the query names, or out, and says what it has."""
    query = request.query_params
    if user := query.get("login"):
        remember = {"yes": True, "no": False}.get(query.get("remember", ""))
        session.login(
            user, remember=remember, label="laptop", carry=query["carry"].split() if "carry" in query else True
        )
    if "logout" in query:
        session.logout()
    if "set" in query:
        session[query["set"]] = query["to"]
    return f"{session.user_id} {dict(session)}"


async def test_a_login_replaces_the_session_and_carries_its_data(front: Front) -> None:
    """5: a new handle and secret; the old token is merely unknown, and nothing else ends."""
    old = await front.stored(cart=[1])
    browser = front.browser(front.app(handler))
    response = await browser.post("/", params={"login": "7"}, headers=cookie(old))
    new = token_in(response)
    assert response.text == "7 {'cart': [1]}"
    assert new[:22] != old[:22]
    assert new[23:53] != old[23:53]
    assert (await browser.get("/", headers=cookie(old))).text == "None {}"
    assert (await browser.get("/", headers=cookie(new))).text == "7 {'cart': [1]}"
    (info,) = await front.aside.sessions("7")
    assert (info.handle, info.label) == (new[:22], "laptop")
    assert info.client is not None
    assert info.client.ip == "192.0.2.1"


async def test_a_login_over_another_users_session_starts_empty(front: Front) -> None:
    """5: what one user left in a shared browser is not the next one's; the first is signed out."""
    first = await front.signed_in("7", cart=["private"])
    browser = front.browser(front.app(handler))
    response = await browser.post("/", params={"login": "8"}, headers=cookie(first))
    assert response.text == "8 {}"
    assert not await front.lives(first)
    again = await browser.post("/", params={"login": "8", "set": "a", "to": "b"}, headers=cookie(token_in(response)))
    assert again.text == "8 {'a': 'b'}"
    kept = await browser.post("/", params={"login": "8", "carry": "x y"}, headers=cookie(token_in(again)))
    assert kept.text == "8 {}"


async def test_a_logout_ends_the_session_and_drops_its_cookie(front: Front) -> None:
    """ASVS 7.4.1: the deletion has the attributes of the cookie; a copy of it is worth nothing."""
    browser = front.browser(front.app(handler))
    (given,) = set_cookies(await browser.post("/", params={"login": "7", "set": "cart", "to": "1"}))
    copy = browser.cookies[NAME]
    (dropped,) = set_cookies(await browser.post("/", params={"logout": ""}))
    attributes = [header.split("; ")[1:] for header in (given, dropped)]
    assert [name for name in attributes[1] if "=0" not in name and "1970" not in name] == attributes[0][1:]
    assert list(browser.cookies) == []
    assert (await browser.get("/", headers=cookie(copy))).text == "None {}"


async def test_what_is_stored_after_a_logout_is_a_new_visitors(front: Front) -> None:
    """A flash message "you are signed out" gets a session of its own, with nothing of the old one."""
    token = await front.signed_in("7", cart=1)
    browser = front.browser(front.app(handler))
    response = await browser.post("/", params={"logout": "", "set": "flash", "to": "bye"}, headers=cookie(token))
    assert token_in(response)[:22] != token[:22]
    assert await front.fields(token_in(response)) == {"flash": "bye"}
    assert not await front.lives(token)


@pytest.mark.parametrize(("remember", "age"), [("", "Max-Age=2592000"), ("yes", "Max-Age=2592000"), ("no", None)])
async def test_remember_decides_whether_the_cookie_survives_the_browser(
    front: Front, remember: str, age: str | None
) -> None:
    """False: a cookie without Max-Age, which ends with the browser."""
    (header,) = set_cookies(
        await front.browser(front.app(handler)).post("/", params={"login": "7", "remember": remember})
    )
    assert re.findall("Max-Age=[0-9]+", header) == ([age] if age else [])
    assert "Expires" not in header


@pytest.mark.parametrize("token_format", ["signed", "jwt"])
async def test_nothing_secret_is_ever_logged(caplog: pytest.LogCaptureFixture, token_format: Any) -> None:
    """ASVS 16.2.5: a whole visit at the most talkative level; handles identify, and are no credential."""
    caplog.set_level(logging.DEBUG)
    front = Front("starlette", token_format=token_format, cookie=CookieSettings(name="id"))
    browser = front.browser(front.app(handler, csrf="token"))
    secrets = []
    for query in ({"set": "password", "to": "hunter2"}, {"login": "7"}, {"login": "7"}, {"logout": ""}):
        headers = {}
        if "__Host-id" in browser.cookies:
            token = browser.cookies["__Host-id"]
            session = await front.aside.load(token)
            headers = {"x-coatcheck-csrf": session.csrf_token}
            secrets += [session.csrf_token, *(part for part in token.split(".") if part != session.handle)]
        assert (await browser.post("/", params=query, headers=headers)).status_code == 200
    assert len(secrets) >= 9
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("coatcheck"))
    assert "authenticated" in ours
    for secret in [*secrets, "hunter2"]:
        assert secret not in ours


# -- at the same time ----------------------------------------------------------------------------------------


async def overlapping(front: Front, token: str, *queries: dict[str, str]) -> list[Any]:
    """Requests that have all read the session before any of them commits."""
    arrived = 0
    everybody = asyncio.Event()

    async def waits(session: Session, request: Request) -> str:
        nonlocal arrived
        arrived += 1
        if arrived == len(queries):
            everybody.set()
        await everybody.wait()
        return await handler(session, request)

    browser = front.browser(front.app(waits))
    return await asyncio.gather(*(browser.post("/", params=query, headers=cookie(token)) for query in queries))


async def test_parallel_requests_keep_each_others_fields(front: Front) -> None:
    """1: every other library loses one of them."""
    token = await front.stored(cart=1)
    await overlapping(front, token, *({"set": f"field{number}", "to": "x"} for number in range(20)))
    assert await front.fields(token) == {"cart": 1} | {f"field{number}": "x" for number in range(20)}


async def test_a_slow_request_does_not_undo_a_logout(front: Front) -> None:
    """2: whichever commits last; every response goes out, and only the logout's touches the cookie."""
    token = await front.signed_in("7")
    answers = await overlapping(front, token, {"set": "a", "to": "1"}, {"logout": ""}, {"set": "b", "to": "2"})
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [len(set_cookies(answer)) for answer in answers] == [0, 1, 0]
    assert not await front.lives(token)
    assert await front.sessions() == 0


async def test_what_is_written_beside_a_login_comes_along_or_is_told(front: Front) -> None:
    """5: a basket filled in another tab during the login is in the new session, or reported as late."""
    token = await front.stored(cart=1)
    answers = await overlapping(front, token, {"set": "beside", "to": "x"}, {"login": "7"})
    assert [answer.status_code for answer in answers] == [200, 200]
    fields = await front.fields(token_in(answers[1]))
    assert fields == {"cart": 1, "beside": "x"} or len(front.told("late_write")) == 1
    assert await front.sessions() == 1


async def test_a_double_submitted_login_leaves_a_browser_that_is_signed_in(front: Front) -> None:
    """B: two sessions, the last cookie wins, and both are in the user's list."""
    token = await front.stored(cart=1)
    answers = await overlapping(front, token, {"login": "7"}, {"login": "7"})
    assert all([await front.lives(token_in(answer)) for answer in answers])
    assert len(await front.aside.sessions("7")) == 2
