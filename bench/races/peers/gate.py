"""Where a request of a race waits, after it has loaded its session and before it writes.

Every application here has the same five pages:

* `POST /login`: sign ada in;
* `POST /logout`: sign her out, in the library's own way;
* `POST /write?field=f`: load the session, wait at the gate if `&gate=1` is there, write the field, tell who was seen;
* `GET /session`: who is signed in, and the fields;
* `GET /versions`: what runs here.

The gate is a listener of the race's. Whoever connects has loaded; the race closes the connections when it is time.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

PATIENCE = 30.0
"""Seconds after which a request that nobody lets through fails."""
REDIS = os.environ.get("RACES_REDIS", "")
FOLDER = os.environ.get("RACES_FOLDER", "")
FD = int(os.environ.get("RACES_FD", "0"))
SECRET = os.environ.get("RACES_SECRET", "")
_ADDRESS = ("127.0.0.1", int(os.environ.get("RACES_GATE", "0")))


def wait() -> None:
    """Wait in a thread until the race opens the gate."""
    with socket.create_connection(_ADDRESS, PATIENCE) as line:
        line.recv(1)


async def passed() -> None:
    """Wait on the event loop until the race opens the gate."""
    reader, writer = await asyncio.open_connection(*_ADDRESS)
    try:
        await asyncio.wait_for(reader.read(), PATIENCE)
    finally:
        writer.close()


def shown(session: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of `GET /session`."""
    fields = {name: value for name, value in session.items() if name.startswith("field-")}
    return {"user": session.get("user"), "fields": fields}


def versions(*packages: str) -> dict[str, str]:
    """The answer of `GET /versions`."""
    return {name: version(name) for name in packages}
