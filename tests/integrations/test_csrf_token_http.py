"""14: in "token" mode a session with a user shows its synchroniser token as well."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from coatcheck import Session
from coatcheck.html import csrf_headers, csrf_input
from coatcheck.integrations.asgi import SessionMiddleware
from tests.integrations.front import ELSEWHERE, Front, cookie

MIB = 1024 * 1024


async def handler(session: Session, request: Request) -> Response:
    """A page with a form, and what it posts to."""
    match (request.method, request.url.path):
        case "POST", "/login":
            session.login("7")
        case "POST", "/out":
            session.logout()
        case "POST", _:
            session["posted"] = session.get("posted", 0) + 1
            async with request.form() as form:
                return HTMLResponse(f"{form.get('name')}")
    return HTMLResponse(f"<form method=post>{csrf_input(session)}</form>")


def token_of(response: httpx.Response) -> str:
    """The value of the page's hidden input."""
    found = re.search(r'<input type="hidden" name="_csrf" value="([\w-]{86})">', response.text)
    assert found, response.text
    return found[1]


@pytest.fixture
async def browser(front: Front) -> httpx.AsyncClient:
    """A browser whose user is signed in, behind an application in token mode."""
    browser = front.browser(front.app(handler, csrf="token", csrf_exempt=["/hook"]))
    assert (await browser.post("/login")).status_code == 200
    return browser


async def served(front: Front) -> int:
    """How many posts have reached the handler."""
    (info,) = await front.aside.sessions("7")
    record: Any = await front.aside.store.load(info.handle)
    return int(re.sub(r"\D", "", record.fields) or 0)


async def test_a_form_shows_its_token_in_a_field_or_a_header(front: Front, browser: httpx.AsyncClient) -> None:
    """URL-encoded, multipart, or a script's header; the application gets the whole form."""
    token = token_of(await browser.get("/"))
    name = {"name": "Zo\N{LATIN SMALL LETTER E WITH DIAERESIS} & co"}
    assert (await browser.post("/", data={"_csrf": token} | name)).text == name["name"]
    assert (await browser.post("/", data=name | {"_csrf": token})).text == name["name"]
    file = {"file": ("a.txt", b"--" * 1000)}
    assert (await browser.post("/", data={"_csrf": token} | name, files=file)).text == name["name"]
    assert (await browser.post("/", data=name, headers={"X-Coatcheck-CSRF": token})).text == name["name"]
    assert await served(front) == 4


async def test_without_a_valid_token_the_handler_does_not_run(front: Front, browser: httpx.AsyncClient) -> None:
    """Missing, wrong, in the query, in JSON, or somebody else's: 403, and the counter stays at zero."""
    token = token_of(await browser.get("/"))
    other = await front.aside.load(await front.signed_in("8"))
    requests: list[dict[str, Any]] = [
        {},
        {"data": {"name": "x"}},
        {"data": {"_csrf": ""}},
        {"data": {"_csrf": token[:-1]}},
        {"data": {"_csrf": other.csrf_token}},
        {"data": {"CSRF": token, "csrf_token": token}},
        {"params": {"_csrf": token}},
        {"json": {"_csrf": token}},
        {"content": f"_csrf={token}", "headers": {"content-type": "text/plain"}},
        {"headers": {"X-Coatcheck-CSRF": other.csrf_token}},
        {"headers": {"X-CSRF-Token": token}},
        {"data": {"name": "x"}, "files": {"file": ("a.txt", f'name="_csrf"\r\n\r\n{token}'.encode())}},
    ]
    for request in requests:
        response = await browser.post("/", **request)
        assert response.status_code == 403, request
        assert "nothing was changed" in response.text
    for method in ("PUT", "DELETE", "PATCH", "TRACE"):
        assert (await browser.request(method, "/")).status_code == 403
    assert await served(front) == 0
    reasons = {event.reason for event in front.told("csrf_refused")}
    assert reasons == {"token-missing", "token-wrong"}
    assert all(token not in event.detail["why"] for event in front.events if "why" in event.detail)


async def test_json_with_the_header_is_served(front: Front, browser: httpx.AsyncClient) -> None:
    """A script reads the token from the page, for instance by htmx's attribute."""
    session = await front.aside.load(browser.cookies["__Host-coatcheck"])
    pairs = re.fullmatch(r'\{"([\w-]+)": "([\w-]+)"\}', csrf_headers(session))
    assert pairs
    assert (await browser.post("/", json={}, headers={pairs[1]: pairs[2]})).status_code == 200


async def test_masked_tokens_differ_and_all_are_good(front: Front, browser: httpx.AsyncClient) -> None:
    """BREACH: two renderings never share the text that would be compressed."""
    tokens = [token_of(await browser.get("/")) for _ in range(5)]
    assert len({token[:43] for token in tokens}) == len({token[43:] for token in tokens}) == 5
    for token in tokens:
        assert (await browser.post("/", data={"_csrf": token})).status_code == 200


