"""A running application, and the clients that ask it: a visitor with a cookie jar, an impostor, an operator."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from . import processes
from .contenders.application import OPERATOR, PASSWORD
from .contenders.local import HANDED_OVER
from .contenders.mechanism import Settings

_TLS = httpx.create_ssl_context()
"""Made once: it takes longer than a request."""


@dataclass
class Site:
    """A running application."""

    url: str
    settings: Settings
    workers: list[subprocess.Popen[bytes]]
    ports: list[int]
    """Of each process."""
    guests: contextlib.ExitStack
    """Its clients, which leave with it."""

    def client(self, url: str | None = None) -> Visitor:
        """A client with a cookie jar, and what a page would keep in local storage."""
        return self.guests.enter_context(Visitor(url or self.url, self.settings))

    def stranger(self) -> httpx.Client:
        """A client that has nothing, and keeps nothing. Use `with`."""
        return httpx.Client(base_url=self.url, timeout=10, verify=_TLS)

    def url_of(self, number: int) -> str:
        """Of one process, past any proxy."""
        return f"http://{processes.HOST}:{self.ports[number]}"

    def operator(self, verb: str, **form: Any) -> httpx.Response:
        """What an operator asks: "revoke" or "role"."""
        headers = {OPERATOR: self.settings.secret}
        return httpx.post(f"{self.url}/operator/{verb}", data=form, headers=headers, timeout=10, verify=_TLS)


class Visitor(httpx.Client):
    """As the lab's page behaves: cookies in a jar, a token in local storage sent along by the page."""

    def __init__(self, url: str, settings: Settings) -> None:
        super().__init__(base_url=url, timeout=10, verify=_TLS)
        self.settings = settings
        self._local = settings.storage == "local"

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """As httpx's; the token that a response brings for local storage is kept."""
        answer = super().send(request, **options)
        if self._local and HANDED_OVER in answer.headers:
            self.headers["Authorization"] = f"Bearer {answer.headers[HANDED_OVER]}"
        return answer

    def log_in(self, name: str = "ada", **form: Any) -> httpx.Response:
        """Log in with the right password; raises `httpx.HTTPStatusError` if the application does not agree."""
        return self.post("/log-in", data={"name": name, "password": PASSWORD} | form).raise_for_status()

    def link(self, file: str, seconds: float) -> str:
        """A link to a file, for so many seconds."""
        answer = self.post(f"/ticket/{file}", data={"seconds": seconds})
        link: str = answer.raise_for_status().json()["link"]
        return link

    def me(self) -> Mapping[str, Any]:
        """What the application says of this visitor: "user" (None for nobody), "role", "process"."""
        answer: Mapping[str, Any] = self.get("/me").json()
        return answer

    @property
    def token(self) -> str:
        """What the login is, of a visitor who has one: the only cookie's value, or what the page keeps."""
        if self._local:
            return self.headers["Authorization"].removeprefix("Bearer ")
        [token] = self.cookies.values()
        return token

    def impostor(self, token: str) -> Visitor:
        """Another client, which shows that token in the way of this one. Use `with`."""
        other = Visitor(str(self.base_url), self.settings)
        if self._local:
            other.headers["Authorization"] = f"Bearer {token}"
        else:
            [name] = self.cookies
            other.headers["Cookie"] = f"{name}={token}"
        return other

    def copy(self, other: Visitor) -> None:
        """Have what the other client holds, as a thief has it."""
        self.cookies.update(other.cookies)
        if "Authorization" in other.headers:
            self.headers["Authorization"] = other.headers["Authorization"]
