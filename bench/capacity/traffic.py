"""What is asked of a service in a day: assumptions, each a setting on the command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, fields
from typing import Any

from .near import Crowd

DAY = 86_400
SHARES = ("visitor", "touch", "rotate", "write", "login", "logout", "list", "revoke", "ticket")
"""The classes of requests that have a share of their own; the rest are reads."""


def _says(default: float, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Users, their sessions and their requests. Raises ValueError for what cannot be."""

    data: float = _says(910, "bytes of data in a session, as JSON")
    sessions: float = _says(2, "live sessions a user, on average over all users")
    anonymous: float = _says(0.2, "stored sessions of nobody, such as baskets, for each user")
    requests: float = _says(20, "requests a user a day, on average over all users, those without a cookie included")
    peak: float = _says(4, "requests a second in the busiest minutes, over the mean of the day")
    visitor: float = _says(0.2, "share of requests without a cookie")
    touch: float = _says(
        0.03, "share of requests that read, and store when the session was last seen, or settle a rotation"
    )
    rotate: float = _says(
        0.03,
        "share of requests that read, and rotate the secret: one on a day with visits, as the default policy has it",
    )
    write: float = _says(0.05, "share of requests that change a field")
    login: float = _says(0.01, "share of logins")
    logout: float = _says(0.005, "share of logouts")
    list: float = _says(0.002, "share of requests that list the user's sessions")
    revoke: float = _says(0.001, "share of requests that end the user's other sessions")
    ticket: float = _says(0.01, "share of requests that issue a ticket and redeem it")
    flight: float = _says(1, "requests in flight in a process for which the costs were measured: 1 or 32")
    near: float = _says(0, "share of reads that a near cache answers: see the simulation")
    load: float = _says(0.5, "how busy a core of the application, or of PostgreSQL, may be at the peak")
    redis_load: float = _says(0.5, "how busy the one core of a Redis primary may be at the peak")
    redis_gib: float = _says(24, "GiB of memory that a Redis primary is given")
    room: float = _says(
        1.5, "memory or disk that is provided, over what the sessions take: fragments, dead rows, forks"
    )

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if value < 0 or (one.name in _SHARES_OF_ONE and value > 1):
                raise ValueError(f"{one.name}={value}: no share, or below zero")
        if not (self.load > 0 and self.redis_load > 0 and self.redis_gib > 0 and self.room >= 1):
            raise ValueError("load, redis_load and redis_gib are above zero, room at least 1")
        if self.visitor == 1 or self.requests == 0:
            raise ValueError("somebody has to come with a session")
        if self.shares()["read"] < -1e-9:
            raise ValueError("the shares of requests are more than all of them")

    def shares(self) -> dict[str, float]:
        """Of each class, as parts of 1; reads are what the others leave."""
        shares = {name: float(getattr(self, name)) for name in SHARES}
        return {"read": 1 - sum(shares.values()), **shares}

    def writes(self) -> float:
        """The share of requests that write to the store."""
        return sum(share for name, share in self.shares().items() if name not in {"read", "visitor", "list"})

    def crowd(self) -> Crowd:
        """Its users with a session, for the near cache; touches and rotations come there by themselves."""
        known = 1 - self.visitor
        changes = self.write + self.login + self.logout + self.revoke
        return Crowd(requests=self.requests * known, peak=self.peak, changes=changes / known)

    def at_peak(self, users: float) -> float:
        """Requests a second."""
        return users * self.requests / DAY * self.peak


_SHARES_OF_ONE = {*SHARES, "near", "load", "redis_load"}


OPTIONS = {one.name: f"--{'share-' if one.name in SHARES else ''}{one.name.replace('_', '-')}" for one in fields(Mix)}
"""How each assumption is set."""
TEXTS = {one.name: str(one.metadata["help"]) for one in fields(Mix)}
"""What each is."""


def add_arguments(parser: argparse._ActionsContainer) -> None:
    """A setting for each assumption, in a parser or a group of one."""
    for one in fields(Mix):
        text = f"{TEXTS[one.name]} (default: %(default)g)"
        parser.add_argument(OPTIONS[one.name], dest=one.name, type=float, default=one.default, metavar="N", help=text)


def from_options(options: argparse.Namespace) -> Mix:
    """The assumptions that were asked for. Raises ValueError as `Mix`."""
    return Mix(**{one.name: getattr(options, one.name) for one in fields(Mix)})
