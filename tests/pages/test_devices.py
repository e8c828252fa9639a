"""Your devices: everything of the asker's, nothing of anybody else's, and an end to any of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette

from coatcheck import SessionManager
from coatcheck.pages import MAX_BODY, Ask, Devices, answer, fields
from coatcheck.testing import FakeClock
from tests.pages.conftest import Visits
from tests.pages.site import Visitor, site

HOSTILE = "<script>alert(1)</script>\"'&"


def test_a_user_sees_every_device_of_their_own_and_no_other(visits: Visits) -> None:
    """Which browser, from where, since when, and which is this one."""
    visits("bob", "Mozilla/5.0 (Windows NT 10.0) Firefox/130.0")
    visits("ada", "Mozilla/5.0 (iPhone) Safari/600", label="my phone")
    page = visits("ada", "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0").get("/devices/")
    assert "Firefox on Linux this device" in page
    assert "my phone Safari on iPhone" in page
    assert "Windows" not in page


def test_one_device_is_signed_out_at_once(visits: Visits) -> None:
    """The other goes on; it is told what happened where it asks."""
    one, other = visits("ada"), visits("ada")
    one.get("/devices/")
    assert "One device was signed out." in one.post("/devices/", handle=other.handle)
    assert [one.http.get("/devices/").status_code, other.http.get("/devices/").status_code] == [200, 401]


def test_all_others_are_signed_out_and_this_one_stays(visits: Visits) -> None:
    """Nobody else's."""
    one, others, bob = visits("ada"), [visits("ada") for _ in range(3)], visits("bob")
    one.get("/devices/")
    assert "3 devices were signed out." in one.post("/devices/", others="1")
    assert [other.http.get("/devices/").status_code for other in others] == [401] * 3
    assert bob.http.get("/devices/").status_code == one.http.get("/devices/").status_code == 200


def test_signing_this_device_out_ends_the_session_and_says_so(visits: Visits) -> None:
    """With the way back in."""
    one = visits("ada")
    one.get("/devices/")
    assert "You are signed out" in one.post("/devices/", handle=one.handle)
    assert "/login?next=/devices/" in one.html
    assert one.http.get("/devices/").status_code == 401


def test_nobody_signs_somebody_elses_device_out(visits: Visits) -> None:
    """Whatever handle the form names (ASVS 8.2.2)."""
    ada, bob = visits("ada"), visits("bob")
    bob.get("/devices/")
    assert "That device was signed out already." in bob.post("/devices/", handle=ada.handle)
    assert ada.http.get("/devices/").status_code == 200


@pytest.mark.parametrize("token", ["", "x", "AAAA"])
def test_a_form_without_the_right_token_does_nothing(visits: Visits, token: str) -> None:
    """Also where the application's own protection is off."""
    ada, other = visits("ada"), visits("ada")
    ada.get("/devices/")
    assert "Nothing was changed" in ada.post("/devices/", forged=True, _csrf=token)
    assert ada.status == 403
    assert other.http.get("/devices/").status_code == 200


def test_who_finds_a_browser_open_is_asked_to_sign_in_again(visits: Visits, clock: FakeClock) -> None:
    """Neither the list nor an end without a fresh sign-in (ASVS 7.5.2)."""
    ada = visits("ada")
    ada.get("/devices/")
    clock.advance(timedelta(minutes=11))
    assert "Please sign in again" in ada.post("/devices/", others="1")
    assert ada.status == 403
    assert "Please sign in again" in ada.get("/devices/")


def test_a_visitor_is_led_to_the_sign_in(visits: Visits) -> None:
    """401, and back to this page afterwards."""
    visitor = visits()
    assert "Please sign in" in visitor.get("/devices/")
    assert visitor.status == 401
    assert 'href="/login?next=/devices/"' in visitor.html


def test_what_a_client_sent_is_shown_as_text(visits: Visits) -> None:
    """A browser's name and a label are anybody's to choose."""
    ada = visits("ada", HOSTILE, label=HOSTILE)
    page = ada.get("/devices/?ended=<b>&after=x")
    assert "<script>alert" not in ada.html
    assert HOSTILE in page
    assert "<b>" not in ada.html


def test_no_page_can_be_framed_cached_or_made_to_run_anything(visits: Visits) -> None:
    """Its own style sheet, its own script, and nothing else (ASVS 3.4.3, 3.4.6)."""
    ada = visits("ada")
    answer = ada.http.get("/devices/")
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "style=" not in answer.text
    style = ada.http.get("/devices/style.css")
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")


