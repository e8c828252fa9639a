"""What a request costs and what its response says: one load at most, and headers exactly where they belong."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from coatcheck import AsyncSessionManager, Policy, Session, SessionManager
from coatcheck.errors import ConfigurationError
from coatcheck.exchange import Front as Front_
from coatcheck.integrations.asgi import SessionMiddleware, manager_from, session_from
from coatcheck.integrations.asgi_visit import Visit
from coatcheck.keyring import Keyring
from coatcheck.token import new_handle, new_secret, sign
from tests.integrations.front import KEY, NAME, Front, cookie, set_cookies, token_in, vary


async def shows(session: Session, request: Request) -> str:
    """A page that reads the session."""
    return f"{session.user_id} {sorted(session)}"


async def looks_away(session: Session, request: Request) -> str:
    """A page that does not."""
    return "the same for everybody"


# -- what it costs -------------------------------------------------------------------------------------------


async def test_a_visitor_costs_no_store_call_and_gets_no_cookie(front: Front) -> None:
    """8: bots and health checks leave no rows, whatever the page reads."""
    for handler in (shows, looks_away):
        response = await front.browser(front.app(handler)).get("/")
        assert response.status_code == 200
        assert set_cookies(response) == []
    assert front.calls == []
    assert await front.sessions() == 0


async def test_a_forged_token_never_reaches_the_store(front: Front) -> None:
    """ASVS 7.2.1: garbage, and a token of the right shape under another key."""
    other = Keyring("another key that guards nothing either", namespace="coatcheck")
    forged = sign(other, new_handle(None), new_secret(0))
    mine = await front.signed_in()
    flipped = ("B" if mine[0] == "A" else "A") + mine[1:]
    browser = front.browser(front.app(shows))
    for token in (forged, flipped, mine[:-1], mine + "a", "x", ""):
        response = await browser.get("/", headers=cookie(token))
        assert response.text == "None []"
        assert set_cookies(response) == []
    assert front.calls == []


async def test_a_planted_token_is_never_adopted(front: Front) -> None:
    """5: a token that a server with our key might have issued, but did not, gets a fresh session in its place."""
    planted = sign(Keyring(KEY, namespace="coatcheck"), new_handle(None), new_secret(0))

    async def writes(session: Session, request: Request) -> str:
        session["cart"] = 1
        return "written"

    response = await front.browser(front.app(writes)).get("/", headers=cookie(planted))
    assert token_in(response)[:22] != planted[:22]
    assert not await front.lives(planted)


async def test_reading_costs_one_read_and_no_write(front: Front) -> None:
    """7: a read-only request of a live session, and no Set-Cookie."""
    token = await front.signed_in(cart=[1])
    browser = front.browser(front.app(shows))
    response = await browser.get("/", headers=cookie(token))
    assert response.text == "7 ['cart']"
    assert front.calls == ["load"]
    assert set_cookies(response) == []
    assert "cache-control" not in response.headers


async def test_a_touch_is_one_write_and_throttled(front: Front) -> None:
    """7: at most every idle/10, and it sets no cookie."""
    front = Front(front.flavour, policy=Policy(rotation_interval=None))
    token = await front.signed_in()
    browser = front.browser(front.app(looks_away))
    front.clock.advance(14 * 86400 / 10 - 61)
    await browser.get("/", headers=cookie(token))
    front.calls.clear()
    front.clock.advance(14 * 86400 / 10)
    for _ in range(3):
        assert set_cookies(await browser.get("/", headers=cookie(token))) == []
    assert front.calls == ["load", "commit", "load", "load"]


async def test_writing_costs_one_read_and_one_write(front: Front) -> None:
    """Whatever the handler does how often, it is committed once."""

    async def writes(session: Session, request: Request) -> str:
        for number in range(10):
            session["cart"] = [*session.get("cart", []), number]
        return "written"

    token = await front.stored(cart=[])
    await front.browser(front.app(writes)).get("/", headers=cookie(token))
    assert front.calls == ["load", "commit"]
    assert await front.fields(token) == {"cart": list(range(10))}


async def test_an_excluded_path_has_no_session_and_costs_nothing(desk: Front) -> None:
    """Exact paths, and prefixes that end with a slash; a look-alike is not one of them."""
    token = await desk.signed_in()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse(str("session" in scope))(scope, receive, send)

    browser = desk.browser(SessionMiddleware(app, desk.manager, exclude=["/health", "/static/"]))
    for path in ("/health", "/static/", "/static/a.css"):
        response = await browser.get(path, headers=cookie(token))
        assert response.text == "False"
        assert vary(response) == set()
    assert desk.calls == []
    for path in ("/health/", "/healthy", "/static", "/a/static/"):
        assert (await browser.get(path, headers=cookie(token))).text == "True"


# -- what its response says ----------------------------------------------------------------------------------


async def test_vary_cookie_exactly_when_the_session_was_looked_at(front: Front) -> None:
    """8: a cache may keep what is the same for everybody, and nothing else."""

    async def handler(session: Session, request: Request) -> Response:
        match request.url.path:
            case "/get":
                session.get("cart")
            case "/user":
                assert session.user_id is None
            case "/new":
                session["cart"] = 1
        return PlainTextResponse("", headers={"vary": "Accept"})

    browser = front.browser(front.app(handler))
    assert vary(await browser.get("/")) == {"accept"}
    for path in ("/get", "/user", "/new"):
        assert vary(await browser.get(path)) == {"accept", "cookie"}
    # With a session, too, only looking counts: the page does not differ by it.
    assert vary(await browser.get("/")) == {"accept"}


async def test_no_store_comes_with_every_set_cookie_in_place_of_the_applications_own(front: Front) -> None:
    """8: a cache that kept the response would hand the session to the next visitor."""

    async def handler(session: Session, request: Request) -> Response:
        match request.url.path:
            case "/in":
                session.login("7")
            case "/out":
                session.logout()
        return PlainTextResponse("", headers={"Cache-Control": "public, max-age=600", "ETag": '"1"'})

    browser = front.browser(front.app(handler))
    for path in ("/in", "/out"):
        response = await browser.get(path)
        assert len(set_cookies(response)) == 1
        assert response.headers.get_list("cache-control") == ["no-store"]
        assert response.headers["etag"] == '"1"'
    assert (await browser.get("/")).headers["cache-control"] == "public, max-age=600"


async def test_the_cookie_is_what_the_design_says(front: Front) -> None:
    """ASVS 3.3.1-4: `__Host-`, Secure, HttpOnly, SameSite=Lax, Path=/, a fixed Max-Age; under 100 bytes of token."""

    async def handler(session: Session, request: Request) -> str:
        session.login("7")
        session["big"] = "x" * 10_000
        return "in"

    (header,) = set_cookies(await front.browser(front.app(handler)).get("/"))
    pattern = rf"{NAME}=[\w.-]{{50,99}}; Max-Age=2592000; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert re.fullmatch(pattern, header)


async def test_other_set_cookies_of_the_application_stay(front: Front) -> None:
    """Ours is one more; nothing of the application's is lost."""

    async def handler(session: Session, request: Request) -> Response:
        session["cart"] = 1
        response = PlainTextResponse("")
        response.set_cookie("theme", "dark")
        return response

    response = await front.browser(front.app(handler)).get("/")
    assert sorted(header.partition("=")[0] for header in set_cookies(response)) == [NAME, "theme"]


