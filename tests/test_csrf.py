"""Requests of other sites are told apart in one fixed order; tokens are masked; forms are scanned, not stored."""

from __future__ import annotations

import re
import secrets
import string
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from itertools import product
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coatcheck.csrf import (
    SAFE,
    SCAN_LIMIT,
    TOKEN_LENGTH,
    OriginCheck,
    TokenScanner,
    matches,
    mint,
    own_origin,
    refuse_token,
)
from coatcheck.errors import ConfigurationError

OWN = "https://b.example"
TRUSTED = "https://app.example:8443"
HOOK = "/hooks/pay"
check = OriginCheck([TRUSTED], [HOOK])
junk = st.text(st.characters(exclude_categories=()))


# -- the matrix ------------------------------------------------------------------------------------------

SAFE_METHODS = ["GET", "HEAD", "OPTIONS"]
UNSAFE_METHODS = ["POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "QUERY", "PROPFIND", "get", "Get", "GET ", ""]

# Origin, Sec-Fetch-Site, and the reason of the refusal of an unsafe request (None: it passes).
HEADERS: list[tuple[str | None, str | None, str | None]] = [
    # neither: no browser
    (None, None, None),
    # Fetch Metadata decides, whatever Origin says
    (None, "same-origin", None),
    (OWN, "same-origin", None),
    ("http://b.example", "same-origin", None),
    ("null", "same-origin", None),
    (None, "none", None),
    ("https://a.example", "none", None),
    (None, "cross-site", "cross-site"),
    (OWN, "cross-site", "cross-site"),
    ("https://a.example", "cross-site", "cross-site"),
    ("null", "cross-site", "cross-site"),
    (None, "same-site", "same-site"),
    (OWN, "same-site", "same-site"),
    ("https://sub.b.example", "same-site", "same-site"),
    # anything else counts as foreign, also what a proxy joined or a client sent twice
    (OWN, "", "unknown-site"),
    (OWN, "Same-Origin", "unknown-site"),
    (OWN, " same-origin", "unknown-site"),
    (OWN, "same-origin, cross-site", "unknown-site"),
    (OWN, "same-origin,same-origin", "unknown-site"),
    (OWN, "same-origin;x", "unknown-site"),
    (OWN, "later-invention", "unknown-site"),
    (OWN, "none\n", "unknown-site"),
    # an exactly trusted Origin passes before both
    (TRUSTED, "cross-site", None),
    (TRUSTED, "same-site", None),
    (TRUSTED, "later-invention", None),
    (TRUSTED, None, None),
    # without Fetch Metadata Origin has to be our own
    (OWN, None, None),
    ("https://b.example:443", None, None),
    ("HTTPS://B.EXAMPLE", None, None),
    ("http://b.example", None, "foreign-origin"),
    ("https://b.example:8443", None, "foreign-origin"),
    ("http://b.example:443", None, "foreign-origin"),
    ("https://a.example", None, "foreign-origin"),
    ("https://sub.b.example", None, "foreign-origin"),
    ("https://b.example.a.example", None, "foreign-origin"),
    ("https://a-b.example", None, "foreign-origin"),
    ("https://b.example.", None, "foreign-origin"),
    ("https://b.example/", None, "foreign-origin"),
    ("https://b.example@a.example", None, "foreign-origin"),
    ("https://a.example#https://b.example", None, "foreign-origin"),
    ("https://b.example, https://b.example", None, "foreign-origin"),
    ("https://b.example https://a.example", None, "foreign-origin"),
    ("https://b.example\n", None, "foreign-origin"),
    ("https://b.example:", None, "foreign-origin"),
    ("https://b.example:0", None, "foreign-origin"),
    ("https://b.example:65979", None, "foreign-origin"),  # 65536 + 443
    ("https://b.ex\N{CYRILLIC SMALL LETTER A}mple", None, "foreign-origin"),
    ("//b.example", None, "foreign-origin"),
    ("b.example", None, "foreign-origin"),
    ("null", None, "foreign-origin"),
    ("", None, "foreign-origin"),
    # nearly trusted is not
    ("https://app.example", None, "foreign-origin"),
    ("http://app.example:8443", None, "foreign-origin"),
    ("https://app.example:8443/", None, "foreign-origin"),
    ("https://app.example:84430", None, "foreign-origin"),
    ("https://app.example:8443.a.example", None, "foreign-origin"),
    ("https://x.app.example:8443", "same-site", "same-site"),
    (f"{TRUSTED},{TRUSTED}", "cross-site", "cross-site"),
]


@pytest.mark.parametrize(("origin", "site", "reason"), HEADERS)
def test_every_method_and_header_is_judged_as_the_table_says(
    origin: str | None, site: str | None, reason: str | None
) -> None:
    """Safe methods always pass; every other method, known or not, and every websocket gets one verdict."""
    for method in SAFE_METHODS:
        assert check.check(method, "/x", OWN, origin, site) is None
    verdicts = [check.check(method, "/x", OWN, origin, site) for method in UNSAFE_METHODS]
    verdicts += [
        check.check(method, "/x", OWN, origin, site, websocket=True) for method in SAFE_METHODS + UNSAFE_METHODS
    ]
    for verdict in verdicts:
        assert (verdict and verdict.reason) == reason
        assert verdict is None or verdict.status == 403


def test_the_safe_methods_are_three() -> None:
    """TRACE is safe by RFC 9110, and no browser sends it: it counts as unsafe."""
    assert frozenset(SAFE_METHODS) == SAFE


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/hooks/pay/",
            "//hooks/pay",
            "/hooks//pay",
            "/hooks/./pay",
            "/x/../hooks/pay",
            "/hooks/pay?",
            "/hooks/pay?a",
        ),
        *("/hooks/%70ay", "/hooks%2Fpay", "/hooks/pay%00", "/hooks/pay ", "/hooks/pay;x", "/hooks/PAY", "hooks/pay"),
        *("http://b.example/hooks/pay", "/hooks/pay\n", "/hooks/pa", "/hooks/pay2", "", "/"),
    ],
)
def test_only_the_exempt_path_itself_is_exempt(path: str) -> None:
    """A path that a router would map to the exempt one is not it (CVE-2025-47910, CVE-2026-48710)."""
    for origin, site in product((None, "https://a.example", "null"), ("cross-site", "same-site", "?")):
        assert check.check("POST", HOOK, OWN, origin, site) is None
        assert check.check("POST", path, OWN, origin, site) is not None
    assert check.check("POST", HOOK, OWN, "https://a.example", None) is None
    assert check.check("GET", HOOK, OWN, "https://a.example", None, websocket=True) is None


