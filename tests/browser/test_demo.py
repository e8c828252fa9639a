"""The demo's stories, each from end to end, in two browsers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.device import FIREFOX, IPHONE, Device
from tests.lab.demo import DemoServer

pytestmark = pytest.mark.browser

Devices = Callable[..., Device]


def test_a_wrong_password_says_so_at_its_fields(device: Devices) -> None:
    """The error is announced, tied to both inputs, and keeps the name; nobody is signed in."""
    browser = device()
    browser.go("/notes")
    assert browser.page.url.endswith("/sign-in?next=%2Fnotes")
    browser.fill("Name", "alice")
    browser.fill("Password", "wrong")
    browser.press("Sign in")
    assert "do not belong together" in browser.alert
    for label in ("Name", "Password"):
        field = browser.page.get_by_label(label, exact=True)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(re.compile("do not belong together"))
    expect(browser.page.get_by_label("Name")).to_have_value("alice")
    assert browser.cookie is None


def test_sign_in_leads_on_and_sign_out_ends_it(device: Devices, demo: DemoServer) -> None:
    """The page that was asked for follows the sign-in; after the sign-out Back shows nothing."""
    browser = device()
    browser.go("/notes")
    browser.fill("Name", "alice")
    browser.fill("Password", demo.passwords["alice"])
    browser.press("Sign in")
    assert browser.heading == "Note"
    browser.press("Sign out")
    assert browser.heading == "Sign in"
    assert browser.message == "You have signed out."
    browser.page.reload()
    assert browser.message == ""
    assert browser.cookie is None
    browser.page.go_back()
    assert browser.heading == "Sign in"


def test_remember_me_decides_how_long_the_cookie_stays(device: Devices, demo: DemoServer) -> None:
    """Without it the cookie goes with the browser; with it, it stays as long as the session may."""
    for remember, days in ((False, None), (True, 14)):
        browser = device()
        browser.sign_in("alice", demo.passwords["alice"], remember=remember)
        assert browser.cookie is not None
        left = browser.cookie.get("expires", 0) - browser.page.evaluate("Date.now() / 1000")
        assert (left < 0) if days is None else (days - 1 < left / 86_400 <= days)


def test_a_download_link_works_once_and_here_alone(device: Devices, tmp_path: Path) -> None:
    """The button downloads; a shown link does so once, then 410; on another device 403, and it stays whole."""
    browser, other = device("alice"), device("morgan")
    direct = browser.download("button", "Download Cloakroom rules")
    direct.save_as(tmp_path / "rules.txt")
    assert direct.suggested_filename == "cloakroom-rules.txt"
    assert "keep the tag" in (tmp_path / "rules.txt").read_text()

    browser.press("Show a link to Opening night")
    assert browser.heading == "A link to “Opening night”"
    link = browser.page.get_by_label("The link, to copy").input_value()
    assert other.go(link).status == 403
    assert other.heading == "This link is not for you"

    browser.download("link", "Download opening-night.pdf").save_as(tmp_path / "night.pdf")
    assert (tmp_path / "night.pdf").read_bytes().startswith(b"%PDF-")

    assert browser.go(link).status == 410
    assert browser.heading == "This link was used before"
    browser.follow("Ask for a new one in the list of files")
    assert browser.heading == "Files"

    browser.press("Show a link to Lining of the lost coat")
    link = browser.page.get_by_label("The link, to copy").input_value()
    browser.press("Sign out")
    assert browser.go(link).status == 410
    assert browser.heading == "This link is no longer good"
    assert browser.go(f"{link[:-4]}AAAA").status == 403


def test_devices_are_listed_and_signed_out(device: Devices) -> None:
    """Each with browser and system; one ends, then all others, and their next click says why."""
    here = device("alice")
    here.go("/devices")
    if here.has("button", "Sign out all other devices"):
        here.press("Sign out all other devices")
    phone, office = device("alice", user_agent=IPHONE), device("alice", user_agent=FIREFOX)

    here.go("/devices")
    items = here.page.get_by_role("main").get_by_role("listitem")
    assert [item.get_by_role("heading").inner_text() for item in items.all()] == [
        "Firefox on Windows",
        "Safari on iPhone",
        "Chrome on Linux this device",
    ]
    assert "From 127.0.0.1. Last seen just now." in items.first.inner_text()
    expect(items.last).to_have_attribute("aria-current", "true")

    here.press("Sign out Safari on iPhone, last seen just now")
    assert here.message == "That device is signed out."
    phone.follow("Note")
    assert phone.heading == "Sign in"
    assert phone.alert == "You were signed out from another of your devices."
    assert phone.cookie is None
    office.follow("Note")
    assert office.heading == "Note"

    here.press("Sign out all other devices")
    assert here.message == "Devices signed out: 1."
    office.follow("Files")
    assert office.alert == "You were signed out from another of your devices."
    here.follow("Devices")
    assert items.count() == 1


def test_nobody_signs_out_another_persons_device(device: Devices) -> None:
    """A handle from elsewhere in the form's address ends nothing."""
    victim, attacker = device("morgan"), device("alice")
    handle = victim.token.split(".")[0]
    second = device("alice")
    attacker.go("/devices")
    form = attacker.page.locator(f"form[action='/devices/{second.token.split('.')[0]}/sign-out']")
    with attacker.page.expect_navigation():
        form.evaluate(
            "(form, handle) => { form.action = `/devices/${handle}/sign-out`; form.requestSubmit(); }", handle
        )
    assert attacker.message == "That device was signed out already."
    assert victim.go("/people").status == 200


