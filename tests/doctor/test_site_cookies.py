"""`coatcheck doctor --site`: each flag of the session's cookie, JWTs, lifetimes, caches. Each in both outcomes."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from email.utils import formatdate
from time import time

import flask
import jwt
import pytest
from flask.sessions import SecureCookieSessionInterface
from hypothesis import given
from hypothesis import strategies as st

from coatcheck import SessionManager
from coatcheck.cli.doctor import said
from tests.doctor.shop import KEY
from tests.doctor.stage import HOST, Ask, Told
from tests.doctor.told import path

CACHED = [("cache-control", "no-store"), ("vary", "Cookie")]
SECRET_VALUE = "v4lue-that-must-not-be-printed"
NAME = "__Host-coatcheck"
FLAGS = "Path=/; Secure; HttpOnly; SameSite=Lax"


def look(shop: Ask, cookie: str, *arguments: str, cached: list[tuple[str, str]] | None = None) -> Told:
    """A page that sets one cookie."""
    told = shop(path(("set-cookie", cookie), *(CACHED if cached is None else cached)), *arguments)
    assert SECRET_VALUE not in told.out
    return told


@pytest.mark.parametrize(
    ("cookie", "name", "level"),
    [
        # Secure.
        (f"{NAME}=V; Path=/; Secure; HttpOnly; SameSite=Lax", "secure", "ok"),
        (f"{NAME}=V; Path=/; HttpOnly; SameSite=Lax", "secure", "fail"),
        (f"{NAME}=V; Path=/; secure ; HttpOnly; SameSite=Lax", "secure", "ok"),
        (f"{NAME}=V; Path=/; Secured; HttpOnly; SameSite=Lax", "secure", "fail"),
        # HttpOnly.
        (f"{NAME}=V; {FLAGS}", "http-only", "ok"),
        (f"{NAME}=V; Path=/; Secure; SameSite=Lax", "http-only", "fail"),
        # SameSite.
        (f"{NAME}=V; Path=/; Secure; HttpOnly; SameSite=strict", "same-site", "ok"),
        (f"{NAME}=V; Path=/; Secure; HttpOnly", "same-site", "warn"),
        (f"{NAME}=V; Path=/; Secure; HttpOnly; SameSite=Loose", "same-site", "warn"),
        (f"{NAME}=V; Path=/; Secure; HttpOnly; SameSite=None", "same-site", "warn"),
        (f"{NAME}=V; Path=/; HttpOnly; SameSite=None", "same-site", "fail"),
        # Path.
        (f"{NAME}=V; Path=/; Secure; HttpOnly; SameSite=Lax", "path", "ok"),
        (f"{NAME}=V; Path=/shop; Secure; HttpOnly; SameSite=Lax", "path", "fail"),
        (f"{NAME}=V; Secure; HttpOnly; SameSite=Lax", "path", "fail"),
        ("__Secure-coatcheck=V; Path=/shop; Secure; HttpOnly; SameSite=Lax", "path", "ok"),
        ("__Secure-coatcheck=V; Secure; HttpOnly; SameSite=Lax", "path", "warn"),
        # Domain.
        (f"{NAME}=V; {FLAGS}", "domain", "ok"),
        (f"{NAME}=V; {FLAGS}; Domain={HOST}", "domain", "fail"),
        (f"__Secure-coatcheck=V; {FLAGS}; Domain=.example", "domain", "warn"),
        (f"__Secure-coatcheck=V; {FLAGS}; Domain=other.example", "domain", "fail"),
        (f"__Secure-coatcheck=V; {FLAGS}; Domain=hop.example", "domain", "fail"),
        # The prefix.
        (f"{NAME}=V; {FLAGS}", "prefix", "ok"),
        (f"__Host-Http-coatcheck=V; {FLAGS}", "prefix", "ok"),
        (f"__Secure-coatcheck=V; {FLAGS}; Domain={HOST}", "prefix", "ok"),
        (f"__Secure-coatcheck=V; {FLAGS}", "prefix", "warn"),
        (f"coatcheck-insecure=V; {FLAGS}", "prefix", "warn"),
        # Size.
        (f"{NAME}={'x' * 4000}; {FLAGS}", "size", "ok"),
        (f"{NAME}={'x' * 4096}; {FLAGS}", "size", "fail"),
        # Of two of a kind the last counts.
        (f"{NAME}=V; Path=/shop; {FLAGS}", "path", "ok"),
        (f"{NAME}=V; {FLAGS}; SameSite=None", "same-site", "warn"),
    ],
)
def test_each_flag_is_judged_as_browsers_take_it(shop: Ask, cookie: str, name: str, level: str) -> None:
    """Over https, for the session's cookie by its name; the value is never printed."""
    told = look(shop, cookie.replace("=V;", f"={SECRET_VALUE};"))
    assert told.level(name) == level
    if level == "ok":
        assert told.level("cookie") == "ok"
    else:
        (line,) = [line for line in told.lines if line.name == name]
        assert line.remedy
        assert "RFC 6265bis" in line.requirement or "ASVS" in line.requirement