def test_nothing_is_trusted_or_exempt_by_default() -> None:
    """A check made without settings refuses what one with settings would let pass."""
    bare = OriginCheck()
    assert bare.check("POST", HOOK, OWN, TRUSTED, None) is not None
    assert bare.check("POST", HOOK, OWN, None, "cross-site") is not None


def test_a_host_that_is_no_host_matches_no_origin() -> None:
    """A mangled Host header must not make an empty origin equal to an empty one."""
    for origin in ("", "https://", "null", "https://b.example"):
        assert check.check("POST", "/x", own_origin("https", ""), origin, None) is not None


@given(junk, junk, junk, st.none() | junk, st.none() | junk, st.booleans())
@example("POST", "/" + "x" * 10**6, OWN, "https://" + "a" * 10**6, "y" * 10**6, False)
@example("POST\r\nx", "/\r\n\x1b[2J\N{RIGHT-TO-LEFT OVERRIDE}\ud800", OWN, "https://a\r\nSet-Cookie: x", None, False)
@example("POST", "/x", OWN, "https://<script>alert(1)</script>", None, False)
@example("POST", "/x", OWN, "https://a.example&\"'<", "<b>", True)
@example("POST", "/x", OWN, f"{'s' * 32}://{'h' * 253}:65535", None, True)
def test_hostile_headers_never_raise_and_never_reach_a_log_or_page_raw(
    method: str, path: str, own: str, origin: str | None, site: str | None, websocket: bool
) -> None:
    """Both sentences are short, printable ASCII on one line, and the page's needs no escaping."""
    refusal = check.check(method, path, own, origin, site, websocket)
    if refusal is not None:
        for sentence in (refusal.public, refusal.log):
            assert len(sentence) < 1500
            assert set(sentence) <= set(string.digits + string.ascii_letters + string.punctuation + " ")
        assert not set(refusal.public) & set("<>&\"'")


