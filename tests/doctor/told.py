"""A server that answers what the path tells it to: how a site's headers reach the doctor over real TLS."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from email.utils import formatdate
from time import time
from typing import Any

YEAR = "max-age=31536000"


def path(*headers: tuple[str, str], status: int = 200) -> str:
    """The path of a page with these headers. One that is "" takes out what every page has; a Date of "now-90" is so
    many seconds off when it is sent."""
    said = json.dumps({"status": status, "headers": headers}).encode()
    return f"/told/{urlsafe_b64encode(said).decode()}"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Any page has a Date and HSTS, and 200."""
    if scope["type"] != "http":
        return
    said: dict[str, Any] = {"status": 200, "headers": []}
    if scope["path"].startswith("/told/"):
        said = json.loads(urlsafe_b64decode(scope["path"].removeprefix("/told/")))
    usual = {"date": formatdate(usegmt=True), "strict-transport-security": YEAR}
    for name, _ in said["headers"]:
        usual.pop(name, None)
    headers = [*usual.items(), *((name, value) for name, value in said["headers"] if value)]
    headers = [(name, _date(value) if name == "date" else value) for name, value in headers]
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": said["status"], "headers": raw})
    await send({"type": "http.response.body", "body": b"x" * 100})


def _date(value: str) -> str:
    return formatdate(time() + int(value[3:]), usegmt=True) if value.startswith("now") else value
