"""What happens to sessions and tickets, as events that a callable subscribes to.

By default they go to the `coatcheck` logger, one line each, with no secret in any: a handle, a jti and a
user id identify, none of them is a credential (ASVS 16.2.5).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

logger = logging.getLogger("coatcheck")

EventName = Literal[
    "created",
    "authenticated",
    "exchanged",
    "rotated",
    "ended",
    "login_refused",
    "token_unknown",
    "late_write",
    "ticket_issued",
    "ticket_redeemed",
    "ticket_refused",
    "csrf_refused",
]

_LEVELS = {
    "created": logging.DEBUG,
    "rotated": logging.DEBUG,
    "ticket_issued": logging.DEBUG,
    "login_refused": logging.WARNING,
    "token_unknown": logging.WARNING,
    "late_write": logging.WARNING,
    "ticket_refused": logging.WARNING,
    "csrf_refused": logging.WARNING,
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened. `at` is in seconds since the epoch; what does not apply is None."""

    name: EventName
    at: float
    handle: str | None = None
    user_id: str | None = None
    reason: str | None = None
    """Why it ended or was refused."""
    detail: dict[str, str] = field(default_factory=dict)


Subscriber = Callable[[Event], object]


def log_event(event: Event) -> None:
    """The default subscriber: one line to the `coatcheck` logger."""
    level = logging.WARNING if event.reason == "stolen" else _LEVELS.get(event.name, logging.INFO)
    if not logger.isEnabledFor(level):
        return
    parts = [f"{key}={value}" for key, value in _facts(event) if value is not None]
    logger.log(level, "%s %s", event.name, " ".join(parts), extra={"coatcheck": event})


def _facts(event: Event) -> list[tuple[str, str | None]]:
    # repr: a user id or a reason with a line break in it must not forge a second log line.
    user = None if event.user_id is None else repr(event.user_id)
    reason = None if event.reason is None else repr(event.reason)
    by = repr(event.detail["by"]) if "by" in event.detail else None
    rest = sorted((name, value) for name, value in event.detail.items() if name != "by")
    return [("session", event.handle), ("user", user), ("reason", reason), ("by", by), *rest]


class Events:
    """The subscribers of one manager. One that raises is logged and does not disturb the request."""

    __slots__ = ("_subscribers",)

    def __init__(self) -> None:
        self._subscribers: tuple[Subscriber, ...] = (log_event,)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber(event)` from now on; returns the function that stops it, harmless to call twice."""
        self._subscribers = (*self._subscribers, subscriber)

        def unsubscribe() -> None:
            self._subscribers = tuple(one for one in self._subscribers if one is not subscriber)

        return unsubscribe

    def emit(self, event: Event) -> None:
        """Tell everybody, in the order of their subscription."""
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception:
                logger.exception("a subscriber of Coatcheck's events raised at %s", event.name)
