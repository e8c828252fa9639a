"""What was measured, as a page in Markdown: the budgets first, met or not, then every figure, and where we lose."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path

from . import budgets, pictures
from .budgets import JWT, spread
from .figures import BARE, Figures, Key
from .missed import reasons

DOCS = Path(__file__).parents[1] / "docs"
PAGE, IMAGES = DOCS / "performance.md", DOCS / "images"
MUCH = 100
"""A ratio from which on the other one does nothing that could be measured."""
KINDS = {
    "read": "It says who is signed in, and two fields. A token in the client's hands is only checked: it cannot be "
    "revoked, and what it says may be stale.",
    "untouched": "The page does not look at its session. Coatcheck loads it even so; where the others do not, they "
    "have nothing to do.",
    "write": "One field is changed. Coatcheck merges what was changed at once; peers store the whole session, so of "
    "two writes one is lost ([races](races.md)). fastapi-users keeps no data; a token cannot be changed.",
    "login": "Somebody new signs in. For a token it is the signature. Coatcheck's is on disk in SQLite, and in "
    "PostgreSQL, before it is acknowledged.",
    "list": "A page shows a user's sessions, of which there are two.",
    "revoke": "A user ends one of their other sessions, by its public name. A denylist does that for a token whose "
    "number somebody has kept.",
}
WHY = {
    "read": "A signed cookie or a token is checked in the process, and asks nobody whether it still counts. Alone, a "
    "read from Redis or PostgreSQL is a round trip; in flight, those of the same moment share one.",
    "untouched": "Peers that load lazily do nothing here. Coatcheck checks each session that comes, so that one that "
    "was revoked is told at once.",
    "write": "A peer sends the whole session and does not look. Coatcheck checks in the same atomic step that the "
    "session still lives, and changes only the fields that the request has changed; SQLite and PostgreSQL keep a log.",
    "login": "Signing a token writes nothing. Coatcheck stores the record, the index by which a user's sessions are "
    "found, and what refuses a login that comes too late; a file is on disk before the answer.",
    "revoke": "A denylist adds one key, and never looks whether there is such a session, or whose it is.",
}
FRAMEWORKS = {
    "starlette": "Starlette",
    "fastapi": "FastAPI",
    "litestar": "Litestar",
    "quart": "Quart",
    "aiohttp": "aiohttp",
    "flask": "Flask",
    "django": "Django",
    "wsgi": "WSGI",
}

_INTRO = """\
# What it costs

This page is written by `make bench ARGS=--write`; run it on your own machine. Absolute times belong to one machine:
read the ratios, which are taken within one round, and of which the median of all rounds is told, with the quartiles in
brackets.

