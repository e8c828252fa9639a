"""Row 1: several server processes behind a proxy, one of which is killed; and the store, which stops."""

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
ALONE = "recognised while the store does not answer"


def measure(laboratory: Laboratory) -> Measured:
    """Processes share what each contender has anyway: a secret, and a Redis if it has a store."""
    if not laboratory.has_redis:
        raise RuntimeError("redis-server does not start, and an SQLite file is shared by one machine alone")

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
            known_elsewhere = elsewhere.me()["user"] == "ada"
            with laboratory.store_stopped():
                alone = elsewhere.get("/me").status_code == 200
            return {
                KNOWN_ELSEWHERE: known_elsewhere,
                PROXIED: len(before),
                ANSWERED: len(set(before)),
                KILLED: len(after),
                ALONE: alone,
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
    alone = [name for name, values in measured.items() if values[ALONE]]
    return Verdict(
        holds,
        f"{len(best)} of {len(measured)} were recognised at every process, and after one was killed. What processes of "
        "sessions share is the store, a server more to run; what those of JWTs share is a key. While the store did not "
        f"answer, recognised were: {', '.join(alone) or 'none'}.",
        best,
    )


SCALING = Experiment(
    name="scaling",
    part=Part.ADVANTAGE,
    claim="JWTs scale horizontally; sessions do not, as every server must know them.",
    done=f"{PROCESSES} server processes behind an nginx as it comes. Log in at one and ask another; then go through "
    "nginx, kill one process, and go on; and stop the store.",
    measure=measure,
    judge=judge,
    needs=("nginx", "redis-server"),
)
