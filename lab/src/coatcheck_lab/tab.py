"""A tab of a real browser with the lab's page in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playwright.sync_api import Frame, Page

from .contenders.application import PASSWORD

ASK = """async ([path, form]) => {
  try { return await ask(path, form && new URLSearchParams(form)) } catch { return null }
}"""


class Tab:
    """What a visitor does in it; the page's own script sends what it keeps."""

    def __init__(self, frame: Page | Frame, url: str | None = None) -> None:
        """`url`: goes there first; None: the page is there already."""
        self.frame = frame
        if url is not None:
            frame.goto(url)

    @property
    def page(self) -> Page:
        """The page as a whole, where this is a frame."""
        return self.frame.page if isinstance(self.frame, Frame) else self.frame

    def ask(self, path: str, form: Mapping[str, Any] | None = None) -> Any:
        """What the page's script gets from a path, by POST if there is a form; None if that is no JSON."""
        words = None if form is None else {name: str(value) for name, value in form.items()}
        return self.frame.evaluate(ASK, [path, words])

    def log_in(self, name: str = "ada", **form: Any) -> None:
        """Log in with the right password."""
        self.ask("/log-in", {"name": name, "password": PASSWORD} | form)

    def log_out(self) -> None:
        """Log out; a page that keeps its token itself forgets it."""
        self.ask("/log-out", {})
        self.frame.evaluate("localStorage.clear()")

    def user(self) -> str | None:
        """Who the application says that this is; None for nobody."""
        answer = self.ask("/me") or {}
        found: str | None = answer.get("user")
        return found
