"""A tab of a real browser with the lab's page in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playwright.sync_api import Page

from .contenders.application import PASSWORD

ASK = """async ([path, form]) => {
  try { return await ask(path, form && new URLSearchParams(form)) } catch { return null }
}"""


class Tab:
    """What a visitor does in it; the page's own script sends what it keeps."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        page.goto(url)

    def ask(self, path: str, form: Mapping[str, Any] | None = None) -> Any:
        """What the page's script gets from a path, by POST if there is a form; None if that is no JSON."""
        words = None if form is None else {name: str(value) for name, value in form.items()}
        return self.page.evaluate(ASK, [path, words])

    def log_in(self, name: str = "ada", **form: Any) -> None:
        """Log in with the right password."""
        self.ask("/log-in", {"name": name, "password": PASSWORD} | form)

    def user(self) -> str | None:
        """Who the application says that this is; None for nobody."""
        answer = self.ask("/me") or {}
        found: str | None = answer.get("user")
        return found
