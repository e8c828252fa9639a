"""What was measured, as a page in Markdown: the budgets first, met or not, then every figure."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from .footprint import Start, Weight
from .measure import Heat, Spread

PACKAGES = ("starlette", "pyjwt", "starsessions", "redis")
LATER = (
    "ASGI on Redis with a near cache: at most 0.25 x PyJWT HS256, and below the signed cookie",
    "Flask on Redis: at most one quarter of Flask-Session",
    "Django's engine on Redis: below Django's own cache backend",
    "listing or revoking one user's sessions: flat from ten thousand to a million sessions",
)


@dataclass
class Results:
    """One run. What needed Redis is None, or lacks its contenders, where there was none."""

    alone: Heat
    together: Heat
    writes: Heat
    weights: dict[int, Weight] | None
    start: Start


class Line(NamedTuple):
    """One budget."""

    what: str
    budget: str
    measured: str
    met: bool


def page(results: Results) -> str:
    """The whole page."""
    rounds = ", ".join(f"{len(heat.times['bare'])}" for heat in (results.alone, results.together, results.writes))
    parts = [
        "# What it costs",
        "This page is written by `make bench ARGS=--write`; run it on your own machine. Absolute times belong to one "
        "machine: read the ratios, which are taken within one round, and of which the median of all rounds is told, "
        "with the quartiles in brackets.",
        "A figure is *net*: a request's wall-clock time through the application, called in-process, less the same "
        "application bare. What others cost is measured in the same rounds, in an order that is drawn anew for each. "
        "Every answer is checked, and so is the work behind it: that a session was read from the store at each "
        "request, and that nothing was written.",
        "## Budgets",
        _table(
            ["what", "budget", "measured", ""],
            [[one.what, one.budget, one.measured, "met" if one.met else "**not met**"] for one in _budgets(results)],
        ),
        "Not measured yet: " + "; ".join(LATER) + ".",
        "## One request at a time",
        "The session is read from its store at every request, by an application that asks who is signed in and for "
        "one field. PyJWT only checks the token: it cannot be revoked, and what it says may be stale.",
        _costs(results.alone),
        "*untouched*: the application does not look at the session, which is loaded even so. *visitor*: no cookie, so "
        "no store is asked.",
        f"## {results.together.flight} requests in flight",
        "On one event loop. Loads that wait for Redis at the same moment share a round trip.",
        _costs(results.together),
        "## Writes and logins",
        "A write changes one field. A login in SQLite is on disk before it is acknowledged. starsessions saves the "
        "whole session at every response; of two at once, one is lost.",
        _costs(results.writes),
    ]
    if results.weights:
        rows = [
            [f"{size}", f"{one.plain:.0f}", f"{one.ours:.0f}", f"{one.ours - one.plain:+.0f}"]
            for size, one in results.weights.items()
        ]
        parts += [
            "## Memory in Redis",
            "Bytes a session, by the growth of what Redis says its data takes. Ours holds the data, the times, the "
            "hashes of the secrets, and the index by which a user's sessions are found.",
            _table(["JSON, bytes", "as a plain string", "as a session", "more"], rows),
        ]
    parts += [
        "## The machine",
        f"{processor()}; {platform.system()}; {platform.python_implementation()} {platform.python_version()}; "
        + ", ".join(f"{name} {version(name)}" for name in PACKAGES)
        + f". Rounds: {rounds}.",
    ]
    return "\n\n".join(parts) + "\n"


def _budgets(results: Results) -> list[Line]:
    alone, together, jwt = results.alone, results.together, "PyJWT HS256"
    lines = [_ratio("ASGI, SQLite, read", alone, "SQLite read", jwt, 0.5)]
    if "Redis read" in together.times:
        what = f"ASGI, Redis, {together.flight} in flight, read"
        lines.append(_ratio(what, together, "Redis read", jwt, 0.8))
        lines.append(_ratio(what, together, "Redis read", "starsessions read", 0.125))
    for size, one in (results.weights or {}).items():
        most = 1.3 * one.plain + 400
        lines.append(
            Line(f"Redis memory, {size} bytes", f"{most:.0f} bytes", f"{one.ours:.0f} bytes", one.ours <= most)
        )
    start = results.start
    lines.append(Line("`import coatcheck`", "40 ms", f"{start.milliseconds:.0f} ms", start.milliseconds < 40))
    lines.append(Line('`coatcheck.SessionManager("memory://")` after it', "none set", f"{start.manager:.0f} ms", True))
    names = ", ".join(start.modules) or "none"
    return [*lines, Line("third-party modules that it loads", "none", names, not start.modules)]


def _ratio(what: str, heat: Heat, name: str, other: str, limit: float) -> Line:
    measured = heat.ratio(name, other)
    return Line(what, f"{limit} x {other.removesuffix(' read')}", _spread(measured, 2), measured.median <= limit)


def _costs(heat: Heat) -> str:
    names = sorted((name for name in heat.times if name != "bare"), key=lambda name: heat.cost(name).median)
    rows = [[name, _spread(heat.cost(name), 1), _spread(heat.ratio(name, "PyJWT HS256"), 2)] for name in names]
    return _table(["contender", "net us a request", "x PyJWT HS256"], rows)


def _spread(spread: Spread, places: int) -> str:
    low, median, high = (f"{value:.{places}f}" for value in spread)
    return f"{median} ({low} to {high})"


def _table(head: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    name = names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
    return f"{len(names) or 'some'} processors, {name}"