def test_a_list_that_is_long_goes_on_at_the_next_page(
    visits: Visits, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once, newest first."""
    monkeypatch.setattr("coatcheck.pages.devices.SHOWN", 2)
    devices = []
    for number in range(5):
        clock.advance(timedelta(seconds=1))
        devices.append(visits("ada", label=f"number {number}"))
    ada = devices[-1]
    first = ada.get("/devices/")
    second = ada.get("/devices/?after=" + ada.html.partition("/devices/?after=")[2][:22])
    assert [number for number in range(5) if f"number {number} " in first] == [3, 4]
    assert [number for number in range(5) if f"number {number} " in second] == [1, 2]


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/devices/"), ("GET", "/devices/x"), ("POST", "/devices/style.css")]
)
def test_what_is_not_there_is_not_found(visits: Visits, method: str, path: str) -> None:
    """In plain words, changing nothing."""
    ada = visits("ada")
    assert ada.http.request(method, path).status_code in (403, 404)


def test_a_form_that_broke_off_ends_less_and_never_more(visits: Visits) -> None:
    """A connection that ends in the midst of it leaves the token and no handle: that is not "all others"."""
    ada, other = visits("ada"), visits("ada")
    ada.get("/devices/")
    assert "Nothing was changed" in ada.post("/devices/")
    assert ada.status == 400
    assert other.http.get("/devices/").status_code == 200


def test_a_form_that_is_too_large_is_refused(visits: Visits) -> None:
    """Before it is read whole."""
    ada = visits("ada")
    ada.get("/devices/")
    assert "too large" in ada.post("/devices/", handle="x" * 20_000)
    assert ada.status == 413


def test_texts_are_translated_and_the_look_is_the_applications(clock: FakeClock, tmp_path: Path) -> None:
    """Every English text goes through `translate`; a style sheet of one's own comes last, and may be elsewhere."""
    asked: list[str] = []

    def translate(text: str) -> str:
        asked.append(text)
        return {"Your devices": "Deine Geräte", "Sign out": "Abmelden"}.get(text, text)

    app: Starlette = site(
        clock,
        f"sqlite:///{tmp_path}/s.db",
        translate=translate,
        language=lambda: "de",
        stylesheet="https://cdn.example/brand.css",
        home_url="/home",
    )
    ada = Visitor(app, "ada")
    page = ada.get("/devices/")
    assert "Deine Geräte" in page
    assert "Abmelden" in page
    assert '<html lang="de">' in ada.html
    assert ada.html.index("style.css") < ada.html.index("https://cdn.example/brand.css")
    assert "style-src 'self' https://cdn.example;" in ada.http.get("/devices/").headers["content-security-policy"]
    assert {"You are signed in here. What you sign out is signed out at once.", "just now"} <= set(asked)


def test_a_store_that_is_down_is_said_and_signs_nobody_out(app: Starlette, visits: Visits, tmp_path: Path) -> None:
    """503 from the middleware, as everywhere."""
    ada = visits("ada")
    store = app.state.manager.store.store

    def fails(*_: object) -> None:
        from coatcheck.errors import StoreUnavailable

        raise StoreUnavailable("the disk is gone")

    store.sessions, kept = fails, store.sessions
    assert ada.http.get("/devices/").status_code == 503
    store.sessions = kept
    assert ada.http.get("/devices/").status_code == 200


def test_fields_are_text_and_bounded_whatever_the_network_sends() -> None:
    """Lone surrogates, as a server makes them of bytes that are no UTF-8, would be refused by stores."""
    for hostile in ("id=\udcff", "id=%ed%a0%80", "id=\xe4", b"id=\xff"):
        fields(hostile)["id"].encode()
    assert len(fields("id=" + "x" * 99_999)["id"]) < MAX_BODY
    assert len(fields("&".join(f"{n}=x" for n in range(99)))) == 20
    assert fields("id=ada&id=eve") == {"id": "ada"}


@pytest.mark.parametrize(
    ("stylesheet", "source"),
    [
        ("https://cdn.example/brand.css", "'self' https://cdn.example;"),
        ("//cdn.example/brand.css", "'self' cdn.example;"),
        ("/brand.css", "'self';"),
    ],
)
def test_ones_own_style_sheet_is_allowed_by_the_policy(stylesheet: str, source: str) -> None:
    """And nothing else of its host's kind."""
    with SessionManager("memory://", namespace="look") as manager:
        ask = Ask("GET", "/", "/devices", manager.load(None))
        reply = answer(Devices(stylesheet=stylesheet), ask, manager)
    assert f"style-src {source}" in dict(reply.text_headers)["content-security-policy"]
