"""`coatcheck move`: all sessions from one store to another, while the application serves from both."""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from coatcheck.errors import CoatcheckError, ConfigurationError
from coatcheck.manager import SessionManager
from coatcheck.mover import TICKETS, Mover
from coatcheck.moving_store import MovingStore

from .arguments import add_namespace

DESCRIPTION = """\
Move all sessions from one store to another. First every process of the application has to serve from both: give it
"OLD -> NEW" in place of the store's URL. Then run this. It may be stopped, and run again, at any time. At the end
give the application the new URL. Nobody is signed out.
"""
EPILOG = """\
exit code: 0 nothing is left in the old store; 1 something is, or it is too early for the new URL alone; 2 it could
not be done. Without URLs COATCHECK_STORE says both, as "OLD -> NEW", which keeps passwords out of ps.
"""
_EVERY = 2.0
"""Seconds between two lines of progress."""


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("old", nargs="?", metavar="OLD", help="the store where the sessions are")
    parser.add_argument("new", nargs="?", metavar="NEW", help="the store where they go")
    add_namespace(parser)
    parser.add_argument("--check", action="store_true", help="move nothing, and say what is left")
    parser.add_argument(
        "--stopped", action="store_true", help="the application does not run, so that nobody has to serve from both"
    )


def run(options: argparse.Namespace) -> int:
    """Move, print, and return the exit code: a `ConfigurationError` is printed too."""
    try:
        with SessionManager(_both(options), namespace=options.namespace) as manager:
            store = manager.store
            if not isinstance(store, MovingStore):
                raise ConfigurationError('COATCHECK_STORE is no move: give two URLs, or set it to "OLD -> NEW"')
            store.connect()
            mover = Mover(store)
            return _check(mover) if options.check else _move(mover, stopped=options.stopped)
    except CoatcheckError as error:
        sys.stderr.write(f"coatcheck move: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("\ncoatcheck move: stopped. Run it again: it goes on from here\n")
        return 130


def _both(options: argparse.Namespace) -> str | None:
    if options.old is None and os.environ.get("COATCHECK_STORE"):
        return None
    if options.old is None or options.new is None:
        raise ConfigurationError(
            "name both stores: coatcheck move sqlite:///sessions.db redis://cache:6379/0, or have them in "
            'COATCHECK_STORE, as "OLD -> NEW"'
        )
    return f"{options.old} -> {options.new}"


def _move(mover: Mover, *, stopped: bool) -> int:
    if not (stopped or mover.has_begun() or mover.is_served()):
        raise ConfigurationError(
            'no process has served from both stores yet. Give "OLD -> NEW" to every process of the application in '
            "place of its store's URL, and restart them all: who knows only the old store answers 503 to everybody who "
            "was moved. Is the application stopped? Add --stopped"
        )
    mover.begin()
    started = told = time.monotonic()
    moved = 0
    while True:
        met = here = 0
        for seen, went in mover.walk():
            met, here = met + seen, here + went
            if time.monotonic() - told >= _EVERY:
                told = time.monotonic()
                sys.stdout.write(f"{moved + here} moved, {(moved + here) / (told - started):.0f} a second\n")
                sys.stdout.flush()
        moved += here
        if not here:
            break
    users = mover.users()
    if moved:
        mover.undone()
    sys.stdout.write(f"{moved} sessions moved, {users} users looked at, {time.monotonic() - started:.1f} s\n")
    if met:
        sys.stdout.write(f"{met} are left: they cannot be read. `coatcheck doctor` on the old store may say why\n")
        return 1
    _say(mover, mover.finish())
    return 0


def _check(mover: Mover) -> int:
    left = mover.left()
    if left:
        sys.stdout.write(f"{left} sessions are left in the old store. Run `coatcheck move`\n")
        return 1
    since = mover.done_since()
    if since is None:
        sys.stdout.write("nothing is left, and the move was never finished. Run `coatcheck move`\n")
        return 1
    _say(mover, since)
    return 0 if mover.now() >= since + TICKETS else 1


def _say(mover: Mover, since: float) -> None:
    at = datetime.fromtimestamp(since + TICKETS, UTC)
    sys.stdout.write("nothing is left in the old store\n")
    if mover.now() < since + TICKETS:
        # Single use: what was used in the old store is known there only.
        sys.stdout.write(f"from {at:%Y-%m-%d %H:%M:%S} UTC on every process may have the new URL alone\n")
    else:
        sys.stdout.write("every process may have the new URL alone\n")
    path = getattr(mover.store.old, "path", None)
    key = None if path is None else Path(f"{path}.key")
    if key is not None and key.exists() and not any(map(os.environ.get, ("COATCHECK_SECRET", "COATCHECK_SECRET_FILE"))):
        sys.stdout.write(
            f"if the application has no secret of its own, its cookies are signed with {key.name}: with the new URL "
            "set COATCHECK_SECRET to what that file holds\n"
        )
