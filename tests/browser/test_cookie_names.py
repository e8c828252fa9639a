"""Names with a prefix, as a real browser treats them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.servers import AppServer

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("name", ["__Host-Http-sid", "__Host-sid"])
def test_only_an_http_prefix_keeps_a_script_from_planting_our_cookie(chromium: Browser, name: str) -> None:
    """Chromium keeps and returns it; what a script sets under the name is refused, before and after the login."""
    with AppServer("tests.browser.named:app", env={"COOKIE_NAME": name}) as server:
        context = chromium.new_context(base_url=server.url.replace("127.0.0.1", "localhost"))
        page = context.new_page()
        page.goto("/")
        plant = f"document.cookie = '{name}=planted; Path=/; Secure'"
        page.evaluate(plant)
        planted = [cookie["value"] for cookie in context.cookies()]
        # Only the longer prefix rules scripts out; before the login `__Host-` does not.
        assert planted == ([] if "Http" in name else ["planted"])
        page.get_by_role("button").click()
        page.evaluate(plant)
        [cookie] = context.cookies()
        assert (cookie["name"], cookie["httpOnly"], cookie["secure"]) == (name, True, True)
        page.goto("/me")
        assert page.inner_text("body") == "ada"
        context.close()
