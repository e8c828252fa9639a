"""Where the work of a request lies: bytecodes by layer, exactly. `python -m tests.cost --python` has each function."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.cost.counting import ASKED, bytecodes
from tests.servers import RedisServer

NAMES = ("PyJWT HS256", "near read", "SQLite read", "Redis read", "SQLite write", "Redis write")
LAYERS = {
    "the event loop": ("/asyncio/", "/selectors.py"),
    "framework and page": ("/starlette/", "/tests/cost/"),
    "PyJWT": ("/jwt/",),
    "integration": ("/coatcheck/integrations/", "/arrival.py", "/exchange.py", "/departure.py", "/incoming.py"),
    "cookie and token": ("/coatcheck/cookies.py", "/coatcheck/token.py", "/coatcheck/keyring.py"),
    "the store, and its driver": ("/coatcheck/stores/", "/coatcheck/near.py", "/coatcheck/offload.py", "/redis/"),
    "session: load, judge, commit": ("/coatcheck/",),
    "JSON": ("/json/",),
}
"""The first that a file's path has a part of; all else is the rest."""


def profiles() -> dict[str, dict[str, float]]:
    """Bytecodes of one request, by contender and layer."""
    with RedisServer() as server:
        return {name: _layers(name, server.url) for name in NAMES}


def _layers(name: str, redis: str) -> dict[str, float]:
    found = Counter[str]()
    for code, steps in bytecodes(name, redis).codes.items():
        path = f"/{Path(code.co_filename).as_posix()}"
        parts = (layer for layer, places in LAYERS.items() if any(place in path for place in places))
        found[next(parts, "the rest")] += steps
    return {layer: steps / ASKED for layer, steps in found.most_common()}