def test_a_new_password_ends_every_other_session(device: Devices, demo: DemoServer) -> None:
    """The old one is asked for; the other device is told why; this one goes on, with a new token."""
    here, there = device("alice"), device("alice")
    here.go("/password")
    for old, new, again, label, error in (
        ("wrong", "a-new-password", "a-new-password", "Old password", "This is not your password."),
        (demo.passwords["alice"], "short", "short", "New password", "Use 8 to 128 characters."),
        (demo.passwords["alice"], "a-new-password", "another", "New password again", "This differs"),
    ):
        here.fill("Old password", old)
        here.fill("New password", new)
        here.fill("New password again", again)
        here.press("Change it")
        field = here.page.get_by_label(label, exact=True)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_be_focused()
        expect(field).to_have_accessible_description(re.compile(error))
    there.follow("Files")
    assert there.heading == "Files"

    before = here.token
    here.fill("Old password", demo.passwords["alice"])
    here.fill("New password", "a-new-password")
    here.fill("New password again", "a-new-password")
    here.press("Change it")
    assert re.fullmatch(r"Your password is changed\. Other devices signed out: [1-9]\d*\.", here.message)
    demo.passwords["alice"], old = "a-new-password", demo.passwords["alice"]

    there.follow("Note")
    assert there.alert == "You were signed out because the password was changed."
    there.fill("Name", "alice")
    there.fill("Password", old)
    there.press("Sign in")
    assert "do not belong together" in there.alert

    here.follow("Files")
    assert here.heading == "Files"
    thief = device()
    thief.context.add_cookies([{**here.cookie, "value": before}])  # type: ignore[typeddict-item]
    thief.go("/")
    assert thief.heading == "Sign in"


def test_a_new_role_counts_from_the_next_click(device: Devices) -> None:
    """What an administrator changes is there without a new sign-in, and gone again likewise."""
    boss, alice = device("morgan"), device("alice")
    assert not alice.has("button", "Add it")
    boss.follow("People")
    boss.page.get_by_label("Role of alice", exact=True).select_option("editor")
    boss.press("Set the role of alice")
    assert re.fullmatch(r"alice is editor now, on \d+ signed-in devices? at once\.", boss.message)

    alice.follow("Files")
    alice.fill("Title", "Lost property")
    alice.fill("Text", "One umbrella, black.")
    alice.press("Add it")
    assert alice.message == "“Lost property” is in the vault."
    alice.fill("Title", "Lost property")
    alice.fill("Text", "Another.")
    alice.press("Add it")
    assert alice.alert == "There is a document with that title already."

    boss.page.get_by_label("Role of alice", exact=True).select_option("viewer")
    boss.press("Set the role of alice")
    alice.fill("Title", "Not any more")
    alice.press("Add it")
    assert alice.heading == "Refused"
    alice.follow("To the files")
    assert "Not any more" not in alice.text()


def test_an_administrator_signs_somebody_out_everywhere(device: Devices) -> None:
    """And a viewer has no such page."""
    boss, alice = device("morgan"), device("alice")
    assert not alice.has("link", "People")
    assert alice.go("/people").status == 403
    boss.follow("People")
    boss.press("Sign alice out everywhere")
    alice.go("/")
    assert alice.alert == "You were signed out by an administrator."