# -- the sentences ---------------------------------------------------------------------------------------


def test_a_foreign_origin_is_told_in_plain_words() -> None:
    """The page says what happened; the log line says what to do about it, in either of its causes."""
    refusal = check.check("POST", "/x", OWN, "https://a.example", None)
    assert refusal is not None
    assert refusal.public == "This form came from another site (https://a.example); nothing was changed."
    assert refusal.log == (
        "POST /x refused: Origin https://a.example is not https://b.example. "
        'Your own front end? trusted_origins=["https://a.example"]. A proxy? Pass Host on.'
    )


@pytest.mark.parametrize(
    ("origin", "site", "own", "public", "log"),
    [
        (
            "https://a.example",
            "cross-site",
            OWN,
            "another site (https://a.example);",
            "Sec-Fetch-Site is cross-site, Origin https://a.example. "
            'Your own front end? trusted_origins=["https://a.example"].',
        ),
        (None, "same-site", OWN, "another site;", "Sec-Fetch-Site is same-site."),
        ("bad origin", "cross-site", OWN, "another site;", "Sec-Fetch-Site is cross-site, Origin bad?origin."),
        (
            "null",
            None,
            OWN,
            "another site;",
            "Origin null is not https://b.example. "
            "A sandboxed frame, a local file, or a page with Referrer-Policy: no-referrer sends null.",
        ),
        (
            OWN,
            None,
            "http://b.example",
            "another site (https://b.example);",
            "Origin https://b.example is not http://b.example. "
            'Your own front end? trusted_origins=["https://b.example"]. A proxy? Pass the scheme on.',
        ),
        (
            "x",
            None,
            "",
            "another site;",
            "Origin x is not ours, as Host is missing or invalid. A proxy? Pass Host on.",
        ),
    ],
)
def test_each_cause_has_its_own_remedy(origin: str | None, site: str | None, own: str, public: str, log: str) -> None:
    """What can't be trusted is not proposed for trusted_origins; what the browser said needs no Host."""
    refusal = check.check("POST", "/x?ticket=abc", own, origin, site)
    assert refusal is not None
    assert refusal.public == f"This form came from {public} nothing was changed."
    assert refusal.log == f"POST /x refused: {log}"


def test_a_websocket_is_called_one() -> None:
    """Its method is GET, and an operator would wonder why a GET is refused."""
    refusal = check.check("GET", "/live", OWN, "https://a.example", None, websocket=True)
    assert refusal is not None
    assert refusal.log.startswith("websocket /live refused: ")


def test_what_a_log_line_proposes_can_be_configured_and_then_passes() -> None:
    """Following the remedy word for word works."""
    for origin in ("https://a.example", "HTTP://A.example:80", "https://[2001:DB8::1]:8443", "capacitor://localhost"):
        refusal = check.check("POST", "/x", OWN, origin, None)
        assert refusal is not None
        proposed = re.search(r'trusted_origins=\["(.+?)"\]', refusal.log)
        assert proposed is not None
        assert OriginCheck([proposed[1]]).check("POST", "/x", OWN, origin, None) is None


@given(junk, junk, st.booleans())
def test_a_token_refusal_says_what_to_do(method: str, path: str, shown: bool) -> None:
    """Missing and wrong are two faults with two remedies; neither sentence repeats what was sent raw."""
    refusal = refuse_token(method, path, shown=shown)
    assert refusal.reason == ("token-wrong" if shown else "token-missing")
    assert ("Login and logout bring a new one" if shown else "field _csrf") in refusal.log
    assert refusal.status == 403
    assert "nothing was changed" in refusal.public
    assert refusal.log.isprintable()
    assert refusal.log.isascii()
    assert len(refusal.log) < 1000