def test_a_site_that_sets_no_session_is_told_so(shop: Ask) -> None:
    """It is no all-clear: nobody knows the flags. A deleted cookie is none; another page may set one."""
    told = shop("/")
    assert told.bad() == {"cookie": "warn"}
    assert "--path" in told.text("cookie")
    assert look(shop, f"{NAME}=; Max-Age=0; Path=/").level("cookie") == "warn"
    assert look(shop, f"{NAME}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT").level("cookie") == "warn"
    page = path(("set-cookie", f"{NAME}={SECRET_VALUE}; {FLAGS}"), *CACHED)
    assert shop("/", "--path", page).bad() == {}


def test_a_cookie_of_another_name_is_known_by_the_form_of_its_value(shop: Ask) -> None:
    """`CookieSettings(name=...)`, and `token_format="jwt"`, which is no session in a JWT."""
    for token_format in ("signed", "jwt"):
        with SessionManager("memory://", secret=KEY, token_format=token_format) as manager:
            session = manager.load(None)
            session["cart"] = [1]
            token = manager.commit(session).token or ""
        told = look(shop, f"basket={token}; Path=/; Secure; SameSite=Lax")
        assert token not in told.out
        assert token.split(".")[1] not in told.out
        assert told.bad() == {"http-only": "fail", "prefix": "warn"}
    assert look(shop, f"{'a' * 86}=1; Path=/").level("secure") == ""


@pytest.mark.parametrize(
    ("arguments", "age", "level"),
    [
        ((), "", "ok"),
        ((), "; Max-Age=34560000", "ok"),
        ((), "; Max-Age=34560002", "warn"),
        (("--preset", "nist-aal1"), "; Max-Age=2592000", "ok"),
        (("--preset", "nist-aal1"), "; Max-Age=2592060", "fail"),
        (("--preset", "NIST_AAL2"), "; Max-Age=86400", "ok"),
        (("--preset", "nist-aal2"), "; Max-Age=86460", "fail"),
        (("--preset", "nist-aal2"), "; Expires=EXPIRES", "fail"),
        (("--preset", "nist-aal2"), "; Max-Age=60; Expires=EXPIRES", "ok"),
        (("--preset", "nist-aal2"), "; Max-Age=soon", "ok"),
        (("--preset", "nist-aal2"), f"; Max-Age={'9' * 5000}", "ok"),
    ],
)
def test_a_lifetime_is_compared_with_the_chosen_preset(
    shop: Ask, arguments: tuple[str, ...], age: str, level: str
) -> None:
    """By Max-Age, else by Expires, as browsers read them; what is no number is none."""
    expires = formatdate(time() + 40 * 86_400, usegmt=True)
    told = look(shop, f"{NAME}={SECRET_VALUE}; {FLAGS}{age.replace('EXPIRES', expires)}", *arguments)
    assert told.level("max-age") == level


@pytest.mark.parametrize(
    ("preset", "age", "level"),
    [("nist-aal2", "; Max-Age=60", "warn"), ("nist-aal2", "", "ok"), ("nist-aal1", "; Max-Age=60", "ok")],
)
def test_a_cookie_that_survives_the_browser_against_its_preset_is_told(
    shop: Ask, preset: str, age: str, level: str
) -> None:
    """NIST SP 800-63B-4, 5.1: not persistent."""
    assert look(shop, f"{NAME}=v; {FLAGS}{age}", "--preset", preset).level("persistent") == level


def token(header: dict[str, object]) -> str:
    """A JWT's form with this header."""
    part = urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    return f"{part}.{SECRET_VALUE}.{SECRET_VALUE}"


@pytest.mark.parametrize(
    ("value", "level"),
    [
        (jwt.encode({"sub": "ada"}, KEY, algorithm="HS256"), "warn"),
        (token({"alg": "RS256"}), "warn"),
        (token({"alg": "dir", "enc": "A256GCM"}) + f".{SECRET_VALUE}.{SECRET_VALUE}", "warn"),
        (f'"{token({"alg": "HS256"})}"', "warn"),
        (f"Bearer%20{token({'alg': 'HS256'})}", "warn"),
        (token({"alg": "none"}), "fail"),
        (token({"alg": "NoNe"}).rpartition(".")[0] + ".", "fail"),
        (token({"kid": "1"}), "ok"),
        (token({"alg": 1}), "ok"),
        ("a.b", "ok"),
        ("eyJhbGciOiJI.e30", "ok"),
        (f"{'A' * 5000}.b.c", "ok"),
        ("..", "ok"),
    ],
)
def test_a_session_in_a_jwt_is_told(shop: Ask, value: str, level: str) -> None:
    """Three parts, or five, whose first is JSON with an `alg`; its flags are judged as a session's are."""
    told = look(shop, f"login={value}; {FLAGS}")
    assert told.level("jwt") == level
    assert told.level("secure") == ("" if level == "ok" else "ok")
    assert told.level("prefix") == ("" if level == "ok" else "warn")


