"""Requests that fail, and requests that come too late: what is kept, what is dropped, what the visitor sees."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from coatcheck import Session
from coatcheck.errors import ReauthenticationRequired, SessionDataError, StoreUnavailable
from tests.integrations.front import Answer, Front, cookie, set_cookies, token_in


def fail(how: str) -> Answer:
    """End a handler in one of the ways that count as failed."""
    if how == "raise":
        raise ZeroDivisionError
    return int(how)


HOW = pytest.mark.parametrize("how", ["raise", "500", "503"])


# -- failed requests -----------------------------------------------------------------------------------------


@HOW
@pytest.mark.parametrize("verb", ["write", "nested", "clear", "login", "rotate", "lifetime"])
async def test_a_failed_request_commits_nothing(front: Front, how: str, verb: str) -> None:
    """16: data, logins and rotations are dropped, and no cookie tells of them."""
    token = await front.signed_in(cart=[1])

    async def handler(session: Session, request: Request) -> Answer:
        match verb:
            case "write":
                session["cart"] = [2]
            case "nested":
                session["cart"].append(2)
            case "clear":
                session.clear()
            case "login":
                session.login("7")
            case "rotate":
                session.rotate()
            case "lifetime":
                session.set_lifetime(absolute=front.clock.now().replace(year=2031))
        return fail(how)

    before = await front.aside.info(token[:22])
    response = await front.browser(front.app(handler), raises=False).get("/", headers=cookie(token))
    assert response.status_code == (500 if how == "raise" else int(how))
    assert set_cookies(response) == []
    assert await front.fields(token) == {"cart": [1]}
    assert await front.aside.info(token[:22]) == before
    assert await front.sessions() == 1


@HOW
async def test_a_logout_in_a_failed_request_happens(front: Front, how: str) -> None:
    """16: whatever went wrong after it, the user asked to be signed out."""
    token = await front.signed_in(cart=[1])

    async def handler(session: Session, request: Request) -> Answer:
        session.logout()
        session["goodbye"] = "flash"
        return fail(how)

    response = await front.browser(front.app(handler), raises=False).get("/", headers=cookie(token))
    assert response.status_code >= 500
    assert not await front.lives(token)
    assert await front.sessions() == 0
    if how != "raise":
        assert token_in(response) == ""


async def test_a_background_task_of_a_failed_response_is_dropped_as_well(front: Front) -> None:
    """16: the request has failed, whatever runs after it."""
    token = await front.stored(cart=1)

    async def handler(session: Session, request: Request) -> Response:
        session["cart"] = 2
        return PlainTextResponse("", 500, background=BackgroundTask(session.update, later=1))

    await front.browser(front.app(handler)).get("/", headers=cookie(token))
    assert await front.fields(token) == {"cart": 1}


async def test_a_refusal_of_the_applications_own_commits(front: Front) -> None:
    """A 4xx is an answer, not a fault: a count of failed sign-ins must be kept."""
    token = await front.stored(failures=1)

    async def handler(session: Session, request: Request) -> Answer:
        session["failures"] += 1
        if request.url.path == "/raised" and front.flavour != "asgi":
            raise HTTPException(403)
        return 403

    browser = front.browser(front.app(handler))
    for path, count in (("/", 2), ("/raised", 3)):
        assert (await browser.get(path, headers=cookie(token))).status_code == 403
        assert await front.fields(token) == {"failures": count}


# -- too late ------------------------------------------------------------------------------------------------


async def test_a_late_write_lets_the_response_out_without_a_cookie(front: Front) -> None:
    """2: logged out in another tab meanwhile; deleting the cookie by name would kill that tab's new login."""
    token = await front.signed_in(cart=1)

    async def handler(session: Session, request: Request) -> str:
        await front.aside.revoke(token[:22], "logout")
        session["cart"] = 2
        return "the page"

    response = await front.browser(front.app(handler)).get("/", headers=cookie(token))
    assert (response.status_code, response.text) == (200, "the page")
    assert set_cookies(response) == []
    assert not await front.lives(token)
    (event,) = front.told("late_write")
    assert (event.handle, event.user_id, event.reason) == (token[:22], "7", "logout")


