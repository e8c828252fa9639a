"""What the last request with the same token found, and until when the next one finds the same.

Most requests come soon after another of the same visitor, to a session that nobody has written to meanwhile: then the
store says what it said, and there is nothing to judge anew until something falls due.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from . import codec
from .policy import SETTLING, Policy
from .record import Record
from .token import Shown

LONGEST = 2048
"""Characters of data above which nothing is remembered of a session."""


class Calm(NamedTuple):
    """A session whose token was good."""

    record: Record
    """As the store told it. Any other one, be it equal, has to be judged."""
    until: float
    """The instant at which a touch, a rotation, a settling or an end falls due, in seconds since the epoch."""
    fields: dict[str, Any]
    """Its data, to be copied. None of it can be changed in place."""


def due_at(record: Record, step: int, policy: Policy) -> float:
    """From when on a request with the secret of that step owes a touch or a rotation."""
    current, idle = record.secrets[0], record.idle
    touch = policy.touch_seconds if idle is None else min(policy.touch_seconds, idle / 10)
    turn = SETTLING if step < current.step else policy.rotation_seconds
    return min(record.last_seen_at + touch, current.issued_at + turn)


def calm(record: Record, shown: Shown, fields: dict[str, Any], due: float) -> Calm | None:
    """What may be remembered of a session whose token was found good; None: nothing."""
    current = record.secrets[0]
    if shown.step != current.step or len(record.fields) > LONGEST or not codec.are_scalars(fields.values()):
        return None
    if current.step > record.settled:
        due = min(due, current.issued_at + SETTLING)
    return Calm(record, min(due, record.deadline), fields.copy())
