"""A configuration: its secrets, its policy against a preset, and the cookie that it will set."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from coatcheck import policy
from coatcheck.engine import Commit
from coatcheck.errors import CoatcheckError
from coatcheck.health import Check
from coatcheck.policy import Policy
from coatcheck.strength import Weakness, weakness

from . import said
from .said import Said

PRESETS = {
    name.lower().replace("_", "-"): value
    for name, value in vars(policy).items()
    if isinstance(value, Policy) and name != "TEST_ONLY"
}
"""The named policies of `coatcheck.policy`, as `--preset` names them."""


@dataclass(frozen=True, slots=True)
class Most:
    """How long a session's cookie may live, and who says so."""

    seconds: float | None
    whose: str
    persistent: bool
    """Whether it may survive the browser."""

    def judged(self, one: Said) -> Iterator[Check]:
        """A cookie's lifetime."""
        yield said.lifetime(one, self.seconds, self.whose)
        if self.persistent:
            yield Check("ok", "persistent", f"{one.label}: it may survive the browser")
        elif one.age is None:
            yield Check("ok", "persistent", f"{one.label}: it ends with the browser")
        else:
            text = f"{one.label}: it survives the browser, and {self.whose} has it end with it"
            yield Check("warn", "persistent", text, "Policy(remember=False), and no login(remember=True)")


def most(preset: str | None, manager: Any) -> Most:
    """By a preset's name, else by a manager's policy, else nothing is said."""
    if preset is not None:
        return Most(_absolute(PRESETS[preset]), preset, PRESETS[preset].remember)
    if manager is not None:
        return Most(_absolute(manager.policy), "the policy of --app", persistent=True)
    return Most(None, "", persistent=True)


def _absolute(value: Policy) -> float:
    return max(value.lifetimes(remember)[1] for remember in (True, False))


def examine(manager: Any, preset: str | None, frameworks: list[bytes]) -> Iterator[Check]:
    """A manager, synchronous or not; `frameworks`: keys of the framework's own from which ours is made. No I/O but for
    a file of secrets."""
    yield from secrets(manager, frameworks)
    yield from timeouts(manager.policy, preset)
    value: Policy = manager.policy
    age = int(value.lifetimes(True)[1]) if value.remember else None
    one = said.read(manager.cookie.set_cookie(Commit("set", "", age)) or "", time.time())
    host = one.attributes.get("domain", "").removeprefix(".")
    yield from said.judged(one, host, https=True, local=False)
    yield from most(preset, manager).judged(one)


def secrets(manager: Any, frameworks: list[bytes]) -> Iterator[Check]:
    """Whether there is one, and whether somebody may guess it."""
    remedy = "Make one with `coatcheck keygen`, in its place: behind the new one it still verifies what others sign"
    try:
        found = [(f"secret number {position}", weak) for position, weak in manager.weak_secrets()]
    except CoatcheckError as error:
        yield Check("fail", "secret", str(error))
        return
    found += [("the framework's SECRET_KEY", weak) for weak in map(weakness, frameworks) if weak is not None]
    for whose, weak in found:
        yield _weak(whose, weak)._replace(remedy=remedy)
    if not found:
        yield Check("ok", "secret", "set, long enough, and it looks random")


def _weak(whose: str, weak: Weakness) -> Check:
    return Check("fail" if weak.sure else "warn", "secret", f"{whose}: {weak.text}")


def timeouts(value: Policy, preset: str | None) -> Iterator[Check]:
    """A policy against a preset, remembered or not; without one against NIST's ceiling, as a warning."""
    limits, whose = PRESETS[preset or "nist-aal1"], preset or "NIST SP 800-63B-4, 2.1.3,"
    found: dict[str, None] = {}
    for remember in (False, True):
        idle, absolute = value.lifetimes(remember)
        pairs = [("absolute", absolute, limits.absolute_timeout.total_seconds())]
        if limits.idle_seconds is not None:
            pairs.append(("idle", absolute if idle is None else idle, limits.idle_seconds))
        found |= dict.fromkeys(
            f"{name} timeout {said.span(own)}, and {whose} allows {said.span(least)}"
            for name, own, least in pairs
            if own > least
        )
    for text in found:
        remedy = "Policy(idle_timeout=..., absolute_timeout=..., remember_timeout=...), or coatcheck.policy's presets"
        yield Check("fail" if preset else "warn", "timeouts", text, remedy)
    if not found:
        idle, absolute = value.lifetimes(False)
        text = f"{said.span(absolute)} in all, {'no limit' if idle is None else said.span(idle)} idle"
        yield Check("ok", "timeouts", f"{text}, within what {whose} allows")
