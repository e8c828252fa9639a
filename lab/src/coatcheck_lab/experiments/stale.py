"""Row 13: how long a role that was taken away is still granted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..contenders import STATELESS
from .experiment import Chart, Experiment, Measured, Part, Value, Verdict, check_left

if TYPE_CHECKING:
    from ..laboratory import Laboratory

LIFETIME = 5.0
"""Seconds that a login lasts here. In life it is hours or days."""

LEFT = "seconds of its lifetime that were left"
GRANTED = "seconds for which the old role was granted"
KEPT = "logged in afterwards"


def measure(laboratory: Laboratory) -> Measured:
    """Log in as an editor, be made a reader, and ask until the application agrees."""

    def one(name: str) -> dict[str, Value]:
        with laboratory.site(name, absolute=LIFETIME) as site:
            visitor = site.client()
            logged_in = time.monotonic()
            visitor.log_in()
            site.operator("role", user="ada", role="reader")
            began = time.monotonic()
            left = logged_in + LIFETIME - began
            check_left(left, LIFETIME)
            while (seen := visitor.me()).get("role") == "editor":
                time.sleep(0.02)
            granted = round(time.monotonic() - began, 3)
            return {LEFT: round(left, 3), GRANTED: granted, KEPT: seen["user"] is not None}

    return laboratory.at_once(one)


def judge(measured: Measured) -> Verdict:
    """Stale is what grants it for more than half of what was left of the login's lifetime."""
    granted = {name: float(values[GRANTED] or 0) for name, values in measured.items()}
    fresh = [name for name, seconds in granted.items() if seconds < float(measured[name][LEFT] or 0) / 2]
    told = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in granted.items())
    holds = "session" in fresh and any(name in granted and name not in fresh for name in STATELESS)
    return Verdict(holds, f"Of a login of {LIFETIME:g} s, the old role was granted for {told}.", fresh)


def charts(measured: Measured) -> list[Chart]:
    """From the change until it shows."""
    series = {name: [(0.0, float(values[GRANTED] or 0))] for name, values in measured.items()}
    return [Chart("timeline", "Old role still granted", "seconds", series, limits={"the login's lifetime": LIFETIME})]


STALE = Experiment(
    name="stale",
    part=Part.DRAWBACK,
    claim="What a JWT says goes stale: a role that was taken away is granted until it expires.",
    done="Log in as an editor, let an operator make the user a reader, and ask until the application sees it.",
    measure=measure,
    judge=judge,
    charts=charts,
)
