"""What each thing may cost at most, and what it does cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .figures import Figures, Key, Spread

JWT = Key("starlette", "PyJWT HS256", "read", 1)
STARSESSIONS = Key("starlette", "starsessions, Redis", "read", 50)
ON_SQLITE = Key("starlette", "Coatcheck, SQLite", "read", 1)
ON_REDIS = Key("starlette", "Coatcheck, Redis", "read", 50)
NEAR = Key("starlette", "Coatcheck, Redis, near cache", "read", 1)
COOKIE = Key("starlette", "Starlette's signed cookie", "read", 1)
STORM = 3_000
"""Durable logins a second."""


class Line(NamedTuple):
    """One budget."""

    what: str
    budget: str
    measured: str
    met: bool
    own: Key | None = None
    other: Key | None = None
    """What was compared, of a ratio."""


LIMITS = (
    ("ASGI, SQLite, read", ON_SQLITE, JWT, 0.5),
    ("ASGI, Redis, 50 in flight, read", ON_REDIS, JWT._replace(flight=50), 0.8),
    ("ASGI, Redis, 50 in flight, read", ON_REDIS, STARSESSIONS, 0.125),
    ("ASGI, Redis, near cache, read", NEAR, JWT, 0.25),
    ("ASGI, Redis, near cache, read", NEAR, COOKIE, 1),
    (
        "Flask, Redis, read",
        Key("flask", "Coatcheck, Redis", "read", 1),
        Key("flask", "Flask-Session, Redis", "read", 1),
        0.25,
    ),
    (
        "Django, Redis, read",
        Key("django", "Coatcheck, Redis", "read", 1),
        Key("django", "Django's cache, Redis", "read", 1),
        1,
    ),
)


def spread(found: Spread, places: int) -> str:
    """A median with its quartiles."""
    low, median, high = (f"{value:,.{places}f}" for value in found)
    return f"{median} ({low} to {high})"


def lines(figures: Figures) -> list[Line]:
    """Every budget that was measured."""
    found = [
        _ratio(figures, what, own, other, limit)
        for what, own, other, limit in LIMITS
        if own in figures and other in figures
    ]
    return [*found, *_writes(figures), *_latency(figures), *_footprint(figures)]


def _ratio(figures: Figures, what: str, own: Key, other: Key, limit: float, part: str = "seconds") -> Line:
    measured = figures.ratio(own, other, part)
    budget = f"at most {limit:g} x {other.subject}"
    return Line(what, budget, spread(measured, 2), measured.median <= limit, own, other)


def _writes(figures: Figures) -> Iterator[Line]:
    """Beside the fastest peer that writes to the same Redis, in whatever framework."""
    for flight in (1, 50):
        own = Key("starlette", "Coatcheck, Redis", "write", flight)
        peers = [key for key in figures.select("write", flight) if "Redis" in key.subject and key not in figures.ours]
        if own in figures and peers:
            alone = "alone" if flight == 1 else f"{flight} in flight"
            yield _ratio(figures, f"ASGI, Redis, {alone}, write", own, peers[0], 0.5)


def _latency(figures: Figures) -> Iterator[Line]:
    """Of those who come at the same moment, how long 95 of 100 wait at most; net, as everything."""
    peers = [key for key in figures.select("read", 50) if key not in figures.ours]
    if not peers:
        return
    best = min(peers, key=lambda key: figures.cost(key, "p95").median)
    for own in (ON_REDIS, ON_SQLITE._replace(flight=50), NEAR._replace(flight=50)):
        if own in figures:
            what = f"{own.subject.removeprefix('Coatcheck, ')}, 50 in flight, read, 95 % within"
            yield _ratio(figures, f"ASGI, {what}", own, best, 1, "p95")


def _footprint(figures: Figures) -> Iterator[Line]:
    for size, one in (figures.weights or {}).items():
        most = 1.3 * one.plain + 400
        told = f"{one.ours:,.0f} bytes"
        yield Line(f"Redis memory, {size} bytes of data", f"at most {most:,.0f} bytes", told, one.ours <= most)
    if figures.storms:
        a_second = Spread.of([one.a_second for one in figures.storms])
        refused = sum(one.refused for one in figures.storms)
        what = "login storm, SQLite, two processes, 50 in flight each"
        told = spread(a_second, 0) + (f", {refused} refused" if refused else "")
        yield Line(what, f"at least {STORM:,} a second", told, a_second.median >= STORM and not refused)
    start = figures.start
    if start is not None:
        taken = f"{start.milliseconds:.0f} ms"
        yield Line("`import coatcheck`", "under 40 ms", taken, start.milliseconds < 40)
        yield Line('`coatcheck.SessionManager("memory://")` after it', "none set", f"{start.manager:.0f} ms", True)
        names = ", ".join(start.modules) or "none"
        yield Line("third-party modules that it loads", "none", names, not start.modules)
