"""14: requests of other sites are refused before the handler, whatever they carry."""

from __future__ import annotations

import logging
from itertools import product

import pytest
from starlette.requests import Request

from coatcheck import Session
from tests.integrations.front import ELSEWHERE, METHODS, NAVIGATION, ORIGIN, Front, cookie, set_cookies, vary

TRUSTED = "https://front.example"
EXEMPT = "/hook"
PATHS = ["/", EXEMPT, "/hook/", "//hook", "/%68ook", "/hook/../", "/HOOK"]
SITES = [None, "same-origin", "none", "same-site", "cross-site", "", "nonsense", "Same-Origin", "none, cross-site"]
ORIGINS = [
    None,
    ORIGIN,
    ORIGIN + ":443",
    TRUSTED,
    ELSEWHERE,
    "null",
    "",
    "http://app.example",
    ORIGIN + ":444",
    ORIGIN + ".evil.example",
    "https://front.example.evil.example",
    "https://evilfront.example",
    f"{ORIGIN}, {ELSEWHERE}",
]


def passes(method: str, path: str, site: str | None, origin: str | None) -> bool:
    """What the design says, in its order."""
    if method in ("GET", "HEAD", "OPTIONS") or path == EXEMPT or origin == TRUSTED:
        return True
    if site is not None:
        return site in ("same-origin", "none")
    return origin in (None, ORIGIN, ORIGIN + ":443")


def headers_for(site: str | None, origin: str | None) -> dict[str, str]:
    """The headers of one cell of the matrix."""
    given = {"sec-fetch-site": site, "origin": origin}
    return {name: value for name, value in given.items() if value is not None}


async def test_the_whole_matrix(front: Front) -> None:
    """Every method with every Sec-Fetch-Site and Origin: the handler runs exactly where it may."""
    served: list[str] = []

    async def handler(session: Session, request: Request) -> str:
        served.append(request.method)
        return "served"

    browser = front.browser(front.app(handler, trusted_origins=[TRUSTED], csrf_exempt=[EXEMPT]))
    # A framework changes nothing here: with one, every cell but with fewer methods and paths.
    whole = front.flavour == "asgi"
    methods, paths = (METHODS, PATHS) if whole else (["HEAD", "DELETE"], PATHS[:2])
    cells = list(product(methods, paths[:2], SITES, ORIGINS)) + list(product(["POST"], paths, SITES[:5], ORIGINS[:5]))
    for cell in cells:
        method, path, site, origin = cell
        served.clear()
        response = await browser.request(method, path, headers=headers_for(site, origin))
        expected = passes(method, path, site, origin)
        assert (response.status_code, served) == ((200, [method]) if expected else (403, [])), cell
    refused = sum(not passes(*cell) for cell in cells)
    assert len(front.told("csrf_refused")) == refused > 50


@pytest.mark.parametrize("shown", ["no cookie", "a visitor's", "a user's", "garbage"])
async def test_the_cookie_makes_no_difference(front: Front, shown: str) -> None:
    """Also without one: a login form that another site sends would put the victim into the attacker's account."""
    token = {"a visitor's": await front.stored(), "a user's": await front.signed_in(), "garbage": "x"}.get(shown)

    async def login(session: Session, request: Request) -> str:
        session.login("attacker")
        return "welcome"

    browser = front.browser(front.app(login))
    headers = {"sec-fetch-site": "cross-site", "origin": ELSEWHERE} | (cookie(token) if token else {})
    response = await browser.post("/login", headers=headers)
    assert response.status_code == 403
    assert set_cookies(response) == []
    assert front.calls == []
    assert await front.aside.sessions("attacker") == []


