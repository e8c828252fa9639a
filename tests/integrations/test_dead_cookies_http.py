"""A cookie whose session has ended: said on a page, deleted there, and left alone everywhere else."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse

from coatcheck import Session
from coatcheck.keyring import Keyring
from coatcheck.token import new_handle, new_secret, sign
from tests.integrations.front import KEY, NAME, NAVIGATION, POLL, Answer, Front, cookie, set_cookies


async def shows(session: Session, request: Request) -> str:
    """A page that reads the session."""
    return f"{session.user_id} {sorted(session)}"


async def test_a_dead_cookie_goes_only_where_a_person_sees_a_page(front: Front) -> None:
    """E: on a navigation with a page, which can say why; a poll could delete another tab's new login."""

    async def handler(session: Session, request: Request) -> Answer:
        if request.url.path == "/moved":
            return RedirectResponse("/")
        return str(session.ended_reason)

    browser = front.browser(front.app(handler))
    token = await front.signed_in()
    await front.aside.revoke(token[:22], "revoked by support")
    for path, headers in (
        ("/", {}),
        ("/", POLL),
        ("/moved", NAVIGATION),
        ("/", NAVIGATION | {"sec-fetch-dest": "iframe"}),
    ):
        assert set_cookies(await browser.get(path, headers=headers | cookie(token))) == []
    response = await browser.get("/", headers=NAVIGATION | cookie(token))
    assert response.text == "revoked by support"
    (header,) = set_cookies(response)
    assert header.startswith(f"{NAME}=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; Secure;")
    assert response.headers["cache-control"] == "no-store"


async def test_a_slow_page_deletes_no_cookie_by_name(desk: Front) -> None:
    """Another tab may have signed in while it was made; the next quick page deletes a cookie that is still dead."""
    slow = [1.0, 0.0]

    async def handler(session: Session, request: Request) -> str:
        desk.clock.advance(slow.pop(0))
        return str(session.ended_reason)

    browser = desk.browser(desk.app(handler))
    token = await desk.signed_in()
    await desk.aside.revoke(token[:22])
    found = [set_cookies(await browser.get("/", headers=NAVIGATION | cookie(token))) for _ in range(2)]
    assert [len(cookies) for cookies in found] == [0, 1]


@pytest.mark.parametrize(("days", "reason"), [(15, "idle"), (31, "absolute")])
async def test_time_that_ran_out_is_told_on_the_page(desk: Front, days: int, reason: str) -> None:
    """7: idle and absolute are told apart; a reader writes no end."""

    async def handler(session: Session, request: Request) -> str:
        return str(session.ended_reason)

    token = await desk.signed_in()
    if reason == "absolute":
        for _ in range(days - 1):
            desk.clock.advance(86400)
            session = await desk.aside.load(token)
            token = (await desk.aside.commit(session)).token or token
        days = 1
    desk.clock.advance(days * 86400)
    response = await desk.browser(desk.app(handler)).get("/", headers=NAVIGATION | cookie(token))
    assert response.text == reason
    assert desk.calls == ["load"]


async def test_an_unknown_or_replaced_token_is_left_alone(front: Front) -> None:
    """5: the old token of a login is merely unknown; a deletion by name would kill the login's new cookie."""
    planted = sign(Keyring(KEY, namespace="coatcheck"), new_handle(None), new_secret(0))
    old = await front.stored()
    session = await front.aside.load(old)
    session.login("7")
    await front.aside.commit(session)
    browser = front.browser(front.app(shows))
    for token in (planted, old):
        response = await browser.get("/", headers=NAVIGATION | cookie(token))
        assert response.text == "None []"
        assert set_cookies(response) == []
