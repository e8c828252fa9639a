"""`coatcheck history` and `watch`: what the audit trail has, and what comes into it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime

from coatcheck.audit import AuditTrail
from coatcheck.trail import AuditEntry

from . import output
from .command import Command, opened

_EVERY = 0.5
"""Seconds between two looks."""
_NONE = "nothing is kept: give the application's manager audit=timedelta(days=90)\n"


def _trail(options: argparse.Namespace) -> AuditTrail:
    opened(options).close()  # is it there?
    return AuditTrail(options.store, namespace=options.namespace, retention=None)


def _add_of(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--user", metavar="USER", help="only this user's, by the id as given to login()")
    parser.add_argument("--session", metavar="HANDLE", help="only this session's")


def _add_history(parser: argparse.ArgumentParser) -> None:
    _add_of(parser)
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="at most so many (default: %(default)s)")


def _history(options: argparse.Namespace) -> int:
    trail = _trail(options)
    found = trail.entries(options.user, options.session, limit=options.limit)
    if options.json:
        output.as_json([_facts(entry) for entry in found])
    elif found:
        output.table(["when (UTC)", "what", "user", "session", "why", "by, from"], [_row(entry) for entry in found])
    elif options.user or options.session:
        sys.stderr.write("nothing is known of that\n" if trail.entries(limit=1) else _NONE)
    else:
        sys.stderr.write(_NONE)
    trail.close()
    return 0 if found else 1


def _watch(options: argparse.Namespace) -> int:
    trail = _trail(options)
    if not trail.entries(limit=1):
        sys.stderr.write(_NONE)
    seen = {entry.place for entry in trail.entries(options.user, options.session)}
    try:
        while True:
            found = trail.entries(options.user, options.session)
            for entry in reversed(found):
                if entry.place not in seen:
                    _tell(entry, as_json=options.json)
            # Not only the newest place: of two writers the later one's entry may show first.
            seen = {entry.place for entry in found} | (seen if len(seen) < 10_000 else set())
            time.sleep(_EVERY)
    except KeyboardInterrupt:
        return 0
    finally:
        trail.close()


def _tell(entry: AuditEntry, *, as_json: bool) -> None:
    """One line, at once: also for a pipe."""
    text = json.dumps(_facts(entry)) if as_json else "  ".join(filter(None, map(output.plain, _row(entry))))
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _facts(entry: AuditEntry) -> dict[str, object]:
    at = datetime.fromtimestamp(entry.at, UTC).isoformat()
    facts = {"at": at, "name": entry.name, "user_id": entry.user_id, "handle": entry.handle, "reason": entry.reason}
    return {**facts, "detail": entry.detail}


def _row(entry: AuditEntry) -> list[str]:
    at = datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    rest = ", ".join(f"{name}: {value}" for name, value in sorted(entry.detail.items()) if name != "expires")
    return [at, entry.name, entry.user_id or "", entry.handle or "", entry.reason or "", rest]


COMMANDS = (
    Command(
        "history",
        "who signed in, what ended and why",
        "List what the audit trail has, newest first: logins, ends with their reasons and authors, tickets.",
        _add_history,
        _history,
        "exit code: 0 done; 1 nothing is known; 2 it could not be done.",
    ),
    Command(
        "watch",
        "tell what happens, as it happens",
        "Print what comes into the audit trail, a line each, until ctrl-C. With --json a JSON object a line.",
        _add_of,
        _watch,
        "exit code: 0 stopped by ctrl-C; 2 it could not be done.",
    ),
)
