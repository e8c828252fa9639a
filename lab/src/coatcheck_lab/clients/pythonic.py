"""The clients that Python programs use: httpx, requests, aiohttp."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import httpx
import requests

Seen = list[Any]


class _Client:
    """Three visits over a session of httpx or of requests, which are used alike."""

    def __init__(self, session: httpx.Client | requests.Session, url: str) -> None:
        self.session, self.url = session, url

    def ask(self, path: str, form: Mapping[str, str] | None = None) -> Any:
        answer = self.session.request("GET" if form is None else "POST", self.url + path, data=form)
        if "X-Token" in answer.headers:
            self.session.headers["Authorization"] = f"Bearer {answer.headers['X-Token']}"
        return answer.json()

    def visits(self, password: str) -> Seen:
        self.ask("/log-in", {"name": "ada", "password": password})
        seen = [self.ask("/me")["user"], self.ask("/me")["user"]]
        self.ask("/log-out", {})
        self.session.headers.pop("Authorization", None)
        return [*seen, self.ask("/me")["user"]]


def with_httpx(url: str, password: str) -> Seen:
    """`httpx.Client`."""
    with httpx.Client() as session:
        return _Client(session, url).visits(password)


def with_requests(url: str, password: str) -> Seen:
    """`requests.Session`."""
    with requests.Session() as session:
        return _Client(session, url).visits(password)


async def with_aiohttp(url: str, password: str) -> Seen:
    """`aiohttp.ClientSession`; its jar takes cookies of an address with numbers only if it is told to."""
    async with aiohttp.ClientSession(url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:

        async def ask(path: str, form: Mapping[str, str] | None = None) -> Any:
            async with session.request("GET" if form is None else "POST", path, data=form) as answer:
                if "X-Token" in answer.headers:
                    session.headers["Authorization"] = f"Bearer {answer.headers['X-Token']}"
                return await answer.json()

        await ask("/log-in", {"name": "ada", "password": password})
        seen = [(await ask("/me"))["user"], (await ask("/me"))["user"]]
        await ask("/log-out", {})
        session.headers.pop("Authorization", None)
        return [*seen, (await ask("/me"))["user"]]
