"""`coatcheck doctor --site`: TLS, plain http, redirects, HSTS, the clock. Each in both outcomes, over real TLS."""

from __future__ import annotations

from email.utils import formatdate
from time import time

import pytest

from tests import certificates
from tests.doctor.stage import HOST, Ask, Names, TlsServer
from tests.doctor.told import path
from tests.servers import AppServer

COOKIE = "__Host-coatcheck=v; Path=/; Secure; HttpOnly; SameSite=Lax"
STARTS = [("set-cookie", COOKIE), ("cache-control", "no-store"), ("vary", "Cookie")]


def test_a_site_as_it_should_be_gets_no_warning(shop: Ask) -> None:
    """Exit code 0, and every check of a site was made."""
    told = shop(path(*STARTS))
    assert told.bad() == {}
    assert told.code == 0
    assert {line.name for line in told.lines} == {
        *("site", "redirect", "plain-http", "tls", "hsts", "date"),
        *("cookie", "secure", "http-only", "same-site", "path", "domain", "prefix", "size", "max-age", "persistent"),
        *("proxy", "jwt", "no-store", "vary"),
    }


@pytest.mark.parametrize(("status", "level"), [(200, "ok"), (401, "ok"), (403, "ok"), (404, "warn"), (503, "fail")])
def test_a_page_that_is_not_there_or_fails_is_told(shop: Ask, status: int, level: str) -> None:
    """A 503 is what visitors get while the store is down."""
    assert shop(path(status=status)).level("site") == level


@pytest.mark.parametrize(
    ("value", "level"),
    [
        ("max-age=31536000; includeSubDomains", "ok"),
        ('max-age="63072000"', "ok"),
        ("max-age=3600", "warn"),
        ("max-age=0", "warn"),
        ("includeSubDomains", "warn"),
        ("xmax-age=31536000", "warn"),
        ("", "warn"),
    ],
)
def test_hsts_of_less_than_a_year_is_told(shop: Ask, value: str, level: str) -> None:
    """ASVS 3.4.1."""
    told = shop(path(("strict-transport-security", value)))
    assert told.level("hsts") == level
    assert {line.requirement for line in told.lines if line.name == "hsts"} == {"ASVS 3.4.1; RFC 6797"}


@pytest.mark.parametrize(
    ("off", "age", "level"), [(0, "0", "ok"), (-90, "0", "warn"), (90, "0", "warn"), (-90, "90", "ok"), (0, "x", "ok")]
)
def test_a_clock_that_is_off_is_told(shop: Ask, off: int, age: str, level: str) -> None:
    """By its Date; an answer from a cache is as old as it says."""
    told = shop(path(("date", formatdate(time() + off, usegmt=True)), ("age", age)))
    assert told.level("date") == level
    assert (level == "ok") is ("s from ours" not in told.text("date"))


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Jan 99999 99:99:99 GMT", "1" * 400])
def test_a_date_that_says_nothing_is_told(shop: Ask, date: str) -> None:
    """And harms nobody."""
    assert "its clock is unknown" in shop(path(("date", date))).text("date")


def test_a_certificate_that_ends_soon_or_is_not_trusted_is_told(
    shop: Ask, doctor: Ask, names: Names, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fourteen days before. One that nobody trusts, and one of another host: no page is looked at."""
    assert shop("/").level("tls") == "ok"
    soon = certificates.make(tmp_path_factory.mktemp("soon"), HOST, days=3)
    with TlsServer("tests.doctor.told:app", soon) as other:
        names.ports[HOST, 443] = other.port
        refused = shop("/")
        assert refused.level("tls") == "fail"
        assert [line.name for line in refused.lines] == ["tls"]
        monkeypatch.setenv("SSL_CERT_FILE", str(soon.authority))
        assert "ends in 2 d" in shop("/").text("tls")
        names.ports["other.example", 443] = other.port
        assert "other.example" in doctor("--site", "https://other.example/").text("tls")


def test_plain_http_that_is_served_is_a_fault(shop: Ask, doctor: Ask, names: Names, site: TlsServer) -> None:
    """Found beside https by its own port, and named itself; a redirect to https, a refusal and nobody are well."""
    assert "nobody answers" in shop("/").text("plain-http")
    with AppServer("tests.doctor.told:app", "--no-date-header") as plain:
        names.ports[HOST, 80] = plain.port
        assert shop("/").level("plain-http") == "fail"
        assert doctor("--site", f"http://{HOST}/").level("plain-http") == "fail"
        leads = path(("location", f"https://{HOST}/"), status=308)
        told = doctor("--site", f"http://{HOST}{leads}")
        assert told.level("plain-http") == "ok"
        assert told.level("hsts") == "ok"
        elsewhere = path(("location", "http://other.example/"), status=308)
        assert doctor("--site", f"http://{HOST}{elsewhere}").level("plain-http") == "fail"
        assert doctor("--site", f"http://{HOST}{path(status=403)}").level("plain-http") == "ok"
        here = doctor("--site", f"{plain.url}/")
        assert here.level("plain-http") == "ok"
    # A port of its own says nothing of plain http.
    names.ports[HOST, 8443] = site.port
    assert doctor("--site", f"https://{HOST}:8443/").level("plain-http") == ""


def test_redirects_are_followed_on_the_same_host_and_no_further(shop: Ask, names: Names) -> None:
    """Five at most; another host is named and not asked; from https to http is a fault, and not followed."""
    page = path(*STARTS)
    for _ in range(5):
        page = path(("location", page), status=302)
    told = shop(page)
    assert (told.level("redirect"), told.level("cookie")) == ("ok", "ok")
    assert "5 redirects" in told.text("redirect")
    told = shop(path(("location", page), status=302))
    assert (told.level("redirect"), told.level("cookie")) == ("warn", "warn")
    assert "another host" in shop(path(("location", "https://other.example/x?ticket=pa55"), status=302)).text(
        "redirect"
    )
    told = shop(path(("location", f"http://{HOST}/"), status=302))
    assert told.level("redirect") == "fail"
    assert {host for host, _ in names.asked} == {HOST}


@pytest.mark.parametrize("location", ["javascript:alert(1)", "https://[::1", "//", "https://:99999/", "ftp://x/"])
def test_a_location_that_leads_nowhere_is_told(shop: Ask, location: str) -> None:
    """A stranger's text: no traceback, and it is not followed."""
    assert shop(path(("location", location), status=302)).level("redirect") == "warn"


def test_a_path_is_taken_as_one_of_this_site(shop: Ask, names: Names) -> None:
    """--path never leads elsewhere, and its query is not printed."""
    for wrong in ("//other.example/", "https://other.example/", "login"):
        assert shop("/", "--path", wrong).level("site") == "warn"
    told = shop("/", "--path", "/reset?token=pa55")
    assert told.code == 1
    assert "/reset: 200" in told.text("site")
    assert "pa55" not in told.out
    assert {host for host, _ in names.asked} == {HOST}


@pytest.mark.parametrize(
    "url", ["shop.example", "ftp://shop.example", "https://", "https://a:pa55@shop.example/", "https://x:y"]
)
def test_a_url_that_is_none_of_a_site_is_a_fault(doctor: Ask, names: Names, url: str) -> None:
    """Nobody is asked, and a password in it is not printed."""
    told = doctor("--site", url)
    assert (told.code, told.level("site")) == (2, "fail")
    assert "pa55" not in told.out
    assert names.asked == []
