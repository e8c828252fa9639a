"""A browser, as far as a race needs one: it keeps cookies as they come, and sends them."""

from __future__ import annotations

from typing import Any

import httpx


class RefusedError(RuntimeError):
    """An answer that is no success."""


class Browser:
    """One cookie jar. Its requests may overlap; the cookie that comes last stays."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.jar: dict[str, str] = {}

    async def ask(self, method: str, path: str, jar: dict[str, str] | None = None) -> Any:
        """The answer's JSON; `jar` in place of its own cookies. Raises `RefusedError` for a refusal or a fault."""
        sent = self.jar if jar is None else jar
        cookie = "; ".join(f"{name}={value}" for name, value in sent.items())
        response = await self._client.request(method, path, headers={"cookie": cookie} if cookie else {})
        if not response.is_success:
            raise RefusedError(f"{method} {path}: {response.status_code} {response.text[:200]}")
        if jar is None:
            for header in response.headers.get_list("set-cookie"):
                self._keep(header)
        return response.json()

    def _keep(self, header: str) -> None:
        pair, *attributes = (part.strip() for part in header.split(";"))
        name, _, value = pair.partition("=")
        lower = [attribute.lower() for attribute in attributes]
        if not value or "max-age=0" in lower or any("1970" in one for one in lower if one.startswith("expires")):
            self.jar.pop(name, None)
        else:
            self.jar[name] = value
