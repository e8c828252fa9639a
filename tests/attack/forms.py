"""Targets that read a request's body and query: the scanner of forms, and the gate's search for its ticket."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote_to_bytes

from hypothesis import strategies as st
from python_multipart import FormParser

from coatcheck.csrf import SCAN_LIMIT, TokenScanner
from coatcheck.integrations.gate import TicketGate
from coatcheck.passage import MAX_FORM
from tests.attack.mutations import as_octets, chunked, octets, texts
from tests.attack.target import Target

TOKEN = "".join(chr(ord("A") + n % 26) for n in range(86))
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
FORM = f"a=1&_csrf={TOKEN}&b=%20&_csrf=second"
PARTS = (
    '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    f'--x\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\n{TOKEN}\r\n'
    '--x\r\nContent-Disposition: form-data; name="f"; filename="_csrf"\r\nContent-Type: a/b\r\n\r\n\0\r\n--x--\r\n'
)


def scan(content_type: str, chunks: list[bytes]) -> str | None:
    """The scanner's answer; what it keeps is bounded at every step, and nothing stays."""
    scanner = TokenScanner(content_type)
    for n, chunk in enumerate(chunks):
        done = scanner.feed(chunk, last=n == len(chunks) - 1)
        assert len(scanner._buffer) <= SCAN_LIMIT + 4
        if done:
            break
    assert scanner.done
    assert not scanner._buffer
    return scanner.token


def check_scanner(case: tuple[str, bytes, list[int]]) -> str:
    """However the body is cut, the answer is the same, and it is a piece of the body."""
    content_type, body, cuts = case
    whole = scan(content_type, [body])
    assert scan(content_type, chunked(body, cuts)) == whole
    if len(body) <= 600:
        assert scan(content_type, [body[at : at + 1] for at in range(len(body))] or [b""]) == whole
    if len(body) <= 120:
        # At every split, and an empty chunk between.
        for at in range(len(body) + 1):
            assert scan(content_type, [body[:at], b"", body[at:]]) == whole, at
    if whole is None:
        return "no field"
    assert whole.encode("latin-1") in body
    if content_type == URLENCODED:
        # The oracle: what stands before the next &, behind the first field of that name.
        _, found, rest = (b"&" + body).partition(b"&_csrf=")
        assert found
        assert whole.encode("latin-1") == rest.partition(b"&")[0]
    return "the token" if whole == TOKEN else "another text"


def browser_name(name: str) -> bytes:
    """A field's or file's name as browsers write it (WHATWG HTML, multipart/form-data encoding algorithm)."""
    return name.encode("utf-8", "replace").replace(b"\n", b"%0A").replace(b"\r", b"%0D").replace(b'"', b"%22")


def browser_form(fields: list[tuple[str, str | None, bytes]], boundary: bytes) -> bytes:
    """A form as a browser sends it: name, file name or None, content."""
    body = b""
    for name, filename, content in fields:
        body += b'--%b\r\nContent-Disposition: form-data; name="%b"' % (boundary, browser_name(name))
        if filename is not None:
            body += b'; filename="%b"\r\nContent-Type: application/octet-stream' % browser_name(filename)
        body += b"\r\n\r\n%b\r\n" % content
    return body + b"--%b--\r\n" % boundary


def parsed_by_another(body: bytes, boundary: bytes) -> list[tuple[bytes, bytes]]:
    """Name and content of each part, as python-multipart reads them."""
    found: list[tuple[bytes, bytes]] = []

    def on_file(file: Any) -> None:
        file.file_object.seek(0)
        found.append((file.field_name or b"", file.file_object.read()))
        file.close()

    parser = FormParser(
        "multipart/form-data",
        lambda field: found.append((field.field_name or b"", field.value or b"")),
        on_file,
        boundary=boundary,
    )
    parser.write(body)
    parser.finalize()
    parser.close()
    return found


def check_browser_form(case: tuple[list[tuple[str, str | None, bytes]], list[int]]) -> str:
    """In a form as browsers write it we find what a whole parser finds: the first part of that name."""
    fields, cuts = case
    boundary = b"----WebKitFormBoundary7MA4YWxkTrZu0gW"
    body = browser_form(fields, boundary)
    theirs = next((content for name, content in parsed_by_another(body, boundary) if name == b"_csrf"), None)
    content_type = f"multipart/form-data; boundary={boundary.decode()}"
    ours = scan(content_type, chunked(body, cuts))
    assert ours == (None if theirs is None else theirs.decode("latin-1"))
    return "no field" if ours is None else "the token" if ours == TOKEN else "another text"


