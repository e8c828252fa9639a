"""A command: its name, its words, its arguments, and what it does."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple


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
    parser.add_argument(
        "--store", metavar="URL", help="the store; COATCHECK_STORE by default, which keeps passwords out of ps"
    )
    parser.add_argument("--namespace", default="coatcheck", help="as the application's (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
