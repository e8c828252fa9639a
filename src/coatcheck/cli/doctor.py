"""`coatcheck doctor`: whether a store keeps what sessions need."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator

from coatcheck.errors import CoatcheckError, ConfigurationError
from coatcheck.feed import Feeds
from coatcheck.health import Check, Checkable
from coatcheck.manager import SessionManager
from coatcheck.store import Meets

from .arguments import add_store

DESCRIPTION = """\
Connect to a store and print one line for each thing that sessions depend on, with the remedy where something is
wrong. Nothing is changed: on Redis a few keys of its own come and go. No password is printed.
"""
EPILOG = """\
exit code: 0 all is well; 1 it serves, and some promise may not hold one day (warn); 2 it cannot serve (fail).
Put it into deployments, and into a timer: settings change while applications run.
"""
_SETTINGS = ("COATCHECK_SECRET", "COATCHECK_SECRET_FILE")
_CODES = {"ok": 0, "warn": 1, "fail": 2}


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_store(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="print only what is not well")


def run(options: argparse.Namespace) -> int:
    """Look, print, and return the exit code."""
    worst = 0
    for check in examine(options.url, options.namespace):
        worst = max(worst, _CODES[check.level])
        if check.level != "ok" or not options.quiet:
            sys.stdout.write(f"{check.level:5} {check.name:12} {check.text}\n")
    return worst


def examine(url: str | None, namespace: str = "coatcheck") -> Iterator[Check]:
    """What there is to say of a store, one by one."""
    try:
        manager = SessionManager(url, namespace=namespace)
    except ConfigurationError as error:
        yield Check("fail", "setting", str(error))
        return
    with manager:
        store = manager.store
        own = hasattr(store, "own_secret") and not any(os.environ.get(name) for name in _SETTINGS)
        if isinstance(store, Checkable):
            yield from (check for check in store.checks() if own or check.name != "key file")
        else:
            yield Check("warn", "store", f"{type(store).__name__} cannot be examined")
        if isinstance(store, Feeds) and isinstance(store, Meets):  # a file always does, once it is there
            yield _feed(store)
        if not own:
            yield _secret(manager)


def _feed(store: Feeds) -> Check:
    """Never a warning: whoever has neither a near cache nor open connections needs none."""
    try:
        store.feed().close()
    except CoatcheckError as error:
        return Check("ok", "feed", f"none, so no near cache, and open connections end late: {error}")
    return Check("ok", "feed", "it tells what changes, for near_cache=True and open connections")


def _secret(manager: SessionManager) -> Check:
    try:
        manager.engine.verify("")
    except CoatcheckError as error:
        return Check("fail", "secret", str(error))
    return Check("ok", "secret", "set, and long enough")
