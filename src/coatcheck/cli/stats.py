"""`coatcheck stats`: how much there is, of what age, and in which browsers; quick also over a large store."""

from __future__ import annotations

import argparse
from typing import Any

from coatcheck.manager import SessionManager
from coatcheck.store import Stats
from coatcheck.trail import outstanding

from . import output, waiting
from .command import Command, opened, trailing

WITHIN = 0.3
"""Seconds for which a large Redis is looked at: then a command, start included, answers within a second."""
LOOKED_AT = 5000
"""Entries of the audit trail, the newest, among which tickets that nobody has used are looked for."""
SHOWN = 10
"""Browsers that a person is shown."""

_AGES = {
    "hour": "created within an hour",
    "day": "within a day",
    "week": "within 7 days",
    "month": "within 30 days",
    "older": "before that",
}


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--exact", action="store_true", help="count all of a large Redis, however long that takes")


def _run(options: argparse.Namespace) -> int:
    with opened(options) as manager, trailing(options) as trail:
        found = manager.stats(within=WITHIN)
        if options.exact and not found.exact:
            found = _all(manager, found, quiet=options.json)
        waiting_tickets = (
            None if trail is None else len(outstanding(trail.entries(limit=LOOKED_AT), manager.engine.now()))
        )
    if options.json:
        output.as_json(facts(found) | {"outstanding_tickets": waiting_tickets})
    else:
        output.pairs(_words(found, waiting_tickets))
    return 0


def _all(manager: SessionManager, about: Stats, *, quiet: bool) -> Stats:
    """Count everything. What was met in the time that a quick look had says how long that takes."""
    seconds = WITHIN * about.sessions / max(1, about.sampled)

    def line(gone: float) -> str:
        return f"counting {output.number(about.sessions, exact=False)} sessions: {gone:.0f} s of about {seconds:.0f} s"

    with waiting.shown(line, quiet=quiet):
        return manager.stats()


def facts(found: Stats) -> dict[str, Any]:
    """All of it, for JSON. Names are only ever added."""
    return found._asdict() | {"ages": None if found.ages is None else found.ages._asdict()}


def _words(found: Stats, waiting_tickets: int | None) -> dict[str, str]:
    def number(count: int) -> str:
        return output.number(count, exact=found.exact)

    size = "its size is not known" if found.size is None else f"{found.size:,} bytes"
    words = {
        "live sessions": number(found.sessions),
        "of these signed in": number(found.authenticated),
        "users": number(found.users),
        "ended, still remembered": number(found.tombstones),
        "used tickets": number(found.tickets),
        "tickets outstanding": "known by an audit trail alone" if waiting_tickets is None else f"{waiting_tickets:,}",
        "store": size,
    }
    whole = found.sampled >= found.sessions
    if found.ages is not None:
        ages = found.ages._asdict()
        words |= {words: output.number(ages[name], exact=whole) for name, words in _AGES.items()}
    clients = [*(found.clients or {}).items()]
    words |= {f"in {name}": output.number(count, exact=whole) for name, count in clients[:SHOWN]}
    if not found.exact:
        words["looked at"] = f"{found.sampled:,} sessions; --exact counts all"
    elif not whole:
        words["looked at"] = f"{found.sampled:,} sessions, for their ages and browsers"
    return words


COMMANDS = (
    Command(
        "stats",
        "count what is in the store",
        "Count what is in the store: live sessions, by age and browser, users, used tickets, size. A Redis that is too "
        "large to be counted in a moment is estimated from a part. Ages and browsers are, in every store, from a "
        "sample where there are many sessions.",
        _add,
        _run,
    ),
)
