"""12: whatever the network sends gives an anonymous session or a clear 4xx, in bounded time and memory."""

from __future__ import annotations

import random
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from coatcheck import Session
from coatcheck.integrations.asgi import SessionMiddleware
from coatcheck.integrations.gate import TicketGate
from tests.integrations.front import NAME, Front

NAME_BYTES = NAME.encode()
HOSTILE = [
    b"",
    b"\xff\xfe\x00",
    b"\xc3\xa9" * 39,
    b"." * 86,
    b"A" * 22 + b"." + b"A" * 30 + b"." + b"0" * 32,
    b"a" * 65_536,
    b"a=" * 32_768,
    b"; ".join([b"%s=%d" % (NAME_BYTES, n) for n in range(4_000)]),
    b'"; ' + NAME_BYTES + b'="',
    b"\r\nSet-Cookie: a=b",
    b"eyJhbGciOiJub25lIn0.eyJzdWIiOiI3In0.",
    b"../../etc/passwd",
    b"'; DROP TABLE coatcheck_sessions; --",
]


async def shows(session: Session, request: Request) -> str:
    """A page that reads the session."""
    return f"{session.user_id} {dict(session)} {session.ended_reason}"


async def raw(app: Any, method: str = "GET", body: bytes = b"", **parts: Any) -> tuple[int, bytes]:
    """Status and body for a request that no client library would send."""
    answer: list[Any] = []
    scope = {
        "type": "http",
        "method": method,
        "path": "/",
        "scheme": "https",
        "query_string": b"",
        "headers": [],
    } | parts

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        answer.append(message)

    await app(scope, receive, send)
    return answer[0]["status"], b"".join(message.get("body", b"") for message in answer)


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value[:20]))
async def test_a_hostile_cookie_is_a_visitor(front: Front, value: bytes) -> None:
    """Garbled, huge, not UTF-8: no store call, no cookie, no error."""
    for header in (value, NAME_BYTES + b"=" + value):
        answer = await raw(front.app(shows), headers=[(b"cookie", header)])
        assert answer == (200, b"None {} None")
    assert front.calls == []


async def test_every_truncation_and_every_flipped_character_of_a_token_is_a_visitor(desk: Front) -> None:
    """The tag covers every character: a token has one spelling."""
    token = (await desk.signed_in()).encode()
    app = desk.app(shows)
    for at in range(len(token)):
        flipped = bytes([token[at] ^ 1])
        for value in (token[:at], token[:at] + token[at + 1 :], token[:at] + flipped + token[at + 1 :]):
            headers = [(b"cookie", NAME_BYTES + b"=" + value)]
            assert await raw(app, headers=headers) == (200, b"None {} None"), value
    assert desk.calls == []


@pytest.mark.parametrize("csrf", ["origin", "token"])
async def test_random_headers_and_bodies_never_break_a_request(desk: Front, csrf: Any) -> None:
    """Bytes that a fuzzer would send, in every header that is read, and in forms."""
    chance = random.Random(csrf)
    token = (await desk.signed_in()).encode()
    app = desk.app(shows, csrf=csrf, header="X-Session", csrf_exempt=["/exempt"], trusted_origins=["https://b.example"])
    names = [b"host", b"origin", b"sec-fetch-site", b"content-type", b"x-coatcheck-csrf", b"accept", b"user-agent"]
    kinds = [b"multipart/form-data; boundary=x", b"application/x-www-form-urlencoded", b"multipart/form-data"]
    for _ in range(300):
        headers = [(name, chance.randbytes(chance.randrange(40))) for name in names if chance.random() < 0.5]
        headers.append((b"cookie", NAME_BYTES + b"=" + token))
        headers.append((b"content-type", chance.choice(kinds)))
        if chance.random() < 0.2:
            headers.append((b"x-session", chance.randbytes(90)))
        body = b"--x\r\n" + chance.randbytes(200) + b"_csrf=" + chance.randbytes(86)
        method = chance.choice(["GET", "POST", "DELETE", "BREW"])
        parts = {"path": "/\udcff", "raw_path": chance.randbytes(20), "headers": headers}
        status, _body = await raw(app, method, body, **parts)
        assert status in (200, 403)


@pytest.mark.parametrize(
    "origin", [b"null", b"https://[::1", b"//", b"https://a b", b"\xff", b"a" * 60_000, b"<script>"]
)
async def test_a_hostile_origin_is_refused_and_never_echoed_raw(desk: Front, origin: bytes) -> None:
    """The 403's page quotes what it was sent only where that is harmless."""
    headers = [(b"host", b"app.example"), (b"origin", origin), (b"accept", b"text/html")]
    status, page = await raw(desk.app(shows), "POST", headers=headers)
    assert status == 403
    assert len(page) < 2000
    assert b"<script>" not in page
    assert all(len(event.detail["why"]) < 1000 for event in desk.told("csrf_refused"))


@pytest.mark.parametrize("host", [b"", b"\xff", b"a" * 60_000, b"a, b", b"[::1", b"evil.example@app.example"])
async def test_a_hostile_host_refuses_other_origins_all_the_same(desk: Front, host: bytes) -> None:
    """No Host that is not one equals any Origin."""
    for origin in (b"https://app.example", b"https://" + host, b""):
        status, _ = await raw(desk.app(shows), "POST", headers=[(b"host", host), (b"origin", origin)])
        assert status == 403


@pytest.mark.parametrize("value", [*HOSTILE, b"%ff%fe", b"%", b"&" * 5000], ids=lambda value: repr(value[:20]))
async def test_a_hostile_ticket_is_refused_as_such(desk: Front, value: bytes) -> None:
    """In the query and in a form: 403, and never an error."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("the file")(scope, receive, send)

    gate = SessionMiddleware(TicketGate(app), desk.manager)
    assert (await raw(gate, query_string=b"ticket=" + value))[0] == 403
    assert (await raw(gate, query_string=value))[0] == 403
    form = [(b"content-type", b"application/x-www-form-urlencoded")]
    assert (await raw(gate, "POST", b"ticket=" + value, headers=form))[0] == 403
    assert desk.calls == []
