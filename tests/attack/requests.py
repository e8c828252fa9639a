"""Targets that read a request or a command: the origin check, ranges at the gate, the command line."""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from hypothesis import strategies as st

from coatcheck.cli import main
from coatcheck.csrf import SAFE, OriginCheck, own_origin
from coatcheck.integrations.asgi import SessionMiddleware
from coatcheck.integrations.gate import TicketGate
from tests.attack.mutations import texts
from tests.attack.target import Target
from tests.integrations.front import Front, cookie

HOST = "app.example:8443"
TRUSTED = "https://front.example"
CHECK = OriginCheck([TRUSTED], ["/hook/pay"])
ORIGINS = [f"https://{HOST}", TRUSTED, "http://app.example:8443", "https://app.example", "null", "https://[::1]:8443"]
_PORTS = {"http": 80, "https": 443}


def origin_oracle(text: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin and nothing else, as urllib takes an address apart."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname
    bare = f"{parts.scheme}://{parts.netloc}".lower() == text.lower()
    if not bare or not host or not text.isascii() or "@" in text or not text.isprintable() or " " in text:
        return None
    if port is None:
        port = _PORTS.get(parts.scheme, -1)
    return parts.scheme, host, port


def check_origin(case: tuple[str, str, str | None, str | None, bool]) -> str:
    """What passes as our own origin or a trusted one is that origin; a foreign one never passes."""
    method, path, origin, site, websocket = case
    refusal = CHECK.check(method, path, own_origin("https", HOST), origin, site, websocket)
    if (method in SAFE and not websocket) or path == "/hook/pay":
        assert refusal is None
        return "safe or exempt"
    same = None if origin is None else origin_oracle(origin)
    own, trusted = origin_oracle(f"https://{HOST}"), origin_oracle(TRUSTED)
    if refusal is None:
        by_site = site in ("same-origin", "none")
        no_browser = site is None and origin is None
        assert by_site or no_browser or same == trusted or (site is None and same == own), case
        return "passes"
    assert refusal.status == 403
    # And as a browser writes it, it is never refused by mistake.
    assert site not in ("same-origin", "none")
    assert origin not in {TRUSTED, f"https://{HOST}" if site is None else TRUSTED}
    return refusal.reason


_sites = st.one_of(
    st.none(), st.none(), st.sampled_from(["same-origin", "none", "same-site", "cross-site"]), texts(["same-origin"], 1)
)
_origin_cases = st.tuples(
    st.one_of(st.sampled_from(["GET", "POST", "DELETE", "HEAD"]), texts(["POST", "GET"], 1)),
    st.one_of(st.just("/"), texts(["/hook/pay"], 1)),
    st.one_of(st.none(), texts(ORIGINS, 2)),
    _sites,
    st.booleans(),
)


# -- ranges at the gate ----------------------------------------------------------------------------------


class Fetch(NamedTuple):
    """One request for the ticket's file."""

    mine: bool
    method: str
    path: str
    range: str | None
    if_range: str | None


class Ranges:
    """A gate before a file server that knows simple ranges only, and ignores the others, as many do."""

    def __init__(self) -> None:
        self.front = Front()
        self.app = SessionMiddleware(TicketGate(self._file), self.front.manager, csrf="off")
        self.mine = self.theirs = ""

    @classmethod
    async def open(cls) -> Self:
        """A gate, and two users before it."""
        made = cls()
        made.mine, made.theirs = await made.front.signed_in("7"), await made.front.signed_in("8")
        return made

    async def _file(self, scope: Any, receive: Any, send: Any) -> None:
        wanted = dict(scope["headers"]).get(b"range", b"")
        known = re.fullmatch(rb"bytes=(\d{1,18})-(\d{0,18})", wanted)
        status = 200 if known is None else 416 if int(known[1]) > 999 else 206
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"the file" if status < 300 else b""})

    async def fetch(self, ticket: str, one: Fetch) -> int:
        """The status, and proof that a refusal holds nothing of the file."""
        sent: list[Any] = []
        headers = [
            (name, value.encode("utf-8", "surrogatepass"))
            for name, value in ((b"range", one.range), (b"if-range", one.if_range))
            if value is not None
        ]
        headers.append((b"cookie", cookie(self.mine if one.mine else self.theirs)["cookie"].encode()))
        scope = {
            "type": "http",
            "method": one.method,
            "path": one.path,
            "raw_path": one.path.encode(),
            "scheme": "https",
            "query_string": f"ticket={ticket}".encode(),
            "headers": headers,
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        status: int = sent[0]["status"]
        body = b"".join(message.get("body", b"") for message in sent)
        assert (b"the file" in body) is (status in (200, 206) and one.method != "HEAD")
        return status

    async def story(self, requests: list[Fetch]) -> list[int]:
        """One fresh ticket, and what each request for it is answered."""
        session = await self.front.aside.load(self.mine)
        ticket = await self.front.aside.tickets.issue("download", {"file": "a"}, session=session)
        return [await self.fetch(ticket, one) for one in requests]


RANGES = asyncio.run(Ranges.open())


def check_ranges(requests: list[Fetch]) -> str:
    """One whole file, ranges only after the first use, of the same path, for the same session; else 403, 410, 416."""
    statuses = asyncio.run(RANGES.story(requests))
    first: Fetch | None = None
    whole = 0
    for one, status in zip(requests, statuses, strict=True):
        assert status in (200, 206, 403, 410, 416), status
        if not one.mine:
            assert status in (403, 410)
        if one.method == "HEAD" or status not in (200, 206):
            continue
        whole += status == 200
        if first is None:
            first = one
        else:
            assert status == 206
            assert one.path == first.path
            assert one.range is not None
    RANGES.front.events.clear()
    assert whole <= 1
    return f"{sum(status in (200, 206) for status in statuses[:3])} of the first three served"


_range_values = st.one_of(
    st.none(), st.just("bytes=0-"), texts(["bytes=0-99", "bytes=0-0,5-9", "bytes=-5", "bytes=1000-", "items=0-5"], 2)
)
_fetches = st.builds(
    Fetch,
    st.sampled_from([True, True, True, False]),
    st.sampled_from(["GET", "GET", "POST", "HEAD"]),
    st.sampled_from(["/a", "/a", "/b", "/A", "/a/"]),
    _range_values,
    st.one_of(st.none(), st.just('"etag"')),
)

# -- the command line ------------------------------------------------------------------------------------


def check_command(arguments: list[str]) -> str:
    """A secret and 0, or one line that says what to type and tells nothing secret: never a traceback."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code: Any = main(arguments)
        except SystemExit as stop:
            code = stop.code
    if code == 0 and re.fullmatch(r"[A-Za-z0-9_-]{43}\n", out.getvalue()):
        assert arguments[-1] in ("keygen", "--") or "keygen" in arguments
        return "a secret"
    if code == 0:
        assert "usage:" in out.getvalue()
        return "help"
    assert code == 2
    assert re.fullmatch(r"coatcheck.*Type: coatcheck.*\n", err.getvalue())
    assert "Traceback" not in err.getvalue()
    assert not out.getvalue()
    return "refused"


_words = st.one_of(st.sampled_from(["keygen", "-h", "--", "--help", "keyge", "-"]), texts(["keygen", "--help"], 1))

TARGETS = [
    Target("origin", "passes only what is ours or trusted", _origin_cases, check_origin),
    Target("ranges", "one whole file; ranges for its user alone", st.lists(_fetches, max_size=6), check_ranges),
    Target("command line", "a secret or a usage error", st.lists(_words, max_size=4), check_command),
]
