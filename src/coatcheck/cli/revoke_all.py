"""`coatcheck revoke-all`: everybody is signed out, after a look at how many that are."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import UTC, datetime, timedelta

from coatcheck.manager import SessionManager
from coatcheck.store import Stats

from . import output, waiting
from .command import Command, acting

WITHIN = 0.3
"""Seconds for a look at how many are live, about."""

_AGO = re.compile(r"(\d{1,6})(min|h|d)")
_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def _time(text: str) -> datetime:
    if ago := _AGO.fullmatch(text):
        return datetime.now(UTC) - int(ago[1]) * _UNITS[ago[2]]
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise argparse.ArgumentTypeError(
            'a time with its zone, as in "2026-01-31T18:00:00Z", or "30min", "2h", "3d" ago'
        )
    return found


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--before",
        type=_time,
        metavar="TIME",
        help='only sessions created up to then: "2026-01-31T18:00:00Z", "2h" ago',
    )
    parser.add_argument("--reason", default="revoked", help="what the next requests are told (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="say how many are live in all, and end none")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _run(options: argparse.Namespace) -> int:
    with acting(options) as (manager, who):
        found = manager.stats(within=WITHIN)
        facts = {"live": found.sessions, "exact": found.exact}
        if not (options.json and options.yes):
            _say(found, options.before)
        if options.dry_run or not (options.yes or _agreed()):
            if options.json:
                output.as_json(facts | {"ended": 0})
            return 0 if options.dry_run else 1
        with waiting.shown(lambda seconds: _left(manager, found, seconds), quiet=options.json):
            count = manager.revoke_all(options.before, options.reason, by=who)
    if options.json:
        output.as_json(facts | {"ended": count})
    else:
        sys.stdout.write(f"{count:,} ended\n")
    return 0


def _say(found: Stats, before: datetime | None) -> None:
    which = "all of them" if before is None else f"those created up to {before.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    sys.stderr.write(f"{output.number(found.sessions, exact=found.exact)} sessions are live; this ends {which}\n")


def _left(manager: SessionManager, before: Stats, seconds: float) -> str:
    """How far it is: what is left is counted, or estimated, beside it."""
    now = manager.stats(within=WITHIN)
    left, all_of_them = (output.number(one.sessions, exact=one.exact) for one in (now, before))
    return f"{seconds:.0f} s: {left} of {all_of_them} sessions are live"


def _agreed() -> bool:
    """Whether somebody types "yes"; nobody at a terminal is a no."""
    sys.stderr.write('Type "yes" to go on: ')
    sys.stderr.flush()
    agreed = sys.stdin.readline(100).strip().lower() == "yes"
    if not agreed:
        sys.stderr.write("nothing was ended\n")
    return agreed


COMMANDS = (
    Command(
        "revoke-all",
        "end all sessions, or all that are older",
        "End every session at once: everybody has to sign in again. Over a large Redis it takes a while; stopped, it "
        "can be run again.",
        _add,
        _run,
        "exit code: 0 done; 1 nothing was ended, as nobody agreed; 2 it could not be done.",
    ),
)
