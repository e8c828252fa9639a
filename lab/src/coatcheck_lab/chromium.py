"""A Chromium that stays quiet and stateless, and runs as root in a container too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser, BrowserContext, BrowserType, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


OURS: dict[str, Any] = {"handle_sigint": False, "handle_sigterm": False, "handle_sighup": False}
"""A ctrl-C is ours to hear: we close what we opened, in order, and need the driver for that."""


class Chromium:
    """The browser with its usual settings, and others of it with settings that somebody has changed."""

    def __init__(self, kind: BrowserType, executable: Path, folder: Path | None) -> None:
        """`folder`: where what they leave may lie, removed by whoever made it; None: where temporary files are."""
        self._kind, self._executable, self._folder = kind, executable, folder
        self.browser: Browser = kind.launch(executable_path=executable, args=FLAGS, **OURS)

    @contextmanager
    def set_up(self, preferences: Mapping[str, Any]) -> Iterator[BrowserContext]:
        """A new browser with these of Chromium's own preferences, as its settings page would write them."""
        with TemporaryDirectory(dir=self._folder, ignore_cleanup_errors=True) as folder:
            profile = Path(folder) / "Default"
            profile.mkdir()
            (profile / "Preferences").write_text(json.dumps(preferences))
            context = self._kind.launch_persistent_context(folder, executable_path=self._executable, args=FLAGS, **OURS)
            try:
                yield context
            finally:
                context.close()


@contextmanager
def started(executable: Path, folder: Path | None = None) -> Iterator[Chromium]:
    """That executable, headless, until the block ends."""
    with sync_playwright() as playwright:
        chromium = Chromium(playwright.chromium, executable, folder)
        try:
            yield chromium
        finally:
            chromium.browser.close()
