"""A real Chromium, the real demo, and devices that a person holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser

from coatcheck_lab.chromium import started
from tests.browser.device import Device
from tests.lab.demo import DemoServer
from tools import programs


# Of this folder, not of the whole run: while it lives, Playwright's event loop runs in the main thread, and the
# async tests elsewhere could not start theirs.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    executable = programs.find("chromium")
    assert executable is not None
    with started(executable) as chromium:
        yield chromium.browser


@pytest.fixture(scope="package")
def demo() -> Iterator[DemoServer]:
    """The demo with its two worker processes."""
    with DemoServer() as server:
        yield server
        assert "Traceback" not in server.log, server.log


@pytest.fixture
def device(chromium: Browser, demo: DemoServer) -> Iterator[Callable[..., Device]]:
    """Makes devices: `device("alice")` is signed in, `device()` is not. Options are a browser context's."""
    with ExitStack() as stack:

        def make(user: str | None = None, *, server: Any = demo, **options: Any) -> Device:
            context = chromium.new_context(base_url=server.url, **options)
            stack.callback(context.close)
            context.set_default_timeout(10_000)
            made = Device(context)
            if user is not None:
                made.sign_in(user, demo.passwords[user])
            return made

        yield make
