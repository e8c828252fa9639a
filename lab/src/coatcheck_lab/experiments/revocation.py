"""Row 12: how long a login that was ended is still accepted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..contenders import DENYLIST, STATELESS
from .experiment import Chart, Experiment, Measured, Part, Value, Verdict, check_left

if TYPE_CHECKING:
    from ..laboratory import Laboratory
    from ..site import Site, Visitor

LIFETIME = 6.0
"""Seconds that a login lasts here. In life it is hours or days: what is left of it is what is measured."""

LEFT = "seconds of its lifetime that were left"
REQUESTS = 50
ASKED = "commands to the store for a request"

ENDS = ("logout", "password changed", "attack detected")


def measure(laboratory: Laboratory) -> Measured:
    """For each way to end a login: seconds from its acknowledgement until a copy of the login is refused."""

    def one(name: str) -> dict[str, Value]:
        with laboratory.site(name, absolute=LIFETIME) as site:
            return _ended(site)

    cost = laboratory.each(lambda name: _asked(laboratory, name), laboratory.with_denylist)
    ended = laboratory.at_once(one, laboratory.with_denylist)
    return {name: values if cost[name] is None else {**values, ASKED: cost[name]} for name, values in ended.items()}


def _asked(laboratory: Laboratory, name: str) -> float | None:
    """What revocation costs: commands that the store carries out for a request that only reads."""
    with laboratory.site(name) as site:
        visitor = site.client()
        visitor.log_in()
        for _ in range(5):
            visitor.me()  # connected, and what is done once is done
        before = laboratory.asked_of_redis()
        for _ in range(REQUESTS):
            visitor.me()
        after = laboratory.asked_of_redis()
    # The question itself is one of them.
    return None if before is None or after is None else (after - before - 1) / REQUESTS


def _ended(site: Site) -> dict[str, Value]:
    """All ways at once, so that a JWT's remaining lifetime is waited for once: each with a user's own login."""
    began = time.monotonic()

    def copied(user: str) -> tuple[Visitor, Visitor]:
        owner, thief = site.client(), site.client()
        owner.log_in(user)
        thief.copy(owner)
        return owner, thief

    owner, logged_out = copied("ada")
    _, changed = copied("eve")
    _, attacked = copied("mallory")
    acts: dict[str, tuple[Callable[[], object], Visitor]] = {
        "logout": (lambda: owner.post("/log-out"), logged_out),
        "password changed": (lambda: site.operator("revoke", user="eve"), changed),
        "attack detected": (lambda: site.operator("revoke", user="mallory"), attacked),
    }
    since: dict[str, float] = {}
    for what, (act, copy) in acts.items():
        if copy.me()["user"] is None:
            raise RuntimeError("a copy of a login is no login")
        act()
        since[what] = time.monotonic()
    refused: dict[str, Value] = {}
    while len(refused) < len(acts):
        for what, (_, copy) in acts.items():
            if what not in refused and copy.me()["user"] is None:
                refused[what] = round(time.monotonic() - since[what], 3)
        time.sleep(0.02)
    left = began + LIFETIME - max(since.values())
    check_left(left, LIFETIME)
    return {LEFT: round(left, 3)} | {until_refused(what): refused[what] for what in ENDS}


def until_refused(what: str) -> str:
    """What that figure is called."""
    return f"{what}: seconds until refused"


def judge(measured: Measured) -> Verdict:
    """A login is revocable if it was refused long before it would have ended by itself."""
    longest = {name: _longest(values) for name, values in measured.items()}
    slow = [name for name, seconds in longest.items() if seconds > float(measured[name][LEFT] or 0) / 2]
    told = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in longest.items())
    why = (
        f"Of a login of {LIFETIME:g} s, a copy was accepted after its end for at most: {told}. What is left of a JWT's "
        "lifetime is how long it cannot be revoked."
    )
    if DENYLIST.name in measured:
        why += (
            " With a denylist it can be, and asks the store at every request, as a session does (commands: "
            f"{measured[DENYLIST.name][ASKED]:g} and {measured['session'][ASKED]:g})"
            + "".join(f"; {name} asks {measured[name][ASKED]:g}" for name in STATELESS if name in measured)
            + "."
        )
    return Verdict(
        "session" not in slow and any(name in slow for name in STATELESS),
        why,
        [name for name in measured if name not in slow],
    )


def _longest(values: Mapping[str, Value]) -> float:
    """Seconds, of the way to end a login that took longest."""
    return max(float(values[until_refused(what)] or 0) for what in ENDS)


def charts(measured: Measured) -> list[Chart]:
    """From "it is ended" until it was."""
    longest = {name: [(0.0, _longest(values))] for name, values in measured.items()}
    limits = {"the login's lifetime": LIFETIME}
    found = [Chart("timeline", "Still accepted after its end, in seconds", "seconds", longest, limits=limits)]
    asked = {name: [(0.0, float(cost))] for name, values in measured.items() if (cost := values.get(ASKED)) is not None}
    if asked:
        found.append(
            Chart("bars", "What the store is asked for each request that reads, in commands", "commands", asked)
        )
    return found


REVOCATION = Experiment(
    name="revocation",
    part=Part.DRAWBACK,
    claim="A JWT cannot be revoked one by one: what is ended stays valid until it expires.",
    done="Log in, copy what the browser holds, end the login by logout, password change and an operator's word; "
    "use the copy until it is refused.",
    measure=measure,
    judge=judge,
    charts=charts,
)