async def test_a_token_from_before_a_login_is_dead_after_it(front: Front) -> None:
    """ASVS 7.2.4: a token that was planted before the login must not serve after it; nor one from before a logout."""
    browser = front.browser(front.app(handler, csrf="token"))
    visitor = await front.stored()
    browser.cookies.set("__Host-coatcheck", visitor, domain="app.example", path="/")
    before = token_of(await browser.get("/"))
    await browser.post("/login")
    assert (await browser.post("/", data={"_csrf": before})).status_code == 403
    signed_in = token_of(await browser.get("/"))
    await browser.post("/out", data={"_csrf": signed_in})
    await browser.post("/login")
    assert (await browser.post("/", data={"_csrf": signed_in})).status_code == 403


async def test_visitors_and_exempt_paths_need_no_token_but_the_origin_check_stays(front: Front) -> None:
    """A login form must work for a first visitor; another site's login form is refused by its origin."""
    browser = front.browser(front.app(handler, csrf="token", csrf_exempt=["/hook"]))
    assert (await browser.post("/login", headers={"sec-fetch-site": "cross-site"})).status_code == 403
    assert (await browser.post("/login")).status_code == 200
    token = token_of(await browser.get("/"))
    foreign = {"origin": ELSEWHERE, "sec-fetch-site": "cross-site"}
    assert (await browser.post("/", data={"_csrf": token}, headers=foreign)).status_code == 403
    assert (await browser.post("/hook", headers=foreign)).status_code == 200
    assert (await browser.post("/hook/", headers=foreign)).status_code == 403


# -- large bodies --------------------------------------------------------------------------------------------


def multipart(before: bytes, token: str) -> bytes:
    """The beginning of a form with a file, up to the file's first byte."""
    head = b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\n' + before
    field = f'\r\n--x\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\n{token}\r\n'.encode()
    return head + field + b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'


async def upload(front: Front, cookie_token: str, first: bytes, total: int) -> tuple[int, int, int]:
    """Send a form in 64 KiB messages: the status, the bytes that the application got, the most that was held."""
    sent = received = held = 0
    status = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal received, held
        more = True
        while more:
            message = await receive()
            received += len(message["body"])
            held = max(held, sent - received)
            more = message["more_body"]
        await Response(str(received))(scope, receive, send)

    async def receive() -> dict[str, Any]:
        nonlocal sent
        chunk = first if sent == 0 else b"\0" * 65_536
        sent += len(chunk)
        return {"type": "http.request", "body": chunk, "more_body": sent < total}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/", "scheme": "https", "query_string": b""}
    headers = cookie(cookie_token) | {"content-type": "multipart/form-data; boundary=x", "host": "app.example"}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    await SessionMiddleware(app, front.manager, csrf="token")(scope, receive, send)
    if status == 403:
        held = sent
    return status, received, held


async def test_an_upload_behind_its_token_is_never_held_in_memory(desk: Front) -> None:
    """14: 50 MiB stream through; at most the message with the token waits."""
    token = await desk.signed_in()
    first = multipart(b"hello", (await desk.aside.load(token)).csrf_token)
    status, received, held = await upload(desk, token, first, 50 * MIB)
    assert (status, received >= 50 * MIB) == (200, True)
    assert held <= 65_536


@pytest.mark.parametrize("before", [b"", b"x" * 60_000, b"x" * 70_000])
async def test_a_token_counts_in_the_first_64_kib_and_not_behind(desk: Front, before: bytes) -> None:
    """What is refused is refused without reading the rest."""
    token = await desk.signed_in()
    first = multipart(before, (await desk.aside.load(token)).csrf_token)
    status, _, held = await upload(desk, token, first, 5 * MIB)
    assert status == (200 if len(before) < 65_000 else 403)
    assert held < 200_000


async def test_an_upload_without_a_token_is_refused_before_it_has_come(desk: Front) -> None:
    """12: bounded memory, and the client need not send the rest."""
    status, received, read = await upload(desk, await desk.signed_in(), b"--x\r\n", 50 * MIB)
    assert (status, received) == (403, 0)
    assert read < 200_000


async def test_a_body_in_single_bytes_is_found_and_given_on_whole(desk: Front) -> None:
    """However a client cuts its form, the application receives every byte once, in order."""
    token = await desk.signed_in()
    form = f"name=a&_csrf={(await desk.aside.load(token)).csrf_token}&last=z".encode()

    async def echo(session: Session, request: Request) -> Response:
        return Response(await request.body())

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(len(form)):
            yield form[at : at + 1]

    headers = cookie(token) | {"content-type": "application/x-www-form-urlencoded"}
    response = await desk.browser(desk.app(echo, csrf="token")).post("/", content=chunks(), headers=headers)
    assert response.content == form
