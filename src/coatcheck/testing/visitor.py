"""A browser, as far as the HTTP-level kit needs one."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx

SAME_SITE = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
"""What a browser sends with a page's own request."""
NAVIGATION = {"sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
"""What it sends with an address that a person has typed."""
ELSEWHERE = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}
"""What it sends with another site's request."""


class Visitor:
    """One cookie jar. A Secure cookie goes to http://127.0.0.1 too, as browsers do it."""

    def __init__(self, base: str, pool: ThreadPoolExecutor) -> None:
        self._base, self._pool = base, pool
        self.jar: dict[str, str] = {}

    def ask(self, method: str, path: str, **headers: str) -> httpx.Response:
        """One request, with the headers of a page's own unless others are given."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        sent = SAME_SITE | ({"cookie": cookie} if cookie else {}) | headers
        pairs = [(name.encode("ascii"), value.encode("latin-1")) for name, value in sent.items()]
        response = httpx.request(method, self._base + path, headers=pairs, timeout=30)
        for line in response.headers.get_list("set-cookie"):
            self._keep(line)
        return response

    def get(self, path: str, **headers: str) -> httpx.Response:
        """A page."""
        return self.ask("GET", path, **headers)

    def post(self, path: str, **headers: str) -> httpx.Response:
        """A form."""
        return self.ask("POST", path, **headers)

    def meanwhile(self, path: str) -> Future[httpx.Response]:
        """A form whose answer is still to come."""
        return self._pool.submit(self.post, path)

    def seen(self) -> tuple[str | None, dict[str, Any]]:
        """Who the application says it is, and what the session holds, without a framework's own fields."""
        shown = self.get("/me").json()
        return shown["user"], {name: value for name, value in shown["fields"].items() if not name.startswith("_")}

    def copy(self) -> Visitor:
        """Another that holds the same cookies: a thief, or a tab before the other's answer came."""
        other = Visitor(self._base, self._pool)
        other.jar = dict(self.jar)
        return other

    def _keep(self, line: str) -> None:
        name, _, value = line.partition(";")[0].strip().partition("=")
        if "max-age=0" in line.lower().replace(" ", ""):
            self.jar.pop(name, None)
        else:
            self.jar[name] = value