# -- finding it ----------------------------------------------------------------------------------------------


async def test_session_and_manager_are_found_from_scope_and_request(front: Front) -> None:
    """The same objects by every way; a request without the middleware is told what is missing."""

    async def handler(session: Session, request: Request) -> str:
        assert session_from(request) is session_from(request.scope) is request.session is session
        assert manager_from(request) is manager_from(request.scope) is front.manager
        return "found"

    app = front.app(handler)
    assert (await front.browser(app).get("/")).text == "found"
    assert manager_from(app) is front.manager
    for find in (session_from, manager_from):
        with pytest.raises(ConfigurationError, match="add SessionMiddleware"):
            find({"type": "http"})


async def test_an_inner_middleware_leaves_the_work_to_the_outer(desk: Front) -> None:
    """Two of them, by mistake or in a mounted application, are as one."""
    inner = SessionMiddleware(desk.app(shows), desk.manager)
    token = await desk.signed_in()
    response = await desk.browser(SessionMiddleware(inner, desk.manager)).get("/", headers=cookie(token))
    assert response.text == "7 []"
    assert desk.calls == ["load"]
    assert response.headers.get_list("vary") == ["Cookie"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"csrf": "on"}, "one of origin, token, report, off"),
        ({"store": "memory://", "manager": AsyncSessionManager("memory://")}, "store: belong to the manager"),
        ({"manager": SessionManager("memory://")}, "needs an AsyncSessionManager"),
        ({"exclude": ["static/"]}, "a path starts with '/'"),
        ({"public_paths": ["about"]}, "a path starts with '/'"),
        ({"csrf_exempt": ["hook"]}, "csrf_exempt: 'hook' is not a path"),
        ({"csrf_exempt": "/hook"}, "Give a list"),
        ({"trusted_origins": "https://app.example"}, "Give a list"),
        ({"trusted_origins": ["app.example"]}, "scheme://host"),
        ({"trusted_origins": ["https://app.example/"]}, "scheme://host"),
        ({"trusted_origins": ["https://*.example"]}, "scheme://host"),
        ({"header": "Cookie"}, "browsers send that one"),
        ({"header": "Authorization"}, "browsers send that one"),
        ({"header": "Content-Type"}, "browsers send that one"),
        ({"header": "Sec-Session"}, "browsers send that one"),
        ({"header": "X Session"}, "a header's name"),
        ({"header": "X-Séssion"}, "a header's name"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_the_start(settings: dict[str, Any], says: str) -> None:
    """Not at the first attack."""
    given = {"manager": AsyncSessionManager("memory://")} | settings
    if "store" in settings:
        given = settings

    async def app(*_: Any) -> None: ...

    with pytest.raises(ConfigurationError, match=re.escape(says)):
        SessionMiddleware(app, **given)


# -- what surrounds it ---------------------------------------------------------------------------------------


async def test_a_header_that_comes_a_hundred_thousand_times_costs_its_bytes(front: Front) -> None:
    """12: joined in one go; one by one they take a time that grows with the square, and hold up everybody."""
    names = {b"cookie": 2, b"x-many": 100_000, b"x-few": 1}
    scope = {"type": "http", "method": "GET", "path": "/", "scheme": "https"}
    headers = [(name, b"v%d" % number) for name, count in names.items() for number in range(count)]
    work = Counter[int]()

    class Piece(bytes):
        def __add__(self, other: Any) -> bytes:
            work[0] += len(self)
            return Piece(bytes(self) + bytes(other))

    pairs = [(name, Piece(value)) for name, value in headers]
    visit = Visit(front.app(shows), Front_(front.manager), {**scope, "headers": pairs}, None, None)  # type: ignore[arg-type]
    assert visit.headers[b"cookie"] == b"v0; v1"
    assert visit.headers[b"x-many"].count(b", ") == 99_999
    assert visit.headers[b"x-few"] == b"v0"
    assert work[0] == 0


@pytest.mark.parametrize("inner", [{"csrf": "token"}, {"manager": None}], ids=["csrf", "manager"])
async def test_two_middlewares_that_disagree_are_named(front: Front, inner: dict[str, Any]) -> None:
    """14: whoever set up a stricter one inside must not go on in the belief that it counts."""
    settings = {"manager": front.manager} | inner
    if settings["manager"] is None:
        settings["manager"] = AsyncSessionManager("memory://", secret=KEY, namespace="other")

    async def nobody(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("it was let through")

    app = SessionMiddleware(SessionMiddleware(nobody, **settings), front.manager)
    with pytest.raises(ConfigurationError, match="one around the other"):
        await front.browser(app).get("/")


async def test_the_same_middleware_twice_is_harmless(front: Front) -> None:
    """A mounted application may bring what the outer one has."""
    app = SessionMiddleware(front.app(shows), front.manager)
    token = await front.signed_in()
    assert (await front.browser(app).get("/", headers=cookie(token))).text == "7 []"
    assert front.calls == ["load"]


async def test_a_cookie_is_in_no_caches_hands_whatever_it_obeys(front: Front) -> None:
    """8: a cache in front may listen to a header of its own before Cache-Control (RFC 9213)."""

    async def signs_in(session: Session, request: Request) -> Response:
        session.login("7")
        rules = {"CDN-Cache-Control": "max-age=60", "Surrogate-Control": "max-age=60", "Cache-Control": "public"}
        return PlainTextResponse("in", headers=rules)

    response = await front.browser(front.app(signs_in)).get("/")
    assert token_in(response)
    assert {name: value for name, value in response.headers.items() if "control" in name} == {
        "cache-control": "no-store"
    }
