"""The cookie: as strict as a browser allows, read from whatever a client sends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck import Commit, CookieSettings
from coatcheck.cookies import MAX_HEADER, Cookie
from coatcheck.errors import ConfigurationError

GOOD, OTHER, BAD = "good.token", "other.token", "bad.token"
SET, DROP, KEEP = Commit("set", GOOD, 60), Commit("drop"), Commit("keep")


def cookie(**settings: Any) -> Cookie:
    return Cookie(CookieSettings(**settings), "shop", {GOOD, OTHER}.__contains__)


# -- writing ---------------------------------------------------------------------------------------------


def test_the_default_is_the_strictest_that_works() -> None:
    """`__Host-`, Secure, HttpOnly, SameSite=Lax, Path=/, no Domain (ASVS 3.3)."""
    assert cookie().set_cookie(SET) == ("__Host-shop=good.token; Max-Age=60; Path=/; Secure; HttpOnly; SameSite=Lax")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"name": "id"}, "__Host-id=good.token; Max-Age=60; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ({"name": "__Secure-id"}, "__Secure-id=good.token; Max-Age=60; Path=/; Secure; HttpOnly; SameSite=Lax"),
        (
            {"domain": "example.org"},
            "__Secure-shop=good.token; Max-Age=60; Path=/; Domain=example.org; Secure; HttpOnly; SameSite=Lax",
        ),
        ({"path": "/app"}, "__Secure-shop=good.token; Max-Age=60; Path=/app; Secure; HttpOnly; SameSite=Lax"),
        ({"same_site": "strict"}, "__Host-shop=good.token; Max-Age=60; Path=/; Secure; HttpOnly; SameSite=Strict"),
        (
            {"same_site": "none", "partitioned": True},
            "__Host-shop=good.token; Max-Age=60; Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
        ),
        ({"http_only": False}, "__Host-shop=good.token; Max-Age=60; Path=/; Secure; SameSite=Lax"),
        ({"secure": False}, "shop-insecure=good.token; Max-Age=60; Path=/; HttpOnly; SameSite=Lax"),
        (
            {"max_age": timedelta(hours=1)},
            "__Host-shop=good.token; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Lax",
        ),
    ],
    ids=str,
)
def test_each_setting_does_what_it_says(settings: dict[str, Any], expected: str) -> None:
    """And changes nothing else."""
    assert cookie(**settings).set_cookie(SET) == expected


def test_a_cookie_that_is_not_remembered_ends_with_the_browser() -> None:
    """No Max-Age; one beyond 400 days is what browsers allow."""
    assert "Max-Age" not in (cookie().set_cookie(Commit("set", GOOD, None)) or "")
    assert "Max-Age=34560000;" in (cookie().set_cookie(Commit("set", GOOD, 10**9)) or "")


def test_dropping_names_the_same_cookie() -> None:
    """Same name, path and domain, or the browser would keep it."""
    drop = cookie(domain="example.org", path="/app").set_cookie(DROP) or ""
    assert drop.startswith("__Secure-shop=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/app; ")
    assert "Domain=example.org" in drop


def test_no_cache_keeps_a_response_that_hands_out_a_session() -> None:
    """no-store with every Set-Cookie, Vary with every look; "keep" sends no cookie."""
    assert cookie().headers(KEEP) == [("Vary", "Cookie")]
    for result in (SET, DROP):
        headers = dict(cookie().headers(result))
        assert headers["Cache-Control"] == "no-store"
        assert headers["Vary"] == "Cookie"
        assert headers["Set-Cookie"] == cookie().set_cookie(result)


def test_plain_http_gets_another_name_that_never_serves_https() -> None:
    """A network attacker who plants a cookie over http on a development machine plants nothing for https."""
    one = cookie()
    assert one.set_cookie(SET, secure=False) == "shop-insecure=good.token; Max-Age=60; Path=/; HttpOnly; SameSite=Lax"
    header = f"shop-insecure={OTHER}; __Host-shop={GOOD}"
    assert one.read(header, secure=True) == GOOD
    assert one.read(header, secure=False) == OTHER
    assert one.read(f"shop-insecure={OTHER}", secure=True) is None


@pytest.mark.parametrize("settings", [{"secure": True}, {"same_site": "none"}], ids=str)
def test_a_cookie_that_must_be_secure_is_so_everywhere(settings: dict[str, Any]) -> None:
    """A proxy that hides https downgrades nobody."""
    assert "; Secure" in (cookie(**settings).set_cookie(SET, secure=False) or "")


@pytest.mark.parametrize("value", ["0", "false", "No", " off "])
def test_the_environment_can_switch_secure_off(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """For a plain http intranet, without editing code; an explicit setting wins."""
    monkeypatch.setenv("COATCHECK_COOKIE_SECURE", value)
    assert "Secure" not in (cookie().set_cookie(SET) or "")
    assert "Secure" in (cookie(secure=True).set_cookie(SET) or "")
    monkeypatch.setenv("COATCHECK_COOKIE_SECURE", "1")
    assert "Secure" in (cookie().set_cookie(SET) or "")


@pytest.mark.parametrize(
    "settings",
    [
        {"name": ""},
        {"name": "a b"},
        {"name": "a;b"},
        {"name": "sitzüng"},
        {"path": "app"},
        {"path": "/a; Domain=evil.example"},
        {"path": "/a\r\nSet-Cookie: x"},
        {"domain": "evil.example; Path=/"},
        {"domain": ""},
        {"same_site": "Lax"},
        {"name": "__Host-id", "domain": "example.org"},
        {"name": "__host-id", "path": "/app"},
        {"name": "__Http-id", "http_only": False},
        {"name": "__HOST-HTTP-id", "http_only": False},
        {"secure": False, "name": "__Secure-id"},
        {"secure": False, "same_site": "none"},
        {"secure": False, "partitioned": True},
        {"max_age": timedelta(0)},
        {"max_age": timedelta(days=401)},
    ],
    ids=str,
)
def test_what_browsers_refuse_does_not_start(settings: dict[str, Any]) -> None:
    """Nor what would smuggle an attribute or a header."""
    with pytest.raises(ConfigurationError):
        CookieSettings(**settings)


# -- reading ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, None),
        ("", None),
        ("theme=dark", None),
        (f"__Host-shop={GOOD}", GOOD),
        (f"theme=dark; __Host-shop={GOOD}; x=1", GOOD),
        (f"theme=dark;__Host-shop={GOOD};x=1", GOOD),
        (f'__Host-shop="{GOOD}"', GOOD),
        (f"__Host-shop={GOOD} ; x=1", GOOD),
        (f"x__Host-shop={GOOD}", None),
        (f"__Host-shop2={GOOD}", None),
        (f"__Host-shop_={GOOD}; =__Host-shop={GOOD}", None),
        (f"x=a,__Host-shop={GOOD}", None),
        (f"__host-shop={GOOD}", None),
        ("__Host-shop=", ""),
        ("__Host-shop", None),
        (f"__Host-shop={GOOD}; __Host-shop={GOOD}", GOOD),
        (f"__Host-shop={BAD}; __Host-shop={GOOD}", GOOD),
        (f"__Host-shop={GOOD}; __Host-shop={OTHER}", None),
        (f"__Host-shop={BAD}; __Host-shop=worse", None),
        ("; ".join([*(f"__Host-shop={n}" for n in range(20)), f"__Host-shop={GOOD}"]), None),
        (f"__Host-shop={GOOD}; x=" + "y" * MAX_HEADER, None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_reading_finds_our_cookie_and_no_other(header: str | None, found: str | None) -> None:
    """Of two of our name with valid, different tokens one was planted: neither counts. Bounded in size."""
    assert cookie().read(header) == found
    assert cookie().read(header.encode() if header else None) == found


@given(st.binary() | st.text(st.characters(exclude_categories=())))
def test_a_hostile_header_never_raises(header: str | bytes) -> None:
    """Whatever comes, it is a text or nothing; before or after our own cookie too."""
    one = cookie()
    assert isinstance(one.read(header), str | None)
    ours = f"; __Host-shop={GOOD}"
    both = header + (ours if isinstance(header, str) else ours.encode())  # type: ignore[operator]
    assert isinstance(one.read(both), str | None)