# -- origins and settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("https", "b.example", "https://b.example"),
        ("https", "B.Example:443", "https://b.example"),
        ("http", "b.example:80", "http://b.example"),
        ("http", "b.example:443", "http://b.example:443"),
        ("https", "b.example:80", "https://b.example:80"),
        ("wss", "b.example:443", "https://b.example"),
        ("ws", "b.example:8000", "http://b.example:8000"),
        ("ws", "b.example:80", "http://b.example"),
        ("HTTPS", "b.example", "https://b.example"),
        ("http", "[::1]:8000", "http://[::1]:8000"),
        ("http", "127.0.0.1", "http://127.0.0.1"),
        ("http", "my_service:8000", "http://my_service:8000"),
        *(("https", host, "") for host in ("", "b.example, a.example", "b.example/x", "u@b.example", ":443", "b c")),
        *(
            ("https", host, "")
            for host in ("b.example:99999", "b.example:0", "b.example:x", "b.exämple", "b\n", "[::1")
        ),
        ("", "b.example", ""),
    ],
)
def test_our_own_origin_is_spelt_as_browsers_spell_it(scheme: str, host: str, origin: str) -> None:
    """Default ports go, case is folded, a websocket has its page's origin, and a bad Host is none."""
    assert own_origin(scheme, host) == origin


@pytest.mark.parametrize(
    "origin",
    [
        *("https://app.example/", "https://app.example/x", "app.example", "//app.example", "https://", "", "null", "*"),
        *("https://*.example", "https://app.example:*", "https://u@app.example", "https://app.example?x", "file://"),
        *("https://app.example:0", "https://app.example:65536", "https://app.example:", "https://äpp.example"),
        *(" https://app.example", "https://app.example\n", "https://a.example,https://b.example", "https:app.example"),
        *("wss://app.example", "ws://app.example"),
    ],
)
def test_a_trusted_origin_that_matches_more_or_nothing_is_refused_at_start(origin: str) -> None:
    """A wildcard that was read as a name, or a final slash, would be found by an attacker or by nobody."""
    with pytest.raises(ConfigurationError, match=r"is not an origin\. Give the page's scheme://host"):
        OriginCheck([origin])


@pytest.mark.parametrize(
    "path",
    [
        "",
        "hooks",
        "https://b.example/hooks",
        "/hooks/*",
        "/hooks/{id}",
        "/hooks/<id>",
        "/h?x=1",
        "/h#x",
        "/é",
        "/a b",
        "/a\n",
        "*",
    ],
)
def test_an_exempt_path_that_is_a_pattern_is_refused_at_start(path: str) -> None:
    """Exemptions are exact: a pattern would silently exempt nothing, or be taken for more than it is."""
    with pytest.raises(ConfigurationError, match=r"is not a path\. Give each path in full"):
        OriginCheck(exempt=[path])


def test_a_string_in_place_of_a_list_is_refused_at_start() -> None:
    """A string is a list of letters to Python."""
    with pytest.raises(ConfigurationError, match=r"trusted_origins='https://a.example' is one string"):
        OriginCheck("https://a.example")
    with pytest.raises(ConfigurationError, match=r"csrf_exempt='/hook' is one string. Give a list: \['/hook'\]"):
        OriginCheck((), "/hook")


def test_a_trusted_origin_may_be_spelt_as_people_do() -> None:
    """Upper case and default ports in the settings match what browsers send; any scheme may be trusted."""
    lenient = OriginCheck(iter(["HTTPS://App.Example:443", "http://[::1]:5173", "chrome-extension://abcdef"]))
    for origin in ("https://app.example", "http://[::1]:5173", "chrome-extension://abcdef"):
        assert lenient.check("POST", "/x", OWN, origin, "cross-site") is None


# -- tokens ----------------------------------------------------------------------------------------------

SECRET = bytes(range(32))


@given(st.binary(min_size=32, max_size=32))
@example(bytes(32))
@example(b"\xff" * 32)
def test_a_token_differs_at_every_read_and_stays_valid(secret: bytes) -> None:
    """Masked, a token in a compressed page can't be guessed byte by byte (BREACH)."""
    tokens = [mint(secret) for _ in range(20)]
    assert len(set(tokens)) == 20
    for token in tokens:
        assert len(token) == TOKEN_LENGTH
        assert re.fullmatch(r"[A-Za-z0-9_-]+", token)
        assert matches(secret, token)
        assert not matches(bytes([secret[0] ^ 1]) + secret[1:], token)
        assert not matches(secret[:-1] + bytes([secret[-1] ^ 128]), token)