A figure is *net*: a request's wall-clock time through the application, called in its own process without a network,
less the same application bare. Each framework has a process; in each round every contender has one turn, in an order
that is drawn anew, while all others wait. Every answer is checked, and so is the work behind it: that a read was
answered by the store and shows what was just written, that a read wrote nothing, that a write, a login and a revocation
arrived. The peers are set up as their own documentation asks, in their newest releases, on the same Redis, by the same
driver with hiredis, and hold the same data."""

_FLIGHT = """\
*50 in flight*: 50 requests arrive at the same moment, on one event loop, wave after wave; the time is the wave's,
divided by 50. Synchronous frameworks are asked alone."""


def framework(key: Key) -> str:
    """As it writes itself."""
    return FRAMEWORKS[key.world.partition(":")[0]]


def page(figures: Figures) -> str:
    """The whole page."""
    parts = [_INTRO, "## Budgets", _budgets(figures), _ELSEWHERE, _FLIGHT]
    missed = list(reasons(figures, budgets.lines(figures)))
    if missed:
        parts += ["### Not met, and why", _PROFILED, "\n".join(missed)]
    parts.append(tables(figures))
    lost = list(_lost(figures))
    if lost:
        parts += ["## Where we lose, and why", _LOST, *lost]
    if figures.profiles:
        parts += ["## Where the work lies", _PROFILE, _profiles(figures)]
    if figures.weights:
        rows = [
            [f"{size:,}", f"{one.plain:,.0f}", f"{one.ours:,.0f}", f"{one.ours - one.plain:+,.0f}"]
            for size, one in figures.weights.items()
        ]
        parts += [
            "## Memory in Redis",
            "Bytes a session, by the growth of what Redis says its data takes. Ours holds the data, the times, the "
            "hashes of the secrets, and the index by which a user's sessions are found.",
            _table(["JSON, bytes", "as a plain string", "as a session", "more"], rows),
        ]
    versions = ", ".join(f"{name} {number}" for name, number in sorted(figures.versions.items()))
    short = ", of short slices (`--quick`), beside other work: the spreads are wide" if figures.quick else ""
    parts += ["## The machine", f"{figures.machine}. Rounds: {figures.rounds}{short}. {versions}."]
    return "\n\n".join(parts) + "\n"


_PROFILED = """\
By the profile [below](#where-the-work-lies), which counts what Python itself does: hashes, JSON, SQLite and the
kernel's part of a round trip are not in it."""

_PROFILE = """\
What Python itself does for one request, in bytecodes, which are counted exactly: what is in C (hashes, JSON, SQLite,
the kernel) is not in it. `python -m tests.cost NAME --python` tells each function, `--c` the instructions in C."""


def _profiles(figures: Figures) -> str:
    layers = sorted({layer for one in figures.profiles.values() for layer in one})
    rows = [
        [layer, *(f"{one[layer]:,.0f}" if layer in one else "" for one in figures.profiles.values())]
        for layer in layers
    ]
    total = ["**together**", *(f"{sum(one.values()):,.0f}" for one in figures.profiles.values())]
    return _table(["layer", *figures.profiles], [*rows, total])


_ELSEWHERE = """\
Each is a ratio of net figures but for the last lines. Listing and revoking one user's sessions is flat from ten
thousand to a million sessions in the store: [scale](scale.md); the rest of how it grows: [growth](growth.md). Through
real servers, driven by wrk: [served](performance-served.md)."""

_LOST = """\
Every class in which something else in the same framework, that can do it, is cheaper than Coatcheck on Redis, SQLite or
PostgreSQL in three of four rounds: how many times its cost ours is."""


def _budgets(figures: Figures) -> str:
    rows = [[one.what, one.budget, one.measured, "met" if one.met else "**not met**"] for one in budgets.lines(figures)]
    return _table(["what", "budget", "measured", ""], rows)


def part(figures: Figures) -> str:
    """What a part of a run has shown."""
    return f"{_budgets(figures)}\n\n{tables(figures)}"


def tables(figures: Figures) -> str:
    """A table for each class, and the latencies."""
    parts = []
    for kind, text in KINDS.items():
        if figures.select(kind, 1):
            parts += [f"## {kind.capitalize()}", text]
            if kind in pictures.KINDS and JWT in figures:  # else it is a part of a run, and no page
                parts.append(f"![What a {kind} costs, by contender](images/performance-{kind}.svg)")
            parts.append(_costs(figures, kind))
        if kind == "read" and figures.select(kind, 50):
            parts += [_LATENCY, _latencies(figures)]
    return "\n\n".join(parts)


_LATENCY = """\
How long an answer takes when 50 requests arrive at the same moment, in milliseconds, with the framework's own share:
what 50, 95 and 99 of a hundred answers take at most, in the median of the rounds. *Net*: the 95th less that of the bare
application."""


def _costs(figures: Figures, kind: str) -> str:
    rows = []
    names = figures.select(kind, 1)
    jwt = JWT in figures
    for key in names:
        together = key._replace(flight=50)
        cells = [_name(figures, key), framework(key)]
        for one in (key, together):
            base = JWT._replace(flight=one.flight)
            if one in figures:
                cells.append(spread(figures.cost(one), 0))
                cells += [f"{figures.ratio(one, base).median:.2f}"] if jwt else []
            else:
                cells += ["", ""] if jwt else [""]
        rows.append(cells)
    rows += [[name, place, "cannot", *[""] * (len(rows[0]) - 3)] for name, place in _unable(figures, kind)]
    ratio = ["x PyJWT HS256"] if jwt else []
    head = ["contender", "framework", "alone, net us", *ratio, "50 in flight, net us a request", *ratio]
    return _table(head, rows)


def _unable(figures: Figures, kind: str) -> Iterator[tuple[str, str]]:
    able = {(key.world, key.subject) for key in figures.select(kind, 1)}
    seen = sorted({(key.world, key.subject) for key in figures.seconds if key.subject != BARE})
    if figures.select("read", 1) and kind != "untouched":  # otherwise only a part was asked for
        for world, subject in seen:
            # What changes goes past a near cache.
            if (world, subject) not in able and "near cache" not in subject:
                yield subject, framework(Key(world, subject, kind, 1))


def _latencies(figures: Figures) -> str:
    keys = [key for key in figures.seconds if (key.kind, key.flight) == ("read", 50) and key.subject != BARE]
    rows = []
    for key in sorted(keys, key=lambda key: figures.cost(key, "p95").median):
        parts = [sorted(figures.seconds[key][part]) for part in ("p50", "p95", "p99")]
        medians = [f"{1000 * part[len(part) // 2]:.2f}" for part in parts]
        net = figures.cost(key, "p95")
        rows.append([_name(figures, key), framework(key), *medians, spread(type(net)(*(one / 1000 for one in net)), 2)])
    return _table(["contender", "framework", "50 %", "95 %", "99 %", "net, 95 %"], rows)


def _name(figures: Figures, key: Key) -> str:
    return f"**{key.subject}**" if key in figures.ours else key.subject


def _lost(figures: Figures) -> Iterator[str]:
    for kind in KINDS:
        rows = []
        for flight in (1, 50):
            for own in figures.select(kind, flight):
                if own not in figures.ours or own.subject in {"Coatcheck, memory", "Coatcheck, Redis, near cache"}:
                    continue
                cheaper = [
                    f"{ratio.median:.1f} x {key.subject}" if ratio.median < MUCH else f"{key.subject} (next to nothing)"
                    for key in figures.select(kind, flight)
                    if key not in figures.ours
                    and key.world.partition(":")[0] == own.world.partition(":")[0]
                    and (ratio := figures.ratio(own, key)).low > 1
                ]
                if cheaper:
                    alone = "alone" if flight == 1 else f"{flight} in flight"
                    rows.append(f"- {own.subject}, {framework(own)}, {alone}: {', '.join(cheaper)}")
        if rows:
            yield f"**{kind}**. {WHY.get(kind, '')}"
            yield "\n".join(rows)


def write(figures: Figures) -> None:
    """The page, and its pictures."""
    IMAGES.mkdir(exist_ok=True)
    for kind in pictures.KINDS:
        pictures.draw(figures, kind, IMAGES / f"performance-{kind}.svg", framework)
    PAGE.write_text(page(figures))


def _table(head: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def processor() -> str:
    """What it is, and how many."""
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    name = names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
    return f"{len(names) or 'some'} processors, {name}"