def test_an_administrator_sees_what_happens_in_the_console(device: Devices) -> None:
    """Who signed in, from where; an end with a reason that its user is told. A viewer has no such page."""
    boss, alice = device("morgan"), device("alice")
    assert not alice.has("link", "Console")
    assert alice.go("/console/").status == 403
    boss.follow("Console")
    boss.page.get_by_role("cell", name="Signed in").first.wait_for()
    boss.fill("User", "alice")
    boss.press("Search")
    assert boss.heading == "Sessions of alice"
    boss.fill("Reason, which the user's next request is told", "a lost phone")
    boss.press("End all of them")
    while not boss.has("cell", "a lost phone, by morgan"):
        boss.page.reload()  # an entry is written a moment later
    alice.go("/")
    assert alice.alert == "You were signed out."
    assert not boss.complaints


def test_two_tabs_at_once_lose_nothing(device: Devices) -> None:
    """While the first tab saves the title slowly, the second saves the text: both are there."""
    browser = device("alice")
    first, second = browser.page, browser.tab()
    saved: list[str] = []
    first.on("response", lambda response: saved.append(response.url))
    overlapped = False
    # On a machine so busy that the quick one took longer than the slow one, once more.
    for number in range(1, 6):
        for tab in (first, second):
            tab.goto("/notes")
        saved.clear()
        first.get_by_label("Title").fill(f"Shopping {number}")
        title = first.locator("form", has=first.get_by_role("button", name="Save the title"))
        title.get_by_label("Slowly").check()
        with first.expect_event("request", lambda request: request.url.endswith("/notes/title")):
            title.evaluate("form => { form.requestSubmit(); }")

        second.get_by_label("Text").fill(f"Milk, bread, {number} <b>tags</b>")
        second.get_by_role("button", name="Save the text").click()
        expect(second.get_by_role("status")).to_contain_text("The text is saved.")
        overlapped = saved == []

        expect(first.get_by_role("status")).to_contain_text("The title is saved.", timeout=20_000)
        expect(first.get_by_role("article")).to_contain_text(f"Shopping {number}")
        expect(first.get_by_role("article")).to_contain_text(f"Milk, bread, {number} <b>tags</b>")
        if overlapped:
            break
    assert overlapped
    first.get_by_label("sky").check()
    first.get_by_role("button", name="Save the colour").click()
    expect(first.get_by_role("status")).to_contain_text("The colour is saved.")
    expect(first.get_by_label("sky")).to_be_checked()


def test_the_token_stays_small_while_the_jwt_grows(device: Devices) -> None:
    """Both are measured: the token as the browser holds it, the JWT as it would be."""

    def sizes() -> list[int]:
        browser.go("/token")
        return [int(number) for number in re.findall(r"(\d+) bytes\n", browser.text())]

    browser = device("alice")
    token, jwt = sizes()
    assert token == len(browser.token) < 100 < jwt
    browser.go("/notes")
    browser.fill("Text", "All work and no play. " * 200)
    browser.press("Save the text")
    later, grown = sizes()
    assert later == token
    assert grown > 4_400
    assert "no longer fits" in browser.text()


def test_the_whole_story_needs_no_script(device: Devices, tmp_path: Path) -> None:
    """With JavaScript switched off everything works: no page has any."""
    browser = device("alice", java_script_enabled=False)
    download = browser.download("button", "Download Opening night")
    assert download.suggested_filename == "opening-night.pdf"
    browser.follow("Note")
    browser.fill("Text", "Written without a script.")
    browser.press("Save the text")
    assert browser.message == "The text is saved."
    browser.follow("Devices")
    browser.follow("Your token")
    browser.press("Sign out")
    assert browser.message == "You have signed out."


def test_the_keyboard_is_enough(device: Devices) -> None:
    """The first stop skips the navigation; focus shows; the form is filled and sent without a mouse."""
    browser = device()
    browser.go("/sign-in")
    keys = browser.page.keyboard
    expect(browser.page.get_by_label("Name")).to_be_focused()
    keys.type("morgan")
    keys.press("Tab")
    keys.type("keeper-of-coats")
    keys.press("Tab")
    keys.press("Space")
    expect(browser.page.get_by_label("Remember me on this device")).to_be_checked()
    keys.press("Enter")
    expect(browser.page.get_by_role("heading", level=1)).to_have_text("Files")
    keys.press("Tab")
    skip = browser.page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    assert skip.evaluate("link => getComputedStyle(link).outlineStyle") == "solid"
    keys.press("Enter")
    expect(browser.page.get_by_role("main")).to_be_focused()
    keys.press("Tab")
    expect(browser.page.get_by_role("button", name=re.compile("^Download ")).first).to_be_focused()


def test_a_wrong_address_has_a_page(device: Devices) -> None:
    """404 in the vault's own frame, signed in or not."""
    for browser in (device("alice"), device()):
        assert browser.go("/cellar").status == 404
        assert browser.heading == "Not found"
        browser.follow("To the files")
