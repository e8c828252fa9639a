"""What a hostile page, a script or a copy of a page gets out of the demo: nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape

import pytest

from coatcheck_lab.elsewhere import elsewhere
from tests.browser.device import Device
from tests.lab.demo import DemoServer

pytestmark = pytest.mark.browser

PAGES = ("/", "/notes", "/devices", "/token", "/password", "/people", "/confirm", "/cellar", "/download")


@contextmanager
def _other_site(page: str) -> Iterator[int]:
    """A site of somebody else's, which serves one page; its port."""
    with elsewhere() as there:
        there.page = page
        yield there.port


def test_the_browser_keeps_the_cookie_as_strictly_as_it_can(device: Callable[..., Device]) -> None:
    """__Host-, Secure, HttpOnly, SameSite=Lax, for the whole host and no other: as the browser sees them."""
    browser = device("alice")
    assert browser.cookie is not None
    assert {**browser.cookie, "value": ""} == {
        "name": "__Host-coatcheck-demo",
        "value": "",
        "domain": "127.0.0.1",
        "path": "/",
        "expires": -1,
        "httpOnly": True,
        "secure": True,
        "sameSite": "Lax",
    }


def test_a_script_in_the_page_cannot_read_the_token(device: Callable[..., Device]) -> None:
    """Neither as a cookie nor in any storage."""
    browser = device("alice")
    assert browser.page.evaluate("document.cookie") == ""
    assert browser.page.evaluate("localStorage.length + sessionStorage.length") == 0
    assert browser.page.evaluate("window.cookieStore ? cookieStore.getAll() : []") == []


def test_no_page_contains_the_token(device: Callable[..., Device]) -> None:
    """Not whole, not its secret, not its tag; a saved page, a screenshot or a log of bodies is no credential."""
    browser = device("morgan")
    parts = {browser.token, *browser.token.split(".")[1:]}
    assert len(parts) == 3
    for path in PAGES:
        response = browser.go(path)
        body = response.text() + browser.page.content() + str(response.all_headers())
        assert [part for part in parts if part in body] == [], path
    browser.go("/")
    browser.press("Show a link to Opening night")
    link = browser.page.get_by_label("The link, to copy").input_value()
    assert [part for part in parts if part in browser.page.content()] == []
    assert browser.token.split(".")[1] not in link


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"], ids=["another port", "another host"])
def test_a_form_on_another_site_changes_nothing(device: Callable[..., Device], demo: DemoServer, host: str) -> None:
    """Refused even with a valid token in it, as if that had leaked; the same form from here works."""
    browser = device("alice")
    browser.go("/notes")
    token = browser.page.locator("input[name=_csrf]").first.input_value()
    form = (
        f'<form method="post" action="{demo.url}/notes/title">'
        f'<input name="_csrf" value="{escape(token)}"><input name="title" value="Planted">'
        "<button>Win a prize</button></form>"
    )
    with _other_site(f"<!doctype html><title>A prize</title>{form}") as port:
        browser.page.goto(f"http://{host}:{port}/")
        assert browser.press("Win a prize").status == 403
    assert "This form came from another site" in browser.page.inner_text("body")
    browser.go("/notes")
    assert "Planted" not in browser.page.content()
    browser.fill("Title", "Mine")
    browser.press("Save the title")
    assert browser.message == "The title is saved."


def test_a_form_without_its_token_changes_nothing(device: Callable[..., Device]) -> None:
    """From the right origin, but not from one of the demo's pages."""
    browser = device("alice")
    browser.go("/notes")
    browser.page.evaluate("document.querySelectorAll('[name=_csrf]').forEach(field => field.remove())")
    browser.fill("Title", "Planted")
    assert browser.press("Save the title").status == 403
    browser.go("/notes")
    assert "Planted" not in browser.page.content()


def test_no_page_breaks_its_own_content_policy(device: Callable[..., Device]) -> None:
    """No script, no inline style, nothing from elsewhere; and the browser has nothing to complain about."""
    browser = device("morgan")
    fetched: list[str] = []
    browser.page.on("request", lambda request: fetched.append(request.url))
    for path in PAGES[:-2]:
        response = browser.go(path)
        assert response.status == 200, path
        policy = response.header_value("content-security-policy") or ""
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.header_value("x-content-type-options") == "nosniff"
        assert response.header_value("referrer-policy") == "same-origin"
        assert response.header_value("cache-control") == "no-store"
        assert re.search(r"<script|\sstyle=|\son\w+=", response.text()) is None, path
    assert {url.split("/")[2] for url in fetched} == {browser.page.url.split("/")[2]}
    assert browser.complaints == []


def test_no_other_site_can_frame_a_page(device: Callable[..., Device], demo: DemoServer) -> None:
    """A button under somebody's mouse is never ours."""
    browser = device("alice")
    with _other_site(f'<!doctype html><title>Frame</title><iframe src="{demo.url}/devices"></iframe>') as port:
        browser.page.goto(f"http://127.0.0.1:{port}/")
        frame = browser.page.frames[-1]
        assert frame != browser.page.main_frame
        assert "Your devices" not in frame.content()
    assert any("frame-ancestors" in complaint for complaint in browser.complaints)


def test_a_form_that_is_too_large_is_refused(device: Callable[..., Device]) -> None:
    """Before it is read."""
    browser = device("alice")
    browser.go("/notes")
    browser.page.get_by_label("Text", exact=True).evaluate("field => { field.maxLength = 1e6; }")
    browser.fill("Text", "x" * 70_000)
    assert browser.press("Save the text").status == 413
