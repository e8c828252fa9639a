"""A device in somebody's hand: a browser context, and what a person does with it."""

from __future__ import annotations

from typing import Literal

from playwright.sync_api import BrowserContext, Cookie, Download, Locator, Page, Response

COOKIE = "__Host-coatcheck-demo"

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)


class Device:
    """Finds everything as a person does, with or without eyes: by role and by name."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.page = self.tab()
        self.complaints: list[str] = []
        """What the browser's console says of the pages, such as a breach of the content security policy."""
        self.page.on("console", lambda message: self.complaints.append(message.text))

    def tab(self) -> Page:
        """Another tab of the same browser."""
        return self.context.new_page()

    def go(self, path: str) -> Response:
        """Open a page of the demo."""
        response = self.page.goto(path)
        assert response is not None
        return response

    def sign_in(self, user: str, password: str, *, remember: bool = False) -> None:
        """Fill in the form, and see that it worked."""
        self.go("/sign-in")
        self.fill("Name", user)
        self.fill("Password", password)
        if remember:
            self.page.get_by_label("Remember me on this device").check()
        self.press("Sign in")
        assert self.message == f"Welcome, {user}."

    def fill(self, label: str, text: str) -> None:
        """Write into the field of that label."""
        self.page.get_by_label(label, exact=True).fill(text)

    def press(self, name: str) -> Response:
        """Press the button of that name, and wait for the page that follows."""
        return self._to_the_next_page(self.page.get_by_role("button", name=name, exact=True))

    def follow(self, name: str) -> Response:
        """Follow the link of that name, and wait for its page."""
        return self._to_the_next_page(self.page.get_by_role("link", name=name, exact=True))

    def _to_the_next_page(self, control: Locator) -> Response:
        with self.page.expect_navigation() as navigation:
            control.click()
        assert navigation.value is not None
        return navigation.value

    def download(self, role: Literal["button", "link"], name: str) -> Download:
        """Press or follow what gives out a file; the page stays."""
        with self.page.expect_download() as download:
            self.page.get_by_role(role, name=name, exact=True).click()
        return download.value

    def has(self, role: str, name: str) -> bool:
        """Whether the page shows that."""
        return self.page.get_by_role(role, name=name, exact=True).count() > 0  # type: ignore[arg-type]

    @property
    def heading(self) -> str:
        """The page's first heading."""
        return self.page.get_by_role("heading", level=1).inner_text()

    @property
    def message(self) -> str:
        """What the live region says."""
        return self.page.get_by_role("status").inner_text().strip()

    @property
    def alert(self) -> str:
        """What is said with urgency."""
        return self.page.get_by_role("alert").inner_text().strip()

    def text(self) -> str:
        """All that a person can read in the page's main part."""
        return self.page.get_by_role("main").inner_text()

    @property
    def cookie(self) -> Cookie | None:
        """The session's cookie as this browser holds it."""
        return next((one for one in self.context.cookies() if one.get("name") == COOKIE), None)

    @property
    def token(self) -> str:
        """Its value."""
        cookie = self.cookie
        assert cookie is not None
        return cookie.get("value", "")
