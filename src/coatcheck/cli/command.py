"""A command: its name, its words, its arguments, and what it does."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from coatcheck.audit import AuditTrail
from coatcheck.errors import ConfigurationError
from coatcheck.manager import SessionManager

from . import named
from .arguments import STORE, add_namespace


class Command(NamedTuple):
    """One that works on a store, prints for people or with --json for scripts, and returns its exit code."""

    name: str
    help: str
    description: str
    add: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    epilog: str = "exit code: 0 done; 2 it could not be done."


def add_common(parser: argparse.ArgumentParser) -> None:
    """What all of them have."""
    parser.add_argument("--store", metavar="URL", help=STORE)
    add_namespace(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def opened(options: argparse.Namespace) -> SessionManager:
    """The store that they name. Raises `ConfigurationError` for one that is not there."""
    return named.opened(options.store, options.namespace)


@contextmanager
def acting(options: argparse.Namespace) -> Iterator[tuple[SessionManager, str]]:
    """The store that they name, and who acts on it. Where the application keeps an audit trail this goes into it."""
    with opened(options) as manager, trailing(options) as trail:
        if trail is not None:
            manager.subscribe(trail)
        yield manager, _who()


@contextmanager
def trailing(options: argparse.Namespace) -> Iterator[AuditTrail | None]:
    """The audit trail that the application keeps in that store; None where it keeps none."""
    try:
        trail = AuditTrail(options.store, namespace=options.namespace, retention=None)
    except ConfigurationError:  # a store that cannot keep one
        yield None
        return
    try:
        yield trail if trail.entries(limit=1) else None
    finally:
        trail.close()


def _who() -> str:
    try:
        return f"{getpass.getuser()}, command line"
    except (KeyError, OSError):  # a container's user without a name
        return "command line"
