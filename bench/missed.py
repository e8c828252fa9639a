"""Why a budget is not met, by the profile of the request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .budgets import Line
from .figures import Figures, Key

SHARED = "framework and page"
"""The layer that a request has without a session, too."""

PROFILES = {
    "ASGI, SQLite, read": "SQLite read",
    "ASGI, Redis, near cache, read": "near read",
    "ASGI, Redis, 50 in flight, read": "Redis read",
    "ASGI, Redis, alone, write": "Redis write",
    "ASGI, Redis, 50 in flight, write": "Redis write",
}
"""Whose profile shows why."""

LATE = (
    "who comes at the same moment as 49 others waits for the work of most of them: this is the cost of 50 in flight "
    "once more."
)


def reasons(figures: Figures, lines: list[Line]) -> Iterator[str]:
    """A line of a list for each budget that was missed, where something is known of it."""
    for line in lines:
        if line.met or line.own is None or line.other is None:
            continue
        profile = figures.profiles.get(PROFILES.get(line.what, ""))
        parts = [*_floor(figures, line.own, line.other)]
        if profile is not None:
            parts.append(_shares(profile, figures.profiles["PyJWT HS256"]))
        if line.what.endswith("95 % within"):
            parts = [LATE]
        if parts:
            yield f"- **{line.what}**, {line.budget}: {' '.join(parts)}"


def _floor(figures: Figures, own: Key, other: Key) -> Iterator[str]:
    """What is left where the store costs nothing, or what the store alone costs."""
    memory = own._replace(subject="Coatcheck, memory")
    redis, sqlite = (Key("wsgi", f"Coatcheck, {store}", own.kind, 1) for store in ("Redis", "SQLite"))
    if memory in figures:
        yield f"with a store that costs nothing (memory) it would be {figures.ratio(memory, other).median:.2f};"
    elif own.world == "flask" and redis in figures and sqlite in figures:
        trip = figures.cost(redis).median - figures.cost(sqlite).median
        theirs = figures.cost(other).median
        yield (
            f"the round trip alone is {trip:.0f} us of the {theirs:.0f} that {other.subject} takes, {trip / theirs:.2f}"
            " of it (plain WSGI, Redis less SQLite): both sides have it."
        )


def _shares(ours: Mapping[str, float], other: Mapping[str, float]) -> str:
    mine = {layer: steps for layer, steps in ours.items() if layer != SHARED}
    total, theirs = sum(mine.values()), sum(steps for layer, steps in other.items() if layer != SHARED)
    largest = sorted(mine.items(), key=lambda item: -item[1])[:4]
    told = ", ".join(f"{steps / total:.0%} {layer}" for layer, steps in largest)
    return f"{total:,.0f} bytecodes beside the {SHARED}, {total / theirs:.2f} of PyJWT's: {told}."
