"""Every page on a phone and on a desk. With COATCHECK_SCREENSHOTS=folder pictures go there, light and dark."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize

from tests.browser.device import IPHONE, Device

pytestmark = pytest.mark.browser

FOLDER = os.environ.get("COATCHECK_SCREENSHOTS", "")

SIZES: dict[str, ViewportSize] = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 800}}

LAYOUT = """() => ({
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    headings: document.querySelectorAll('h1').length,
    mains: document.querySelectorAll('main').length,
    lang: document.documentElement.lang,
    skipped: [...document.querySelectorAll('h1, h2, h3')].map(one => +one.tagName[1])
        .some((level, i, all) => i > 0 && level > all[i - 1] + 1),
    mute: [...document.querySelectorAll('input:not([type=hidden], [hidden]), textarea, select, button')]
        .filter(one => !(one.labels?.length || one.ariaLabel || one.textContent.trim()))
        .map(one => one.outerHTML),
    small: [...document.querySelectorAll('button, .button, nav a, input:not([type=hidden], [hidden]), select')]
        .filter(one => !['checkbox', 'radio'].includes(one.type))
        .filter(one => { const box = one.getBoundingClientRect(); return box.width < 24 || box.height < 24; })
        .map(one => one.outerHTML),
    twice: [...document.querySelectorAll('[id]')].map(one => one.id)
        .filter((id, i, all) => all.indexOf(id) !== i),
    dangling: [...document.querySelectorAll('[aria-describedby]')]
        .flatMap(one => one.getAttribute('aria-describedby').trim().split(/\\s+/))
        .filter(id => !document.getElementById(id)),
})"""

SOUND = {
    "overflow": 0,
    "headings": 1,
    "mains": 1,
    "lang": "en",
    "skipped": False,
    "mute": [],
    "small": [],
    "twice": [],
    "dangling": [],
}
"""No sideways scrolling, one h1, no level skipped, all named, nothing under 24 pixels (WCAG 2.2, 2.5.8)."""


def _shots(browser: Device) -> Iterator[tuple[str, Page]]:
    """Each page in turn, with something on it."""
    page = browser.page
    for name, path in (("files", "/"), ("people", "/people"), ("token", "/token"), ("404", "/cellar")):
        browser.go(path)
        yield name, page
    browser.go("/")
    browser.press("Show a link to Opening night")
    yield "link", page
    browser.go("/download?ticket=nothing")
    yield "refused", page
    browser.go("/notes")
    browser.fill("Title", "For the coat in row three")
    browser.press("Save the title")
    yield "note", page
    browser.go("/devices")
    yield "devices", page
    browser.go("/password")
    yield "password", page
    for label in ("Old password", "New password", "New password again"):
        browser.fill(label, "short")
    browser.press("Change it")
    yield "password-error", page
    browser.go("/confirm")
    yield "confirm", page
    browser.press("Sign out")
    yield "sign-in", page
    browser.fill("Name", "morgan")
    browser.fill("Password", "wrong")
    browser.press("Sign in")
    yield "sign-in-error", page


def test_every_page_is_sound_on_every_screen(device: Callable[..., Device]) -> None:
    """Nothing sticks out sideways, every control has a name and is large enough, headings are in order."""
    device("morgan", user_agent=IPHONE)
    browser = device("morgan")
    browser.go("/devices")
    browser.press("Sign out all other devices")
    device("morgan", user_agent=IPHONE)
    for name, page in _shots(browser):
        for size, viewport in SIZES.items():
            page.set_viewport_size(viewport)
            assert page.evaluate(LAYOUT) == SOUND, (name, size)
            if FOLDER:
                _photograph(page, f"{name}-{size}")


def _photograph(page: Page, name: str) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=Path(FOLDER, f"{name}-{scheme}.png"), full_page=True)
    page.emulate_media(color_scheme="light")
