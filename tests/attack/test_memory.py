"""12: ten thousand hostile requests of each kind leave memory as it was, and none holds more than it should.

Counted in bytes and objects that Python's allocator has handed out, never in time.
"""

from __future__ import annotations

import gc
import logging
import random
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from coatcheck import jwt_token, token
from coatcheck.csrf import SCAN_LIMIT
from coatcheck.integrations.asgi import SessionMiddleware
from coatcheck.integrations.gate import TicketGate
from coatcheck.keyring import Keyring
from coatcheck.passage import MAX_FORM
from tests.forge import part, signed
from tests.integrations.front import NAME, Front

REQUESTS = 10_000
WARM = 1_500
"""Requests before the count: caches of regular expressions, keys and code fill once."""
SLACK = 16_384
"""Bytes by which memory may differ after all requests: under two for each."""
OBJECTS = 50
"""Objects by which the collector's count may differ."""

Headers = list[tuple[bytes, bytes]]
Hostile = Callable[[random.Random, "Stand"], tuple[str, Headers, list[bytes], bytes]]


class Stand:
    """A whole application in front of the requests: the middleware, a gate, and a page that reads the session."""

    def __init__(self, csrf: Any = "token") -> None:
        self.front = Front(namespace="coatcheck")
        self.front.events = []
        self.front.manager._events._subscribers = self.front.manager._events._subscribers[:1]
        self.other = Keyring("another key that signs nothing of ours", namespace="coatcheck")
        self.token = b""
        self.ticket = ""
        gate = TicketGate(self._page)
        self.app = SessionMiddleware(self._route, self.front.manager, csrf=csrf, header="X-Session")
        self.gate = gate

    async def prepare(self) -> None:
        """A session and a ticket that the attacker may well have."""
        self.token = (await self.front.signed_in()).encode()
        session = await self.front.aside.load(self.token.decode())
        self.ticket = await self.front.aside.tickets.issue("download", {"file": "a"}, session=session)

    async def _route(self, scope: Any, receive: Any, send: Any) -> None:
        await (self.gate if scope["path"] == "/gate" else self._page)(scope, receive, send)

    async def _page(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["session"].user_id in (None, "7")
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    async def request(self, method: str, headers: Headers, chunks: list[bytes], query: bytes) -> int:
        """The status of one answer."""
        statuses: list[int] = []
        scope = {
            "type": "http",
            "method": method,
            "path": "/gate" if query or b"ticket" in chunks[0][:6] else "/",
            "raw_path": b"/",
            "scheme": "https",
            "query_string": query,
            "headers": headers,
        }
        at = iter(chunks)
        left = len(chunks)

        async def receive() -> dict[str, Any]:
            nonlocal left
            left -= 1
            return {"type": "http.request", "body": next(at, b""), "more_body": left > 0}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await self.app(scope, receive, send)
        return statuses[0]


def _cookie(value: bytes) -> tuple[bytes, bytes]:
    return b"cookie", NAME.encode() + b"=" + value


def garbled_cookies(chance: random.Random, stand: Stand) -> tuple[str, Headers, list[bytes], bytes]:
    """Bits flipped, cut, doubled, or any bytes at all."""
    value = bytearray(stand.token)
    value[chance.randrange(len(value))] ^= 1 << chance.randrange(8)
    kinds = [bytes(value), stand.token[: chance.randrange(86)], chance.randbytes(chance.randrange(200)), b"; a=b" * 50]
    return "GET", [_cookie(chance.choice(kinds)), _cookie(chance.choice(kinds))], [b""], b""


def forged_tokens(chance: random.Random, stand: Stand) -> tuple[str, Headers, list[bytes], bytes]:
    """Well formed and signed with a key that is not ours, a fresh one each time, in both formats and both places."""
    pair = token.new_handle(None), token.new_secret(chance.randrange(9))
    text = chance.choice([token, jwt_token]).sign(stand.other, *pair).encode()
    return "GET", [_cookie(text) if chance.random() < 0.7 else (b"x-session", text)], [b""], b""


def oversized_headers(chance: random.Random, stand: Stand) -> tuple[str, Headers, list[bytes], bytes]:
    """64 KiB and more in each header that is read."""
    huge = bytes([chance.randrange(33, 127)]) * chance.randrange(60_000, 80_000)
    names = [b"cookie", b"origin", b"host", b"sec-fetch-site", b"x-coatcheck-csrf", b"content-type", b"user-agent"]
    return "POST", [(chance.choice(names), huge), (chance.choice(names), huge[:66_000])], [b"a=1"], b""


def hostile_forms(chance: random.Random, stand: Stand) -> tuple[str, Headers, list[bytes], bytes]:
    """A signed-in session's forms without their token: nested marks, no end, many parts, in pieces."""
    kinds = [
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=x",
        b"multipart/form-data; boundary=" + b"-" * 70,
    ]
    unit = chance.choice([b"&_csrf", b"_csrf=&", b"\r\n--x\r\n\r\n", b"-" * 70, b'name="_csrf";', chance.randbytes(20)])
    body = unit * chance.randrange(1, 60)
    cut = chance.randrange(len(body))
    return "POST", [_cookie(stand.token), (b"content-type", chance.choice(kinds))], [body[:cut], body[cut:]], b""


def forged_tickets(chance: random.Random, stand: Stand) -> tuple[str, Headers, list[bytes], bytes]:
    """Another key's, changed, of any form, in the address and in a posted form."""
    head, body, tag = stand.ticket.split(".")
    claims = {"jti": chance.randbytes(9).hex(), "aud": "download", "data": {}}
    kinds: list[Callable[[], str]] = [
        lambda: signed({"alg": "HS256", "typ": "ticket+jwt", "kid": chance.randbytes(9).hex()}, claims, b"k" * 32),
        lambda: f"{head}.{part(claims)}.{tag}",
        lambda: f"{head}.{body}.{part(chance.randbytes(32))}",
        lambda: "A" * chance.randrange(9000),
        lambda: "%41" * 50,
    ]
    text = chance.choice(kinds)().encode()
    if chance.random() < 0.5:
        return "GET", [_cookie(stand.token)], [b""], b"ticket=" + text
    return "POST", [(b"sec-fetch-site", b"none")], [b"ticket=" + text], b""


KINDS: list[Hostile] = [garbled_cookies, forged_tokens, oversized_headers, hostile_forms, forged_tickets]


@contextmanager
def to_nowhere() -> Iterator[None]:
    """The log's lines are written, to nowhere: what pytest keeps of them is not ours, so it must not be a fixture."""
    logger = logging.getLogger("coatcheck")
    before = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [logging.NullHandler()], False
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before


async def growth(stand: Stand, kind: Hostile, requests: int) -> tuple[int, int, set[int]]:
    """Bytes and objects more than before after so many requests, and the statuses they were answered with."""
    chance = random.Random(kind.__name__)
    await stand.prepare()
    statuses = set()
    for _ in range(WARM):
        statuses.add(await stand.request(*kind(chance, stand)))
    stand.front.calls.clear()
    gc.collect()
    tracemalloc.start()
    try:
        # Once under the eye of the allocator: its own first tables are no leak.
        for _ in range(WARM):
            statuses.add(await stand.request(*kind(chance, stand)))
        stand.front.calls.clear()
        gc.collect()
        size, objects = tracemalloc.get_traced_memory()[0], len(gc.get_objects())
        for _ in range(requests):
            statuses.add(await stand.request(*kind(chance, stand)))
        calls = len(stand.front.calls)
        stand.front.calls.clear()
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - size, len(gc.get_objects()) - objects
    finally:
        tracemalloc.stop()
    assert calls == 0 or kind in (hostile_forms, forged_tickets, garbled_cookies)
    return *grown, statuses


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
async def test_ten_thousand_hostile_requests_leave_memory_flat(kind: Hostile) -> None:
    """Nothing is kept of them: no bytes, no objects, no rows; each is answered as data, never as a fault."""
    stand = Stand()
    with to_nowhere():
        size, objects, statuses = await growth(stand, kind, REQUESTS)
    assert statuses <= {200, 403}
    assert size < SLACK, f"{size} bytes more"
    assert objects < OBJECTS, f"{objects} objects more"
    assert await stand.front.sessions() == 1


async def test_the_measure_finds_what_is_kept() -> None:
    """With a subscriber that remembers each refusal, far fewer requests are too many: the measure can fail."""
    stand = Stand()
    kept: list[Any] = []
    stand.front.manager.subscribe(kept.append)
    with to_nowhere():
        size, objects, _ = await growth(stand, forged_tickets, 500)
    assert len(kept) > 500
    assert size > SLACK
    assert objects > OBJECTS


async def held(stand: Stand, headers: Headers, chunks: list[bytes]) -> int:
    """The most bytes that one request holds, beside its chunks."""
    await stand.request("POST", headers, chunks[:2], b"")
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        await stand.request("POST", headers, chunks, b"")
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("chunk", [b"z", b""], ids=["one byte each", "empty"])
@pytest.mark.parametrize("place", ["form", "gate"])
async def test_a_body_in_tiny_pieces_costs_its_bytes_and_not_its_pieces(place: str, chunk: bytes) -> None:
    """CVE-2019-9518: a client can send one byte in each frame, or none, for ever. Frames are no memory to be had."""
    stand = Stand()
    await stand.prepare()
    form = (b"content-type", b"application/x-www-form-urlencoded")
    headers = [_cookie(stand.token), form] if place == "form" else [form]
    limit = SCAN_LIMIT if place == "form" else MAX_FORM
    first = b"a=" if place == "form" else b"ticket="
    pieces = [first, *[chunk] * limit]
    with to_nowhere():
        assert await held(stand, headers, pieces) < 8 * limit