@pytest.mark.parametrize("accept", ["text/html,*/*", "application/json"])
async def test_a_login_that_a_revocation_overtook_is_answered_401_in_plain_words(front: Front, accept: str) -> None:
    """4: the old password was still being checked while the user's sessions were ended."""
    anonymous = await front.stored(cart=1)

    async def handler(session: Session, request: Request) -> str:
        front.clock.advance(1)
        await front.aside.revoke_user("7")
        session.login("7")
        return "welcome"

    browser = front.browser(front.app(handler))
    response = await browser.post("/login", headers=cookie(anonymous) | {"accept": accept})
    assert response.status_code == 401
    assert "sign in again" in response.text.lower()
    assert "welcome" not in response.text
    assert response.headers["content-type"].startswith("text/html" if "html" in accept else "text/plain")
    assert set_cookies(response) == []
    assert await front.sessions() == 1
    assert await front.fields(anonymous) == {"cart": 1}
    assert [event.user_id for event in front.told("login_refused")] == ["7"]
    front.clock.advance(1)
    assert await front.aside.sessions("7") == []


async def test_a_reset_that_revokes_and_signs_in_keeps_itself(front: Front) -> None:
    """4: `keep=session` spares the session that is about to log in."""
    other = await front.signed_in("7")

    async def handler(session: Session, request: Request) -> str:
        front.clock.advance(1)
        await front.aside.revoke_user("7", keep=session)
        session.login("7")
        return "welcome"

    response = await front.browser(front.app(handler)).post("/reset")
    assert response.status_code == 200
    assert await front.lives(token_in(response))
    assert not await front.lives(other)


async def test_a_store_that_goes_down_inside_of_a_handler_is_a_503(front: Front) -> None:
    """11: the handler's own call of the manager failed: 503, when to come back, and nobody is signed out."""
    token = await front.signed_in()

    async def handler(session: Session, request: Request) -> Answer:
        session["cart"] = [2]
        raise StoreUnavailable("no answer", retry_after=7)

    response = await front.browser(front.app(handler)).get("/", headers=cookie(token))
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")
    assert set_cookies(response) == []
    assert await front.fields(token) == {}


async def test_a_handler_may_ask_for_a_new_sign_in_by_an_exception(front: Front) -> None:
    """`ReauthenticationRequired` is answered 401 wherever it leaves the application; a logout before it happens."""
    token = await front.signed_in(cart=1)

    async def handler(session: Session, request: Request) -> str:
        session["cart"] = 2
        if request.url.path == "/out":
            session.logout()
        raise ReauthenticationRequired("confirm your password <first>")

    browser = front.browser(front.app(handler))
    response = await browser.get("/", headers=cookie(token) | {"accept": "text/html"})
    assert response.status_code == 401
    assert "Confirm your password &lt;first&gt;" in response.text
    assert await front.fields(token) == {"cart": 1}
    assert (await browser.get("/out", headers=cookie(token))).status_code == 401
    assert not await front.lives(token)


# -- values that cannot be stored ----------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["nested", "too large"])
async def test_a_value_that_cannot_be_stored_is_answered_500_and_raised(front: Front, when: str) -> None:
    """10: a mistake in the application; the error names the path, and reaches whoever watches for errors."""
    token = await front.stored(cart=[{}], other=1)

    async def handler(session: Session, request: Request) -> str:
        if when == "nested":
            session["cart"][0]["owner"] = object()
        else:
            session["other"] = 2
            for number in range(3):
                session[f"part{number}"] = "x" * 100_000
        return "stored"

    app = front.app(handler)
    with pytest.raises(SessionDataError) as caught:
        await front.browser(app).get("/", headers=cookie(token))
    assert caught.value.path == ("cart[0].owner" if when == "nested" else "")
    response = await front.browser(app, raises=False).get("/", headers=cookie(token))
    assert response.status_code == 500
    assert "not saved" in response.text
    assert set_cookies(response) == []
    assert await front.fields(token) == {"cart": [{}], "other": 1}


async def test_a_value_that_an_assignment_shows_to_be_wrong_raises_there(front: Front) -> None:
    """10: in the handler, where a debugger shows the line."""

    async def handler(session: Session, request: Request) -> str:
        with pytest.raises(SessionDataError, match=r"cart\[1\]"):
            session["cart"] = [1, object()]
        return str("cart" in session)

    assert (await front.browser(front.app(handler)).get("/")).text == "False"


@pytest.mark.parametrize("value", [{"id": 7}, "x" * 256])
async def test_what_cannot_be_a_user_id_at_commit_is_answered_and_raised_as_it_is(value: Any) -> None:
    """Raised through `send` it would reach nobody as what it is: frameworks turn it into a RuntimeError."""
    front = Front("starlette", user_field="uid")

    async def handler(session: Session, request: Request) -> str:
        session["uid"] = value
        return "stored"

    app = front.app(handler)
    with pytest.raises((TypeError, ValueError), match="a user id"):
        await front.browser(app).get("/")
    response = await front.browser(app, raises=False).get("/")
    assert response.status_code == 500
    assert await front.sessions() == 0