def test_no_part_of_a_token_is_the_same_in_two_reads() -> None:
    """Every byte is masked by its own random byte, and neither half shows the secret."""
    raws = [urlsafe_b64decode(mint(SECRET) + "==") for _ in range(200)]
    for position in range(64):
        assert len({raw[position] for raw in raws}) > 50
    assert all(SECRET[:8] not in raw for raw in raws)


def test_one_session_s_token_is_refused_in_another() -> None:
    """A token from before a login, or of an attacker's own session, does not serve."""
    assert not matches(secrets.token_bytes(32), mint(SECRET))


def test_a_session_without_a_secret_accepts_nothing() -> None:
    """A session that is not stored has no token, so none is valid: not even 64 equal bytes."""
    for token in ("", "A" * TOKEN_LENGTH, mint(bytes(32))):
        assert not matches(b"", token)
    with pytest.raises(ValueError, match="32 bytes"):
        mint(b"")


@given(
    st.one_of(junk, st.binary().map(lambda raw: raw.decode("latin-1")), st.text("AB-_=+/ ", min_size=80, max_size=90))
)
@example("")
@example("A" * 10**6)
@example("B" * 88)
@example("!" * TOKEN_LENGTH)
@example("=" * TOKEN_LENGTH)
@example("A" * 81 + "!" * 5)
@example("\N{FULLWIDTH LATIN CAPITAL LETTER A}" * TOKEN_LENGTH)
@example("\ud800" * TOKEN_LENGTH)
def test_garbage_is_no_token_and_never_raises(text: str) -> None:
    """A form field is whatever the network sent."""
    assert matches(SECRET, text) is False


def test_a_token_has_one_spelling() -> None:
    """Unused bits, padding, the other alphabet and added characters make another text, which is refused."""
    token = mint(SECRET)
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    twins = [token[:-1] + alphabet[alphabet.index(token[-1]) ^ bit] for bit in range(1, 16)]
    assert all(urlsafe_b64decode(twin + "==") == urlsafe_b64decode(token + "==") for twin in twins)
    for other in (*twins, token + "==", token + "\n", " " + token, token[:40] + "!" + token[40:], token.swapcase()):
        assert not matches(SECRET, other)
    while "-" not in token:
        token = mint(SECRET)
    assert not matches(SECRET, token.replace("-", "+"))


@given(st.integers(0, 63), st.integers(1, 255))
def test_a_token_with_any_bit_changed_is_refused(position: int, flip: int) -> None:
    """Each of the 64 bytes counts."""
    raw = bytearray(urlsafe_b64decode(mint(SECRET) + "=="))
    raw[position] ^= flip
    assert not matches(SECRET, _b64(bytes(raw)))


def _b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


# -- finding the token in a form -------------------------------------------------------------------------

TOKEN = mint(SECRET)
URLENCODED = "application/x-www-form-urlencoded"


def scan(content_type: str, body: bytes, step: int = 10**9) -> str | None:
    """Feed a whole body in chunks, as a server would."""
    scanner = TokenScanner(content_type)
    if not scanner.done:
        for at in range(0, max(len(body), 1), step):
            if scanner.feed(body[at : at + step], last=at + step >= len(body)):
                break
    assert scanner.done
    return scanner.token


def _lines(*lines: str) -> bytes:
    return "\r\n".join(lines).encode()


