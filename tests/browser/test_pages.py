"""The pages to mount, in a real browser: for everybody (WCAG 2.2 AA, by axe-core), with and without scripts, on a phone
and on a desk, light and dark. With COATCHECK_SCREENSHOTS=folder pictures go there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.test_demo_looks import LAYOUT, SIZES, SOUND
from tests.servers import AppServer

pytestmark = pytest.mark.browser

FOLDER = os.environ.get("COATCHECK_SCREENSHOTS", "")
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile Safari/604.1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """The site, with some users on it."""
    store = f"sqlite:///{tmp_path_factory.mktemp('pages')}/sessions.db"
    with AppServer("tests.browser.paged:app", env={"COATCHECK_STORE": store}) as running:
        yield running
        assert "Traceback" not in running.log, running.log


Arrives = Callable[..., BrowserContext]


@pytest.fixture
def arrives(chromium: Browser, server: AppServer) -> Iterator[Arrives]:
    """Makes browsers in which somebody has signed in."""
    with ExitStack() as stack:

        def make(user: str, **options: Any) -> BrowserContext:
            context = chromium.new_context(base_url=server.url, **options)
            stack.callback(context.close)
            context.set_default_timeout(10_000)
            press(context, "login", user)
            return context

        yield make


def press(context: BrowserContext, button: str, user: str = "") -> None:
    """Send one of the home page's forms."""
    page = context.new_page()
    page.goto("/")
    page.locator(f"form[action='/{button}'] input").fill(user)
    page.get_by_role("button", name=button).click()


def status(context: BrowserContext, path: str = "/devices/") -> int:
    """What a browser gets there."""
    page = context.new_page()
    answer = page.goto(path)
    assert answer is not None
    return answer.status


@pytest.fixture
def people(arrives: Arrives) -> None:
    """Somebody with two devices and a ticket that waits, and somebody with a long name."""
    arrives("ada", user_agent=FIREFOX)
    press(arrives("ada", user_agent=PHONE), "ticket")
    arrives(f"a-very-long-name-{'x' * 60}@example.org")


def faults(page: Page) -> list[str]:
    """What axe-core finds, and whether it is laid out soundly."""
    found = [f"{one['id']}: {one['nodes'][0]['html']}" for one in Axe().run(page, options=RULES).response["violations"]]
    layout = page.evaluate(LAYOUT)
    return found + [f"{name}: {layout[name]}" for name in SOUND if layout[name] != SOUND[name]]


def pages(page: Page) -> Iterator[str]:
    """Each page in turn, with something on it."""
    page.goto("/devices/")
    yield "devices"
    page.goto("/devices/nowhere")
    yield "not-found"
    page.goto("/console/")
    expect(page.get_by_role("heading", name="The last 24 hours")).to_be_visible()
    yield "console"
    page.get_by_label("User", exact=True).fill("ada")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name="Sessions of ada")).to_be_visible()
    yield "user"
    page.locator("main a.handle").first.click()
    expect(page.get_by_role("heading", name="A session")).to_be_visible()
    yield "session"
    page.get_by_role("link", name="Events").click()
    yield "events"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_for_everybody(arrives: Arrives, people: None, size: str, scheme: Any) -> None:
    """axe-core's rules for WCAG 2.2 AA, contrast among them, and no sideways scrolling, on a phone and on a desk."""
    options: dict[str, Any] = {"viewport": SIZES[size], "color_scheme": scheme}
    context = arrives("operator", **options)
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    for name in pages(page):
        if FOLDER:
            page.screenshot(path=Path(FOLDER) / f"pages-{name}-{size}-{scheme}.png", full_page=True)
        assert (name, faults(page)) == (name, [])
    assert [text for text in errors if "404" not in text] == []  # the policy stops nothing that a page needs


def test_a_fault_is_found(arrives: Arrives) -> None:
    """The check itself: a button without a name, and grey on grey."""
    context = arrives("ada")
    page = context.new_page()
    page.goto("/devices/")
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    page.evaluate("for (const one of document.querySelectorAll('dt')) one.style.color = '#bbb'")
    assert {fault.partition(":")[0] for fault in faults(page)} >= {"button-name", "color-contrast"}


def test_a_user_signs_a_device_out_without_any_script(arrives: Arrives) -> None:
    """Plain forms; the other browser's very next request is nobody's."""
    mine = arrives("eve", java_script_enabled=False)
    other = arrives("eve", user_agent=PHONE)
    page = mine.new_page()
    page.goto("/devices/")
    page.get_by_role("button", name="Sign out Safari on iPhone").click()
    expect(page.get_by_role("status")).to_have_text("One device was signed out.")
    assert status(other) == 401
    assert status(mine) == 200
    page.get_by_role("button", name="Sign out").first.click()
    expect(page.get_by_role("heading")).to_have_text("You are signed out")


def test_events_appear_as_they_happen_and_can_be_stopped(arrives: Arrives) -> None:
    """Somebody signs in while an operator looks: no reload. What moves by itself has a button to stop it."""
    operator = arrives("operator")
    page = operator.new_page()
    page.goto("/console/events")
    arrives("latecomer")
    expect(page.get_by_role("link", name="latecomer")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    with page.expect_response(lambda _: True, timeout=60_000) as answer:
        page.get_by_role("button", name="Go on").click()
    assert answer.value.url.partition("?")[0].endswith("/console/events/new")


def test_an_operator_ends_everything_of_a_user_with_a_reason(arrives: Arrives) -> None:
    """The reason is in the trail with who gave it; the user is out."""
    theirs = arrives("mallory")
    operator = arrives("operator")
    page = operator.new_page()
    page.goto("/console/user?id=mallory")
    page.get_by_label("Reason, which").fill("laptop stolen")
    page.get_by_role("button", name="End all of them").click()
    expect(page.get_by_role("status")).to_be_visible()
    assert status(theirs) == 401
    expect(page.get_by_text("No live session.")).to_be_visible()
    while not page.get_by_role("cell", name="laptop stolen, by operator").count():
        page.reload()  # an entry is written a moment later


def test_the_script_asks_one_question_at_a_time_and_adds_rows_alone(arrives: Arrives) -> None:
    """A slow answer is not asked for again, which would show its rows twice; a page in place of it, such as a sign-in
    that the application led to, does not get into the table."""
    page = arrives("operator").new_page()
    asked: list[Route] = []

    def hold(route: Route) -> None:
        asked.append(route)

    page.route("**/events/new*", hold)
    page.clock.install()
    page.goto("/console/events")
    with page.expect_request("**/events/new*"):
        page.clock.run_for(4_000)
    page.clock.run_for(20_000)
    page.title()  # what the browser has told meanwhile is heard
    assert len(asked) == 1
    row = "<table><tbody><tr data-place='0'><td id='row'>new</td></tr></tbody></table>"
    asked.pop().fulfill(status=200, content_type="text/html", body=f"<h1 id='strange'>Please sign in</h1>{row}")
    expect(page.locator("tbody #row")).to_have_count(1)
    expect(page.locator("#strange")).to_have_count(0)
