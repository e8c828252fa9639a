"""Row 15: a link that opens one file, for a few minutes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..contenders.application import FILES
from .experiment import Experiment, Measured, Part, Value, Verdict

if TYPE_CHECKING:
    from ..laboratory import Laboratory
    from ..site import Site

SECONDS = 2.0
"""Seconds that a link lasts here. In life it is minutes."""

OPENS = "opens its file"
NOT_OTHER = "opens no other file"
NO_LOGIN = "is no login"
HANDED_ON = "is of no use to somebody else"
EXPIRES = "is refused when its time is over"


def measure(laboratory: Laboratory) -> Measured:
    """Ask for links as a user who is logged in, and try what they open."""

    def one(name: str) -> dict[str, Value]:
        with laboratory.site(name) as site:
            return _tried(site)

    return laboratory.at_once(one)


def _tried(site: Site) -> dict[str, Value]:
    ada, eve = site.client(), site.client()
    ada.log_in("ada")
    eve.log_in("eve")
    link = ada.link("report", 60)
    ticket = link.partition("ticket=")[2]
    other = eve.get(link).status_code
    opened = ada.get(link)
    renamed = ada.get(f"/files/?ticket={ticket.swapcase()}"), ada.get(f"{link}&file=salaries")
    with ada.impostor(ticket) as impostor:
        logged_in = impostor.me()["user"] is not None
    late = ada.link("report", SECONDS)
    time.sleep(SECONDS + 1)
    return {
        OPENS: opened.content == FILES["report"].read_bytes(),
        NOT_OTHER: all(answer.content != FILES["salaries"].read_bytes() for answer in renamed),
        NO_LOGIN: not logged_in,
        HANDED_ON: other != 200,
        EXPIRES: ada.get(late).status_code != 200,
    }


def judge(measured: Measured) -> Verdict:
    """Right is what opens its file and nothing else."""
    right = {
        name: all(values[what] for what in (OPENS, NOT_OTHER, NO_LOGIN, EXPIRES)) for name, values in measured.items()
    }
    bound = [name for name, values in measured.items() if values[HANDED_ON]]
    told = f"A link of a minute opened its file and nothing else with {sum(right.values())} of {len(right)}"
    if bound:
        told += f"; somebody else who got hold of it could not use it with {', '.join(bound)}"
    return Verdict(right["session"], f"{told}.", [name for name in bound if right[name]])


DOWNLOAD = Experiment(
    name="download",
    part=Part.USE,
    claim="A JWT of minutes is right for a download: it opens one file, and is no login.",
    done=f"Ask for a link to one file; use it for that file and for another, as a login, as another user, and after "
    f"its time ({SECONDS:g} s).",
    measure=measure,
    judge=judge,
)