# As captured from Chromium 156, curl 7.88, Node 20 (undici), requests 2.34, aiohttp 3.14 and wget 1.21.
FORMS = {
    "chromium-urlencoded": (URLENCODED, f"_csrf={TOKEN}&a=x%26y%3Dz%3B+%22q%22+%C3%A9&file=".encode()),
    "curl-urlencoded": (URLENCODED, f"a=1%262&_csrf={TOKEN}".encode()),
    "node-urlencoded": (f"{URLENCODED};charset=UTF-8", f"a=%C3%A9&_csrf={TOKEN}".encode()),
    "requests-urlencoded": (URLENCODED, f"a=%C3%A9&_csrf={TOKEN}&z=".encode()),
    "chromium": (
        "multipart/form-data; boundary=----WebKitFormBoundarykHy9okNp5TJcVtCR",
        _lines(
            "------WebKitFormBoundarykHy9okNp5TJcVtCR",
            'Content-Disposition: form-data; name="_csrf"',
            "",
            TOKEN,
            "------WebKitFormBoundarykHy9okNp5TJcVtCR",
            'Content-Disposition: form-data; name="a"',
            "",
            'x&y=z; "q" é',
            "------WebKitFormBoundarykHy9okNp5TJcVtCR",
            'Content-Disposition: form-data; name="file"; filename="f.txt"',
            "Content-Type: text/plain",
            "",
            "file;content",
            "--x",
            "------WebKitFormBoundarykHy9okNp5TJcVtCR--",
        ),
    ),
    "curl": (
        "multipart/form-data; boundary=------------------------336439892e626faa",
        _lines(
            "--------------------------336439892e626faa",
            'Content-Disposition: form-data; name="file"; filename="f.txt"',
            "Content-Type: text/plain",
            "",
            "file;content",
            "--x",
            "--------------------------336439892e626faa",
            'Content-Disposition: form-data; name="_csrf"',
            "Content-Type: text/plain",
            "",
            TOKEN,
            "--------------------------336439892e626faa--",
            "",
        ),
    ),
    "node": (
        "multipart/form-data; boundary=----formdata-undici-053003577528",
        _lines(
            "------formdata-undici-053003577528",
            'Content-Disposition: form-data; name="a"',
            "",
            "",
            "------formdata-undici-053003577528",
            'Content-Disposition: form-data; name="_csrf"',
            "",
            TOKEN,
            "------formdata-undici-053003577528--",
            "",
        ),
    ),
    "requests": (
        "multipart/form-data; boundary=71683758ccdba1d550b7f89a84cb43cf",
        _lines(
            "--71683758ccdba1d550b7f89a84cb43cf",
            'Content-Disposition: form-data; name="a"',
            "",
            "é",
            "--71683758ccdba1d550b7f89a84cb43cf",
            'Content-Disposition: form-data; name="_csrf"',
            "",
            TOKEN,
            "--71683758ccdba1d550b7f89a84cb43cf",
            'Content-Disposition: form-data; name="file"; filename="n.txt"',
            "",
            "x",
            "--71683758ccdba1d550b7f89a84cb43cf--",
            "",
        ),
    ),
    "aiohttp": (
        "multipart/form-data; boundary=55a2bd593a46429f97edf6c551d6c522",
        _lines(
            "--55a2bd593a46429f97edf6c551d6c522",
            "Content-Type: text/plain; charset=utf-8",
            'Content-Disposition: form-data; name="_csrf"',
            "",
            TOKEN,
            "--55a2bd593a46429f97edf6c551d6c522--",
            "",
        ),
    ),
    "quoted boundary, preamble, other case, bare name": (
        'Multipart/Form-Data; charset="utf-8"; Boundary="a b:c"',
        _lines(
            "a preamble",
            "--a b:c",
            "",
            "a part without headers",
            "--a b:c  ",
            "CONTENT-DISPOSITION:form-data;filename=x;  NAME=_csrf ;x=y",
            'Content-Disposition: form-data; filename="a; name=b"; name="_csrf"',
            "",
            TOKEN,
            "--a b:c--",
            "an epilogue",
        ),
    ),
}


@pytest.mark.parametrize("step", [1, 2, 7, 64, 10**9])
@pytest.mark.parametrize("client", FORMS)
def test_the_token_is_found_in_the_forms_of_real_clients(client: str, step: int) -> None:
    """Whatever the network's chunks, the field is found, and is the token to the letter."""
    assert scan(*FORMS[client], step) == TOKEN


@pytest.mark.parametrize("files", [None, {"file": ("a.txt", b"content")}])
def test_the_token_is_found_in_what_httpx_sends(files: Any) -> None:
    """The client that most tests of applications use, live."""
    request = httpx.Request("POST", "http://testserver/", data={"a": "é &=", "_csrf": TOKEN}, files=files)
    request.read()
    for step in (1, 1000):
        assert scan(request.headers["Content-Type"], request.content, step) == TOKEN