_form_names = st.sampled_from(
    ["_csrf", "_csrf", "a", "_CSRF", '"_csrf', "a;_csrf", "; name=_csrf", "\r\n_csrf", "n=_csrf"]
)
_contents = st.one_of(st.just(TOKEN.encode()), octets([PARTS, TOKEN], 2), st.just(b"--x\r\n\r\n" * 300)).filter(
    lambda content: b"------WebKit" not in content
)
_fields = st.tuples(_form_names, st.one_of(st.none(), st.none(), _form_names), _contents)
_cuts = st.lists(st.one_of(st.integers(0, 3000), st.integers(0, 150_000)), max_size=8)
_types = st.one_of(
    st.sampled_from([URLENCODED, MULTIPART, 'multipart/form-data; boundary="x"', "multipart/form-data; boundary=-"]),
    texts([MULTIPART, URLENCODED], 2),
)
_bodies = st.one_of(
    octets([FORM, PARTS]),
    st.builds(lambda body, times: body * times, octets([PARTS, "&_csrf", "\r\n--"], 1), st.integers(1, 3000)).map(
        lambda body: body[:150_000]
    ),
)

# -- the ticket gate -------------------------------------------------------------------------------------

TICKET = "eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJBIn0.c2ln"
QUERIES = [f"ticket={TICKET}", f"a=1&ticket={TICKET}&b=%C3%A9", "%74icket=x", f"ticket={TICKET}&ticket=y"]


async def _unused(*_: Any) -> None:
    raise AssertionError("not called")


GATE = TicketGate(_unused)


def find(scope: dict[str, Any], chunks: list[bytes]) -> tuple[str, bytes, int]:
    """What the gate takes for the ticket, the body that the application then receives, and how much was held."""
    waiting = [
        {"type": "http.request", "body": chunk, "more_body": n < len(chunks) - 1} for n, chunk in enumerate(chunks)
    ]
    asked = 0

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return waiting.pop(0)

    async def run() -> tuple[str, bytes, int]:
        text, again = await GATE._find(scope, receive)
        held = sum(len(chunk) for chunk in chunks[:asked])
        body, more = b"", True
        while more:
            message = await again()
            body += message["body"]
            more = message["more_body"]
        return text, body, held

    return asyncio.run(run())


def oracle_value(form: bytes, blank: bool = True) -> bytes | None:
    """The only value of the field `ticket` in a URL-encoded form; None for none or several. `blank`: or empty."""
    values = []
    for pair in form.split(b"&"):
        name, _, value = pair.replace(b"+", b" ").partition(b"=")
        if unquote_to_bytes(name) == b"ticket":
            values += [unquote_to_bytes(value)] if value or blank else []
    return values[0] if len(values) == 1 else None


def check_find(case: tuple[bool, bytes, list[int]]) -> str:
    """One ticket or none, the body given on whole, no more than the limit held, nothing left in the address."""
    in_query, data, cuts = case
    scope: dict[str, Any] = {"type": "http", "method": "POST", "query_string": data if in_query else b""}
    chunks = [b"rest"] if in_query else chunked(data, cuts)
    text, body, held = find(scope, chunks)
    assert body == b"".join(chunks)
    assert held <= MAX_FORM + max(map(len, chunks))
    if text:
        only = oracle_value(data, in_query)
        assert only is not None
        if only.isascii():
            assert text.encode() == only
        if in_query:
            # Servers write the address to their logs when the response starts.
            assert oracle_value(scope["query_string"]) == b"-"
    elif (only := oracle_value(data, in_query)) and only.isascii() and data.count(b"&") < 100 and len(data) <= MAX_FORM:
        raise AssertionError(f"a ticket was not found: {data!r}")
    return "found" if text else "none"


_queries = st.one_of(
    octets(QUERIES),
    st.builds(lambda query, times: (query * times)[:100_000], octets(QUERIES, 1), st.integers(1, 3000)),
    st.builds(lambda query: query + b"x" * 60_000, octets(QUERIES, 1)),
    st.builds(
        lambda before, query: as_octets(before * 9 + query),
        st.sampled_from(["&", "a=b&", "%"]),
        st.sampled_from(QUERIES),
    ),
)

TARGETS = [
    Target("csrf scanner", "the same however it is cut, bounded", st.tuples(_types, _bodies, _cuts), check_scanner),
    Target(
        "csrf form of a browser",
        "finds what python-multipart finds",
        st.tuples(st.lists(_fields, max_size=5), _cuts),
        check_browser_form,
    ),
    Target("gate's search", "one ticket or none, bounded", st.tuples(st.booleans(), _queries, _cuts), check_find),
]
