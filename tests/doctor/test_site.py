"""`coatcheck doctor --site`: TLS, plain http, redirects, HSTS, the clock. Each in both outcomes, over real TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from coatcheck.cli import main
from coatcheck.cli.doctor.subjects import SUBJECTS
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
    every = {name for name, subject in SUBJECTS.items() if subject.about in ("site", "cookie")}
    assert {line.name for line in told.lines} == every


def test_a_site_as_it_should_not_be_gets_all_of_them(shop: Ask, doctor: Ask, names: Names, site: TlsServer) -> None:
    """Every check of a site and of a cookie can fail."""
    worst = f"coatcheck-insecure={'x' * 4096}; Path=here; Domain=other.example; Max-Age=99999999"
    page = path(
        ("set-cookie", worst),
        ("set-cookie", "login=eyJhbGciOiJub25lIn0.e30."),
        ("strict-transport-security", ""),
        ("date", "now+600"),
        status=503,
    )
    names.ports["other.example", 443] = site.port
    told = [shop(page, "--preset", "nist-aal2"), shop("/"), doctor("--site", "https://other.example/")]
    told += [shop(path(("location", f"http://{HOST}/"), status=302))]
    with AppServer("tests.doctor.told:app", "--no-date-header") as plain:
        names.ports[HOST, 80] = plain.port
        told += [shop("/")]
    bad = {name for one in told for name in one.bad()}
    assert bad == {name for name, subject in SUBJECTS.items() if subject.about in ("site", "cookie")}
    assert all(one.code == 2 for one in told if one is not told[1])
    for line in (line for one in told for line in one.lines if line.level != "ok"):
        assert line.remedy, line.name
        assert line.requirement or line.name == "site"


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
    told = shop(path(("date", f"now{off:+}"), ("age", age)))
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


def test_a_location_that_is_no_ascii_is_followed(shop: Ask) -> None:
    """As browsers do: what may not stand in a request is encoded, and what was encoded stays."""
    told = shop(path(("location", "/caf\xe9 au%20lait?x=<y>"), status=302))
    assert told.level("site") == "ok"
    assert "1 redirect, on this host" in told.text("redirect")


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


def test_a_line_says_what_to_do_and_by_which_requirement(
    shop: Ask, names: Names, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people: one line for each check, and with -q only what is not well."""
    page = path(("set-cookie", COOKIE.replace("; HttpOnly", "")), *STARTS[1:])
    assert main(["doctor", "--site", f"https://{HOST}{page}", "-q"]) == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("fail  http-only    __Host-coatcheck: no HttpOnly")
    assert line.endswith("Set HttpOnly  [ASVS 3.3.4; RFC 6265bis, 4.1.2.6; NIST SP 800-63B-4, 5.1.1]")
    assert main(["doctor", "--site", f"https://{HOST}{page}"]) == 2
    assert "ok    secure       __Host-coatcheck: Secure\n" in capsys.readouterr().out


def test_an_option_that_has_nothing_to_work_on_is_told(doctor: Ask, tmp_path: Path) -> None:
    """A preset or a path without anything to look at would be an all-clear that nobody gave."""
    told = doctor(f"sqlite:///{tmp_path}/new.db", "--preset", "nist-aal2", "--path", "/login")
    assert {"site", "timeouts"} <= {*told.bad()}


@pytest.mark.parametrize(
    "url", ["shop.example", "ftp://shop.example", "https://", "https://a:pa55@shop.example/", "https://x:y"]
)
def test_a_url_that_is_none_of_a_site_is_a_fault(doctor: Ask, names: Names, url: str) -> None:
    """Nobody is asked, and a password in it is not printed."""
    told = doctor("--site", url)
    assert (told.code, told.level("site")) == (2, "fail")
    assert "pa55" not in told.out
    assert names.asked == []