def test_a_flask_cookie_is_no_jwt(shop: Ask) -> None:
    """It has three parts in base64url, too."""
    app = flask.Flask("shop")
    app.secret_key = KEY
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer is not None
    signed = str(serializer.dumps({"cart": [1]}))
    assert signed.count(".") == 2
    assert look(shop, f"session={signed}; {FLAGS}").level("jwt") == "ok"


@pytest.mark.parametrize(
    ("cookie", "headers", "level"),
    [
        (NAME, [("cache-control", "no-store")], "ok"),
        (NAME, [("cache-control", "private, No-Store")], "ok"),
        (NAME, [("cache-control", "private"), ("cache-control", "no-store")], "ok"),
        (NAME, [], "fail"),
        (NAME, [("cache-control", "private, no-cache")], "fail"),
        (NAME, [("cache-control", "no-store"), ("age", "12")], "fail"),
        (NAME, [("cache-control", "no-store"), ("age", "0")], "ok"),
        ("colour", [], "warn"),
        ("colour", [("cache-control", "no-store"), ("age", "12")], "ok"),
    ],
)
def test_what_sets_a_cookie_is_kept_by_no_cache(
    shop: Ask, cookie: str, headers: list[tuple[str, str]], level: str
) -> None:
    """A session's is a fault, another cookie a warning. `Age` shows that a cache did keep it."""
    told = look(shop, f"{cookie}=v; {FLAGS}", cached=[("vary", "cookie"), *headers])
    assert told.level("no-store") == level


@pytest.mark.parametrize(
    ("vary", "level"),
    [("Cookie", "ok"), ("accept-encoding, cookie", "ok"), ("*", "ok"), ("Cookies", "warn"), ("", "warn")],
)
def test_what_sets_a_cookie_varies_by_it(shop: Ask, vary: str, level: str) -> None:
    """RFC 9110, 12.5.5."""
    assert (
        look(shop, f"{NAME}=v; {FLAGS}", cached=[("cache-control", "no-store"), ("vary", vary)]).level("vary") == level
    )


def test_a_page_that_sets_no_cookie_may_be_kept(shop: Ask) -> None:
    """Nothing is said of it."""
    told = shop(path(("cache-control", "public, max-age=600"), ("age", "5")))
    assert (told.level("no-store"), told.level("vary")) == ("", "")


@pytest.mark.parametrize(
    "cookie",
    [
        SECRET_VALUE,
        f"={SECRET_VALUE}",
        f" ; {SECRET_VALUE}",
        f"{token({'alg': 'HS256'})}",
        f"{NAME}={SECRET_VALUE}; Domain={SECRET_VALUE[:3]}\x9b; Path=/\xe9; Expires={'9' * 900}",
        f"{NAME}=\x9b31m{SECRET_VALUE}",
        ";" * 5000,
        f"{NAME}={SECRET_VALUE}{'; a=b' * 5000}",
    ],
)
def test_a_hostile_cookie_is_only_text(shop: Ask, cookie: str) -> None:
    """A nameless one is all value; nothing of it moves a terminal's cursor, and none raises."""
    told = look(shop, cookie)
    assert "\x9b" not in told.out
    assert told.code in (1, 2)


def test_a_nameless_jwt_is_found_and_not_printed(shop: Ask) -> None:
    """Without an equals sign all of it is value, as browsers store it."""
    told = look(shop, f"{token({'alg': 'HS256'})}; {FLAGS}")
    assert told.level("jwt") == "warn"
    assert "a nameless cookie" in told.text("jwt")


def test_a_strangers_text_is_shown_as_printable_ascii_and_cut() -> None:
    """No sequence for the terminal, no text that runs from right to left, and no screenful."""
    assert said.shown("a\x1b[31m\x9bé\u202e~\n", 20) == "a?[31m???~?"
    assert said.shown("x" * 100, 10) == "x" * 10 + "..."


@given(st.text(st.characters(max_codepoint=255), max_size=300), st.booleans(), st.booleans())
def test_no_header_raises_and_none_shows_its_value(attributes: str, https: bool, local: bool) -> None:
    """Whatever follows the value: each check is made once, and says what it is to say."""
    one = said.read(f"{NAME}={SECRET_VALUE};{attributes}", 0.0)
    checks = [*said.judged(one, HOST, https=https, local=local), said.lifetime(one, 60.0, "the test")]
    assert len({check.name for check in checks}) == len(checks) == 8
    for check in checks:
        assert check.line.isprintable()
        assert SECRET_VALUE not in check.line + repr(one)
    assert said.read(attributes, 0.0).label
