"""What a browser holds open ends with its session, also where that is ended on another machine."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.servers import AppServer, RedisServer

pytestmark = [pytest.mark.browser, pytest.mark.redis]

WITHIN = 1.0
"""Seconds."""


@pytest.mark.parametrize("kind", ["redis", "sqlite"])
def test_a_browsers_websocket_and_events_end_with_a_session_that_another_server_ended(
    chromium: Browser, tmp_path: Path, kind: str
) -> None:
    """Two servers over one store: the page is open at one, every session of the user is ended at the other. The page
    learns 4401, which its script can tell from a network that was lost."""
    with RedisServer() as redis:
        store = redis.url if kind == "redis" else f"sqlite:///{tmp_path}/sessions.db"
        env = {"COATCHECK_STORE": store, "COATCHECK_SECRET": "one-that-guards-nothing-for-tests-alone"}
        with (
            AppServer("tests.browser.listening:app", env=env) as here,
            AppServer("tests.browser.listening:app", env=env) as there,
        ):
            context = chromium.new_context(base_url=here.url)
            page = context.new_page()
            page.goto("/")
            page.get_by_role("button").click()
            page.goto("/")
            page.wait_for_function("document.body.innerText.includes('open')")
            page.wait_for_function("document.body.innerText.includes('hello ada')")
            other = chromium.new_context(base_url=there.url)
            answer = other.request.post("/end", headers={"Origin": there.url})
            assert answer.text() == "1"
            began = time.monotonic()
            page.wait_for_function("document.getElementById('socket').textContent === 'closed 4401'")
            page.wait_for_function("document.getElementById('stream').textContent === 'over after hello ada'")
            assert time.monotonic() - began < WITHIN
            assert "Traceback" not in here.log, here.log
            for one in (context, other):
                one.close()
