"""Periodic rotation: which secrets are accepted, when one is followed by the next, and what proves a theft.

A new secret is *settled* once a request that arrived 60 s or more after its issue has shown it. Until then
the one before it stays good: the response may have been lost, or the browser killed before it saved its
cookies. A secret from before a settled one can only come from a copy.
"""

from __future__ import annotations

import hmac
from enum import Enum
from typing import NamedTuple

from .policy import SETTLING
from .record import Record, Secret, stamp
from .token import LAST_STEP, Shown, hash_secret, new_secret


class Verdict(Enum):
    """What a secret that was shown says of the one who shows it."""

    GOOD = "good"
    STOLEN = "stolen"
    UNKNOWN = "unknown"
    """The store has forgotten this step (a failover, a power cut). Calling that theft would end a fleet's
    sessions: it is anonymous, and nothing ends."""


class Step(NamedTuple):
    """Replace the current secret, if it is still the one that was seen: of parallel requests one steps."""

    from_hash: str
    to: Secret


def judge(record: Record, shown: Shown, began: float, held: float = 0.0) -> tuple[Verdict, int | None]:
    """The verdict on a token with a valid tag that arrived at `began`, and the step that it settles, if any.

    `held`: seconds for which something on the way, such as a proxy that waits for the whole of an upload, may
    have kept the request: what was sent before the next secret had settled proves nothing.
    """
    current, step = record.secrets[0], shown.step
    known = current if current.step == step else _step(record, step)
    if known is not None and not hmac.compare_digest(known.hash, shown.hash):
        return Verdict.UNKNOWN, None
    if step < record.settled:
        settled = _step(record, record.settled) or current
        if began - held < settled.issued_at + SETTLING:
            return (Verdict.GOOD if known else Verdict.UNKNOWN), None
        return Verdict.STOLEN, None
    if known is not None:
        late = step > record.settled and began >= known.issued_at + SETTLING
        return Verdict.GOOD, step if late else None
    # Pushed out by two successors, each of which somebody asked for with an older secret while the holder of
    # this one was away: there are two holders.
    pushed_out = shown.step < current.step and began - held >= current.issued_at
    return (Verdict.STOLEN if pushed_out else Verdict.UNKNOWN), None


def _step(record: Record, step: int) -> Secret | None:
    return next((secret for secret in record.secrets if secret.step == step), None)


def successor(record: Record, shown: Shown, began: float, interval: float, now: float) -> tuple[Step, str] | None:
    """The step that this request should try, and the new secret's text; None while the present one serves.

    The holder of the current secret gets the next one when it is `interval` seconds old. The holder of an
    older one lost the response that carried the next: it gets another, but not while that may still arrive.
    """
    current = record.secrets[0]
    age = SETTLING if shown.step < current.step else interval
    if began < current.issued_at + age or current.step >= LAST_STEP:
        return None
    text = new_secret(current.step + 1)
    # Of now: a slow request's client could not have it before, and may crash before it is saved.
    return Step(current.hash, Secret(current.step + 1, hash_secret(text), stamp(now))), text


def older(secrets: tuple[Secret, ...], settled: int) -> tuple[Secret, ...]:
    """What stays known behind a new secret: the one before it and, if that is another, the settled one.

    A browser that crashes again and again always comes back with the settled one.
    """
    current = secrets[0]
    if current.step == settled:
        return (current,)
    return (current, *(secret for secret in secrets[1:] if secret.step == settled))
