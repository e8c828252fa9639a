"""Row 8: clients that are no browsers."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..clients import pythonic
from ..contenders import STATELESS
from ..contenders.application import PASSWORD
from ..programs import find
from .experiment import Experiment, Measured, Part, Value, Verdict

if TYPE_CHECKING:
    from ..laboratory import Laboratory

HERE = Path(pythonic.__file__).parent
LONGEST = 60
"""Seconds that a client may take: Go and Java compile theirs first."""

LACKING = "not installed"
WORKS = ["ada", "ada", None]
"""Whom the application is to see: after logging in, when the client comes back, and after logging out."""


def _program(program: str, *words: str | Path) -> Callable[[str], Any]:
    def run(url: str) -> Any:
        executable = find(program)
        if executable is None:
            return LACKING
        with TemporaryDirectory(prefix="coatcheck-lab-") as folder:
            command = [executable, *words, url, PASSWORD, folder]
            done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, cwd=HERE, check=True)  # noqa: S603
        return json.loads(done.stdout)

    return run


def _node(url: str) -> Any:
    return _program("node", "client.mjs")(url) if (HERE / "node_modules" / "tough-cookie").exists() else LACKING


def _curl(url: str) -> Any:
    return LACKING if find("curl") is None else _program("sh", "curl.sh")(url)


CLIENTS: Mapping[str, Callable[[str], Any]] = {
    "curl": _curl,
    "httpx": lambda url: pythonic.with_httpx(url, PASSWORD),
    "requests": lambda url: pythonic.with_requests(url, PASSWORD),
    "aiohttp": lambda url: asyncio.run(pythonic.with_aiohttp(url, PASSWORD)),
    "Node's fetch with tough-cookie": _node,
    "Java's HttpClient": _program("java", "Client.java"),
    "Go's http.Client": _program("go", "run", "client.go"),
}


def measure(laboratory: Laboratory) -> Measured:
    """Each client logs in, comes back, and logs out."""

    def one(name: str) -> dict[str, Value]:
        # In threads, where aiohttp may have an event loop: the main one's is the browser's.
        with laboratory.site(name) as site, ThreadPoolExecutor() as pool:
            seen = zip(CLIENTS, pool.map(lambda visits: visits(site.url), CLIENTS.values()), strict=True)
            return {client: LACKING if users == LACKING else users == WORKS for client, users in seen}

    return laboratory.each(one)


def judge(measured: Measured) -> Verdict:
    """The advantage is one if sessions do not have it."""
    failed = {name: [client for client, value in values.items() if value is False] for name, values in measured.items()}
    best = [name for name, clients in failed.items() if not clients]
    lacking = [client for client, value in measured["session"].items() if value == LACKING]
    tried = len(CLIENTS) - len(lacking)
    holds = bool(failed["session"]) and any(name in best for name in STATELESS)
    told = f"Each of {tried} clients logged in, came back and logged out with {', '.join(best) or 'none'}"
    told += "".join(f"; {name} failed with {', '.join(clients)}" for name, clients in failed.items() if clients)
    return Verdict(holds, f"{told}." + (f" Not installed here: {', '.join(lacking)}." if lacking else ""), best)


MOBILE = Experiment(
    name="mobile",
    part=Part.ADVANTAGE,
    claim="JWTs suit mobile applications; sessions need a browser.",
    done="HTTP clients with a cookie jar, in five languages as far as they are installed: log in, come back, log out, "
    "come back again.",
    measure=measure,
    judge=judge,
)
