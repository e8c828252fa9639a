"""6: a secret steps to its successor without a request noticing, and a copied one ends the session."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request

from coatcheck import Session
from tests.integrations.front import KEY, NAVIGATION, POLL, Front, cookie, set_cookies, token_in

DAY = 86_400


async def shows(session: Session, request: Request) -> str:
    """A page that says who it is for, or why it is for nobody."""
    return str(session.user_id or session.ended_reason)


async def test_a_day_old_secret_is_followed_by_the_next_with_a_cookie(front: Front) -> None:
    """The handle stays: lists, tickets and audit lines go on meaning this session."""
    old = await front.signed_in("7", cart=1)
    front.clock.advance(DAY)
    response = await front.browser(front.app(shows)).get("/", headers=cookie(old))
    new = token_in(response)
    assert response.text == "7"
    assert new[:22] == old[:22]
    assert new[23:] != old[23:]
    assert response.headers["cache-control"] == "no-store"
    assert await front.fields(new) == {"cart": 1}


async def test_of_a_burst_one_request_steps(front: Front) -> None:
    """A page's twenty requests with one old cookie: all are served, and one cookie is set."""
    token = await front.signed_in("7")
    front.clock.advance(DAY)
    browser = front.browser(front.app(shows))
    gate = asyncio.Event()

    async def waits(session: Session, request: Request) -> str:
        await gate.wait()
        return str(session.user_id)

    browser = front.browser(front.app(waits))
    burst = [asyncio.create_task(browser.get("/", headers=cookie(token))) for _ in range(20)]
    await asyncio.sleep(0)
    gate.set()
    answers = await asyncio.gather(*burst)
    assert {answer.text for answer in answers} == {"7"}
    assert sum(len(set_cookies(answer)) for answer in answers) == 1


async def test_a_failed_rotation_step_is_made_up_for(front: Front) -> None:
    """16: a 500 sets no cookie, so the old secret must stay the current one."""
    token = await front.signed_in("7")
    front.clock.advance(DAY)

    async def fails(session: Session, request: Request) -> int:
        return 500

    response = await front.browser(front.app(fails)).get("/", headers=cookie(token))
    assert set_cookies(response) == []
    assert len(set_cookies(await front.browser(front.app(shows)).get("/", headers=cookie(token)))) == 1


async def test_a_browser_that_lost_the_response_goes_on(front: Front) -> None:
    """A crash before the cookie jar was saved: the old secret is good until the new one has settled."""
    old = await front.signed_in("7")
    browser = front.browser(front.app(shows))
    front.clock.advance(DAY)
    lost = token_in(await browser.get("/", headers=cookie(old)))
    front.clock.advance(3600)
    response = await browser.get("/", headers=cookie(old))
    assert response.text == "7"
    assert token_in(response) != lost


@pytest.mark.parametrize("victim_first", [True, False])
async def test_a_copied_cookie_ends_the_session_when_it_comes_back(front: Front, victim_first: bool) -> None:
    """Whoever of the two is left behind shows a secret from before a settled one: both are out, with an event."""
    copied = await front.signed_in("7")
    browser = front.browser(front.app(shows))
    front.clock.advance(DAY)
    current = token_in(await browser.get("/", headers=cookie(copied)))
    front.clock.advance(60)
    assert (await browser.get("/", headers=cookie(current))).text == "7"
    front.clock.advance(60)
    response = await browser.get("/", headers=cookie(copied) | (POLL if victim_first else NAVIGATION))
    assert response.text == "stolen"
    assert len(set_cookies(response)) == (0 if victim_first else 1)
    assert (await browser.get("/", headers=cookie(current))).text == "stolen"
    assert [event.reason for event in front.told("ended")] == ["stolen"]


async def test_an_old_key_verifies_and_the_next_cookie_has_the_new_one() -> None:
    """ASVS 7.4.1: keys are rotated without signing anybody out; a retired one is refused without the store."""
    new_key = "a newer key that guards nothing, for tests"
    before = Front()
    token = await before.signed_in("7")
    during = Front(store=before.aside.store, secret=[new_key, KEY], clock=before.clock)
    browser = during.browser(during.app(shows))
    assert (await browser.get("/", headers=cookie(token))).text == "7"
    before.clock.advance(2 * DAY)
    renewed = token_in(await browser.get("/", headers=cookie(token)))
    after = Front(store=before.aside.store, secret=new_key, clock=before.clock)
    browser = after.browser(after.app(shows))
    assert (await browser.get("/", headers=cookie(renewed))).text == "7"
    assert (await browser.get("/", headers=cookie(token))).text == "None"
    assert after.calls == ["load"]
