"""Row 1: several server processes behind a proxy, one of which is killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contenders import STATELESS
from .experiment import Experiment, Measured, Part, Value, Verdict

if TYPE_CHECKING:
    from ..laboratory import Laboratory
    from ..site import Visitor

PROCESSES = 3
ASKED = 30
"""Requests before one process is killed, and after it."""

KNOWN_ELSEWHERE = "known at B after a login at A"
PROXIED = f"recognised, of {ASKED} through nginx"
ANSWERED = "processes that answered"
KILLED = f"recognised, of {ASKED} after one was killed"


def measure(laboratory: Laboratory) -> Measured:
    """Nothing is set up for it but what each contender has anyway."""

    def one(name: str) -> dict[str, Value]:
        with laboratory.site(name, workers=PROCESSES) as site, laboratory.proxy(site) as url:
            at_a = site.client()
            at_a.log_in()
            elsewhere = site.client(site.url_of(1))
            elsewhere.copy(at_a)
            visitor = site.client(url)
            visitor.log_in()
            before = _recognised(visitor)
            site.workers[0].kill()
            site.workers[0].wait()
            after = _recognised(visitor)
            return {
                KNOWN_ELSEWHERE: elsewhere.me()["user"] == "ada",
                PROXIED: len(before),
                ANSWERED: len(set(before)),
                KILLED: len(after),
            }

    return laboratory.each(one)


def _recognised(visitor: Visitor) -> list[int]:
    """The processes that knew the visitor, one for each request."""
    answers = [visitor.me() for _ in range(ASKED)]
    return [answer["process"] for answer in answers if answer["user"] == "ada"]


def judge(measured: Measured) -> Verdict:
    """The advantage is one if sessions do not have it."""

    def scales(name: str) -> bool:
        values = measured[name]
        whole = values[PROXIED] == values[KILLED] == ASKED
        return whole and bool(values[KNOWN_ELSEWHERE]) and int(values[ANSWERED] or 0) > 1

    best = [name for name in measured if scales(name)]
    holds = any(name in best for name in STATELESS) and "session" not in best
    return Verdict(
        holds,
        f"{len(best)} of {len(measured)} were recognised at every process, and after one was killed"
        + ("." if holds else ": what processes share is the store, and nothing has to be set up for it."),
        best,
    )


SCALING = Experiment(
    name="scaling",
    part=Part.ADVANTAGE,
    claim="JWTs scale horizontally; sessions do not, as every server must know them.",
    done=f"{PROCESSES} server processes behind an nginx as it comes. Log in at one and ask another; then go through "
    "nginx, kill one process, and go on.",
    measure=measure,
    judge=judge,
    needs=("nginx",),
)