@given(
    st.dictionaries(st.text(max_size=8), st.text(max_size=300), max_size=5),
    st.integers(1, 100),
    st.sampled_from([None, {"file": ("a.bin", b'\r\n--\r\n\r\n_csrf=x&name="_csrf"\r\n' * 50)}]),
)
def test_other_fields_neither_hide_nor_forge_the_token(fields: dict[str, str], step: int, files: Any) -> None:
    """Content that looks like the field, in values or files, is content."""
    fields.pop("_csrf", None)
    plain = httpx.Request("POST", "http://testserver/", data={**fields, "x": "1"}, files=files)
    plain.read()
    assert scan(plain.headers["Content-Type"], plain.content, step) is None
    with_token = httpx.Request("POST", "http://testserver/", data={**fields, "_csrf": TOKEN}, files=files)
    with_token.read()
    assert scan(with_token.headers["Content-Type"], with_token.content, step) == TOKEN


def test_the_scanner_stops_reading_as_soon_as_it_knows() -> None:
    """A gigabyte of upload behind the field is never waited for, let alone kept."""
    content_type, body = FORMS["chromium"]
    scanner = TokenScanner(content_type)
    head = body[: body.index(b'name="a"')]
    assert [scanner.feed(head[:40]), scanner.feed(head[40:]), scanner.feed(b"more", last=True)] == [False, True, True]
    assert scanner.token == TOKEN


@pytest.mark.parametrize("step", [1, 1000, 65_536, 10**9])
def test_a_field_beyond_the_limit_is_not_found_and_nothing_more_is_kept(step: int) -> None:
    """The form's author is told to put it first; memory is bounded by the limit, not by the upload."""
    for content_type, before, after in [
        (URLENCODED, b"a=", f"&_csrf={TOKEN}&".encode()),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n',
            f'\r\n--b\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\n{TOKEN}\r\n--b'.encode(),
        ),
    ]:
        room = SCAN_LIMIT - len(before) - len(after)
        assert scan(content_type, before + b"x" * room + after + b"y" * 100, step) == TOKEN
        assert scan(content_type, before + b"x" * (room + 1) + after + b"y" * 100, step) is None
        scanner = TokenScanner(content_type)
        fed = 0
        while not scanner.feed(b"z" * 1000):
            fed += 1000
            assert len(scanner._buffer) <= SCAN_LIMIT + 2
        assert fed < SCAN_LIMIT
        assert len(scanner._buffer) == 0
        assert TokenScanner(content_type).feed(b"z" * SCAN_LIMIT) is True
    room = SCAN_LIMIT - len(f"a=&_csrf={TOKEN}")
    assert scan(URLENCODED, b"a=" + b"x" * room + f"&_csrf={TOKEN}".encode(), step) == TOKEN
    assert scan(URLENCODED, b"a=" + b"x" * (room + 1) + f"&_csrf={TOKEN}".encode(), step) is None


@pytest.mark.parametrize(
    "content_type",
    [
        *(
            "",
            "application/json",
            "text/plain",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/mixed",
        ),
        *(
            'multipart/form-data; boundary="' + "b" * 71 + '"',
            "multipart/form-data; boundary=" + "b" * 71,
            'multipart/form-data; boundary="b',
            "multipart/form-data; boundary=é",
        ),
        *("application/x-www-form-urlencodedx", "multipart/related; boundary=b", "\ud800;\x00", "; boundary=b"),
    ],
)
def test_what_is_no_form_is_not_read_at_all(content_type: str) -> None:
    """The caller need not hold back a byte of such a body: the search is over before it began."""
    scanner = TokenScanner(content_type)
    assert scanner.done
    assert scanner.feed(f"_csrf={TOKEN}".encode(), last=True) is True
    assert scanner.token is None


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"&", b"=", b"_csrf", b"x_csrf=1", b"_csrf2=1", b"_CSRF=1", b"a=_csrf=1", b"a&_csrf;b=1", b"[_csrf]=1"),
    ],
)
def test_a_form_without_the_field_has_no_token(body: bytes) -> None:
    """The name has to be the whole name."""
    assert scan(URLENCODED, body) is None
    assert scan(URLENCODED, body, 1) is None


