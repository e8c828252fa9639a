"""Why a budget is not met, by the profile of the request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .budgets import Line
from .figures import Figures

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

OTHERWISE = {
    "Flask, Redis, read": "a round trip alone, with the switch to the server and back: both sides have it.",
    "95 % within": "who comes at the same moment as 49 others waits for the work of most of them: this is the cost of "
    "50 in flight once more.",
}


def reasons(figures: Figures, lines: list[Line]) -> Iterator[str]:
    """A line of a list for each budget that was missed, where something is known of it."""
    for line in lines:
        if line.met:
            continue
        profile = figures.profiles.get(PROFILES.get(line.what, ""))
        if profile is not None:
            yield f"- **{line.what}**, {line.budget}: {_shares(profile, figures.profiles['PyJWT HS256'])}"
            continue
        for what, why in OTHERWISE.items():
            if line.what.endswith(what):
                yield f"- **{line.what}**: {why}"


def _shares(ours: Mapping[str, float], other: Mapping[str, float]) -> str:
    mine = {layer: steps for layer, steps in ours.items() if layer != SHARED}
    total, theirs = sum(mine.values()), sum(steps for layer, steps in other.items() if layer != SHARED)
    largest = sorted(mine.items(), key=lambda item: -item[1])[:4]
    told = ", ".join(f"{steps / total:.0%} {layer}" for layer, steps in largest)
    return f"{total:,.0f} bytecodes beside the {SHARED}, {total / theirs:.2f} of PyJWT's: {told}."
