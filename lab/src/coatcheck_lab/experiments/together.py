"""Row 17: the login stays while tickets come and go, and tickets end with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .experiment import Experiment, Measured, Part, Value, Verdict

if TYPE_CHECKING:
    from ..laboratory import Laboratory

TICKETS = 5

STAYS = f"logged in after {TICKETS} downloads"
SAME = "by the same token"
ENDS = "the login ends when an operator revokes it"
DIES = "a link that it had is refused from then on"


def measure(laboratory: Laboratory) -> Measured:
    """Download a few times, keep one link, and let an operator revoke the user."""

    def one(name: str) -> dict[str, Value]:
        with laboratory.site(name) as site:
            owner = site.client()
            owner.log_in()
            before = owner.token
            for _ in range(TICKETS):
                owner.get(owner.link("report", 60)).raise_for_status()
            values: dict[str, Value] = {STAYS: owner.me()["user"] == "ada", SAME: owner.token == before}
            kept = owner.link("report", 60)
            site.operator("revoke", user="ada")
            return values | {ENDS: owner.me()["user"] is None, DIES: owner.get(kept).status_code != 200}

    return laboratory.each(one)


def judge(measured: Measured) -> Verdict:
    """Side by side is both: neither disturbs the other, and what is revoked takes its tickets along."""
    best = [name for name, values in measured.items() if all(values.values())]
    alive = [name for name, values in measured.items() if not values[DIES]]
    told = (
        f"After {TICKETS} downloads all were logged in as before"
        if all(values[STAYS] and values[SAME] for values in measured.values())
        else "Not all were logged in as before"
    )
    if alive:
        told += f"; after an operator's word the link still opened its file with {', '.join(alive)}"
    untouched = [name for name, values in measured.items() if not values[ENDS]]
    if untouched:
        told += f", and the login itself could not be ended with {', '.join(untouched)}"
    return Verdict("session" in best, f"{told}.", best)


TOGETHER = Experiment(
    name="together",
    part=Part.USE,
    claim="Sessions keep the login while tickets come and go; a revoked login's tickets end with it.",
    done=f"Download {TICKETS} times by links of a minute; keep one more, revoke the login, and use the link.",
    measure=measure,
    judge=judge,
)
