"""Row 5: the ways in which a login can end by itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..contenders import STATELESS
from .experiment import Experiment, Measured, Part, Value, Verdict

if TYPE_CHECKING:
    from ..laboratory import Laboratory
    from ..site import Site

ABSOLUTE, IDLE, SHORTENED = 6.0, 2.0, 0.7
"""Seconds: a login's lifetime, of one that nobody uses, and of one that was shortened after the fact."""

MARGIN = 0.8
"""Seconds by which a busy machine may be late."""

WHOLE = 1.0
"""Seconds that a JWT may end early: libraries drop the fraction of `exp`, which is no fault of the login's."""


def measure(laboratory: Laboratory) -> Measured:
    """Four logins of one application, at once."""

    def one(name: str) -> dict[str, Value]:
        with laboratory.site(name, absolute=ABSOLUTE, idle=IDLE) as site:
            return _lifetimes(site)

    return laboratory.at_once(one)


def _lifetimes(site: Site) -> dict[str, Value]:
    used, left, shortened = site.client(), site.client(), site.client()
    for visitor in (used, left, shortened):
        visitor.log_in()
    able = shortened.post("/shorten", data={"seconds": SHORTENED}).status_code == 200
    began = time.monotonic()
    seen: dict[str, Value] = {}

    def use_until(seconds: float) -> bool:
        alive = True
        while time.monotonic() - began < seconds:
            alive = used.me()["user"] is not None
            time.sleep(0.2)
        return alive

    use_until(SHORTENED + MARGIN)
    seen["shortened after the fact"] = able and shortened.me()["user"] is None
    stays = use_until(IDLE + MARGIN)
    seen["ends when nobody uses it"] = left.me()["user"] is None
    seen["stays while it is used"] = stays and use_until(ABSOLUTE - WHOLE - MARGIN)
    use_until(ABSOLUTE + MARGIN)
    seen["ends after its whole lifetime"] = used.me()["user"] is None
    return seen


def judge(measured: Measured) -> Verdict:
    """Built in is what happens without further code."""
    kinds = {name: sum(bool(value) for value in values.values()) for name, values in measured.items()}
    best = [name for name, count in kinds.items() if count == max(kinds.values())]
    told = ", ".join(f"{name} {count}" for name, count in kinds.items())
    holds = any(kinds[name] > kinds["session"] for name in STATELESS if name in kinds)
    return Verdict(
        holds,
        f"Of four ways to live and end: {told}. The token's `exp` is one of them, and cannot be taken back.",
        best,
    )


EXPIRY = Experiment(
    name="expiry",
    part=Part.ADVANTAGE,
    claim="JWTs have expiry built in; sessions need code for it.",
    done=f"Logins of {ABSOLUTE:g} s, which end sooner if nobody uses them for {IDLE:g} s; one is shortened to "
    f"{SHORTENED:g} s after the fact. They are used, or not, until they are refused.",
    measure=measure,
    judge=judge,
)
