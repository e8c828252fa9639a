"""A Chromium that stays quiet and stateless, and runs as root in a container too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def started(executable: Path, **options: Any) -> Iterator[Browser]:
    """A browser of that executable; further options are Playwright's for `launch`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS), **options)
        try:
            yield browser
        finally:
            browser.close()