@pytest.mark.parametrize(
    ("accept", "kind"), [("text/html,*/*;q=0.8", "text/html"), ("*/*", "text/plain"), (None, "text/plain")]
)
async def test_the_refusals_page_and_log_line_say_what_to_do(
    front: Front, caplog: pytest.LogCaptureFixture, accept: str | None, kind: str
) -> None:
    """E: the visitor learns that nothing was changed, the operator what to set; neither a secret."""
    token = await front.signed_in()

    async def handler(session: Session, request: Request) -> str:
        return "served"

    headers = {"origin": ELSEWHERE} | cookie(token) | ({"accept": accept} if accept else {"accept": ""})
    with caplog.at_level(logging.WARNING, "coatcheck"):
        response = await front.browser(front.app(handler)).post("/pay?ticket=secret", headers=headers)
    assert response.status_code == 403
    assert response.headers["content-type"].startswith(kind)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert vary(response) == {"sec-fetch-site", "origin"}
    assert f"This form came from another site ({ELSEWHERE}); nothing was changed." in response.text
    # A Litestar application in the same process sets the root logger to INFO: httpx and our events are told then, too.
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert f"POST /pay refused: Origin {ELSEWHERE} is not {ORIGIN}." in line
    assert f'trusted_origins=["{ELSEWHERE}"]' in line
    assert "Pass Host on" in line
    assert "secret" not in line
    assert token[23:] not in line
    (event,) = front.told("csrf_refused")
    assert event.reason == "foreign-origin"


async def test_head_and_its_page(front: Front) -> None:
    """A refused TRACE has a body like any other; a HEAD is never refused."""

    async def handler(session: Session, request: Request) -> str:
        return "served"

    browser = front.browser(front.app(handler))
    assert (await browser.head("/", headers={"sec-fetch-site": "cross-site"})).status_code == 200
    assert (await browser.request("TRACE", "/", headers={"sec-fetch-site": "cross-site"})).status_code == 403


async def test_report_lets_through_and_tells(front: Front, caplog: pytest.LogCaptureFixture) -> None:
    """For the first week in production: 200, with the same event and line."""

    async def handler(session: Session, request: Request) -> str:
        session["cart"] = 1
        return "served"

    browser = front.browser(front.app(handler, csrf="report"))
    with caplog.at_level(logging.WARNING, "coatcheck"):
        response = await browser.post("/", headers={"sec-fetch-site": "cross-site", "origin": ELSEWHERE})
    assert response.text == "served"
    assert len(set_cookies(response)) == 1
    assert len(front.told("csrf_refused")) == 1
    assert "refused" in caplog.text


async def test_off_leaves_it_to_somebody_else(front: Front) -> None:
    """Where the application has its own check."""

    async def handler(session: Session, request: Request) -> str:
        return "served"

    browser = front.browser(front.app(handler, csrf="off"))
    assert (await browser.post("/", headers={"sec-fetch-site": "cross-site"})).text == "served"
    assert front.told("csrf_refused") == []


async def test_an_excluded_path_is_checked_too(desk: Front) -> None:
    """No session is needed to do harm; only csrf_exempt exempts."""

    async def handler(session: Session, request: Request) -> str:
        raise AssertionError("served")

    browser = desk.browser(desk.app(handler, exclude=["/api/"]))
    assert (await browser.post("/api/x", headers={"sec-fetch-site": "cross-site"})).status_code == 403


@pytest.mark.parametrize("host", ["app.example", "APP.example", "app.example:443"])
async def test_a_host_is_compared_as_browsers_write_origins(desk: Front, host: str) -> None:
    """In lower case, without the default port."""

    async def handler(session: Session, request: Request) -> str:
        return "served"

    headers = {"host": host, "origin": ORIGIN}
    assert (await desk.browser(desk.app(handler)).post("/", headers=headers)).status_code == 200


async def test_a_navigation_from_elsewhere_is_served(front: Front) -> None:
    """A link on another site is how people come; SameSite=Lax sends the cookie along."""
    token = await front.signed_in()

    async def handler(session: Session, request: Request) -> str:
        return str(session.user_id)

    headers = NAVIGATION | {"sec-fetch-site": "cross-site"} | cookie(token)
    assert (await front.browser(front.app(handler)).get("/", headers=headers)).text == "7"