def test_only_the_disposition_names_a_part() -> None:
    """Another header's parameter of that name does not hide the field that follows."""
    body = _lines(
        "--b",
        'Content-Type: text/plain; name="_csrf"',
        'Content-Disposition: form-data; filename="name=_csrf"; name="a"',
        "",
        "decoy",
        "--b",
        'Content-Disposition: form-data; name="_csrf"',
        "",
        TOKEN,
        "--b--",
    )
    assert scan("multipart/form-data; boundary=b", body) == TOKEN


def test_an_unfinished_field_is_no_token() -> None:
    """A multipart value ends with its boundary, a URL-encoded one with the body: half a token is none."""
    content_type, body = FORMS["aiohttp"]
    for cut in range(body.index(TOKEN.encode()) + len(TOKEN) + len(body.split(b"\r\n")[0]) + 2):
        assert scan(content_type, body[:cut]) is None
    scanner = TokenScanner(URLENCODED)
    assert [scanner.feed(f"_csrf={TOKEN}".encode()), scanner.feed(b"", last=True)] == [False, True]
    assert scanner.token == TOKEN


def test_the_first_of_two_fields_counts() -> None:
    """One request, one answer: a second field can't be tried after the first."""
    assert scan(URLENCODED, f"_csrf=first&_csrf={TOKEN}".encode()) == "first"
    assert scan(URLENCODED, f"_csrf=&_csrf={TOKEN}".encode()) == ""


def test_another_name_can_be_chosen_but_not_an_ambiguous_one() -> None:
    """A name that clients would encode could be missed, so it is refused where it is set."""
    scanner = TokenScanner(URLENCODED, "form.token-2")
    scanner.feed(b"_csrf=1&form.token-2=found", last=True)
    assert scanner.token == "found"
    for field in ("", "a b", "é", 'x"', "a&b", "a[b]", "x" * 101):
        with pytest.raises(ValueError, match="named by"):
            TokenScanner(URLENCODED, field)


@given(
    st.one_of(
        junk,
        st.just(URLENCODED),
        st.text("ab-", min_size=1, max_size=3).map("multipart/form-data; boundary={}".format),
    ),
    st.lists(
        st.one_of(
            st.binary(max_size=50),
            st.sampled_from(
                [b"\r\n", b"--", b"a", b"ab", b"-", b"&", b"=", b"_csrf", b'name="_csrf"', b";", b":", b'"']
            ),
            st.just(b"Content-Disposition: form-data; name="),
        )
    ),
    st.integers(1, 20),
)
def test_hostile_forms_never_raise_and_chunks_never_change_the_verdict(
    content_type: str, pieces: list[bytes], step: int
) -> None:
    """However the bytes are cut, the scanner finds the same, and never trips."""
    body = b"".join(pieces)
    whole = scan(content_type, body)
    assert scan(content_type, body, step) == whole
    assert scan(content_type, body, 1) == whole
    assert whole is None or not matches(SECRET, whole)


@pytest.mark.parametrize(
    ("content_type", "unit"),
    [
        (URLENCODED, b"&"),
        (URLENCODED, b"a"),
        (URLENCODED, b"_csrf"),
        ("multipart/form-data; boundary=" + "-" * 70, b"-"),
        ("multipart/form-data; boundary=" + "-" * 70, b"\r\n--"),
        ("multipart/form-data; boundary=b", b"\r\n--b\r\n\r\n"),
        ("multipart/form-data; boundary=b", b"\r\n--b\r\nContent-Disposition: form-data; name=" + b";" * 50),
        ("multipart/form-data; boundary=b", b";:\r\n"),
    ],
    ids=str,
)
def test_one_byte_chunks_cost_no_more_than_linear_work(content_type: str, unit: bytes) -> None:
    """Each byte is searched a bounded number of times: 64 KiB of them are no lever."""
    body = unit * (SCAN_LIMIT // len(unit))
    events = 0

    def count(*_: object) -> None:
        nonlocal events
        events += 1

    searched = 0
    scanner = TokenScanner(content_type)
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        for at in range(len(body)):
            searched += len(scanner._buffer) + 1 - scanner._looked
            if scanner.feed(body[at : at + 1]):
                break
    finally:
        sys.setprofile(before)
    assert searched < 100 * len(body)
    assert events < 100 * len(body)
