"""What telemetry calls things, after OpenTelemetry's rules for names (semantic-conventions, general/naming).

No value of an attribute of a metric comes from the network, a user or a caller: each is one of the sets below, a
manager's namespace or the name of an exception's class, so the number of time series is bounded.
"""

from __future__ import annotations

from typing import NamedTuple


class Counter(NamedTuple):
    """A number that only grows."""

    unit: str
    description: str
    attribute: str
    values: tuple[str, ...]
    """All that the attribute may be. Each begins at 0, so that a rate sees the first one."""


NAMESPACE = "coatcheck.namespace"
"""On every metric: two managers in one process are told apart."""

LOADS, LOOKUPS, WRITES = "coatcheck.session.loads", "coatcheck.near_cache.lookups", "coatcheck.store.writes"
REFUSALS, ENDS, TICKETS = "coatcheck.refusals", "coatcheck.session.ends", "coatcheck.ticket.operations"

OPERATION = "coatcheck.store.operation"
READS = ("load", "sessions", "taken", "stats")
CHANGES = (
    *("create", "login", "commit", "replace", "end"),
    *("revoke_user", "update_user", "revoke_all", "redeem", "purge"),
)
"""The methods of `store.Store` that write."""
TOUCH = "touch"
"""A `commit` that stores no more than when the session was last seen."""

REFUSED = {
    "csrf_refused": "csrf",
    "login_refused": "login_refused",
    "ticket_refused": "ticket_refused",
    "token_unknown": "token_unknown",
    "late_write": "late_write",
}
"""The event that tells of a refusal, and what the metric says of it."""
UNAVAILABLE = "store_unavailable"

REASONS = {
    **{reason: reason for reason in ("logout", "idle", "absolute", "revoked", "replaced", "stolen")},
    "too many sessions": "over_limit",
}
"""Why sessions end in the engine's own words, and what the metric says of it. A caller's words are "other"."""
OTHER = "other"

COUNTERS = {
    LOADS: Counter(
        "{load}",
        "Requests that asked for their session, by what they got.",
        "coatcheck.load.outcome",
        ("live", "anonymous", "ended", "unknown", "forged", "error"),
    ),
    LOOKUPS: Counter(
        "{lookup}", "Requests that the near cache was asked for.", "coatcheck.near_cache.result", ("hit", "miss")
    ),
    WRITES: Counter("{write}", "Writes that the store has acknowledged.", OPERATION, (*CHANGES, TOUCH)),
    REFUSALS: Counter(
        "{refusal}", "What was refused, by the reason.", "coatcheck.refusal.reason", (*REFUSED.values(), UNAVAILABLE)
    ),
    ENDS: Counter("{session}", "Sessions that somebody ended.", "coatcheck.end.reason", (*REASONS.values(), OTHER)),
    TICKETS: Counter("{operation}", "Tickets issued and redeemed.", "coatcheck.ticket.operation", ("issue", "redeem")),
}

DURATION = "coatcheck.store.operation.duration"
BOUNDS = (
    0.00001,
    0.000025,
    0.00005,
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    1,
    2.5,
)
"""Seconds: from a read of SQLite's pages in memory to what a store may take before it counts as down."""

LIVE, AUTHENTICATED = "coatcheck.session.live", "coatcheck.session.authenticated"

# Of spans alone.
HANDLE, ENDUSER, ERROR = "coatcheck.session.handle", "enduser.id", "error.type"
