"""A command: its name, its words, its arguments, and what it does."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

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
